package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// A roomView is a room in a user's list.
type roomView struct {
	ID       tenant.RoomID `json:"id"`
	Kind     tenant.Kind   `json:"kind,omitzero"`
	Class    tenant.Class  `json:"class,omitzero"`
	Title    string        `json:"title,omitzero"`
	Role     tenant.Role   `json:"role,omitzero"` // none: he could join
	Unread   int64         `json:"unread"`
	Mentions int64         `json:"mentions"` // of him, unread; at most 100
	Last     uint64        `json:"last"`     // sequence of the newest message
	Read     uint64        `json:"read"`     // sequence of the newest that he read
	First    uint64        `json:"first_unread,omitzero"`
	Notify   notifyLevel   `json:"notify,omitzero"` // what he wants to be told; absent: all
	// Of shared rooms: what stands for the room in subjects, the user's own tenant, the one that the room
	// is of, and whose users post there, by the account that stands before their ids.
	Address tenant.RoomID              `json:"address,omitzero"`
	Tenant  tenant.TenantID            `json:"tenant,omitzero"`
	Host    tenant.TenantID            `json:"host,omitzero"`
	Tenants map[string]tenant.TenantID `json:"tenants,omitzero"`
}

const (
	// What a user has read, or can't read any more, ends with the number b.n. Where he reads only
	// what was stored since some time, so does what is unread.
	sqlRoomViewColumns = `SELECT r.id, r.kind, CASE WHEN r.kind = 'shared' THEN 'std' ELSE r.class END, r.shown, coalesce(m.role, ''), coalesce(m.state, ''),
		coalesce(h.last_n, 0), coalesce(b.n, 0), coalesce(h.last_seq, 0), coalesce(p.seq, 0),
		(SELECT count(*) FROM (
			SELECT FROM messages x WHERE x.room_pk = r.room_pk AND x.seq > coalesce(p.seq, 0) AND x.n > b.n
			AND x.mentions IS NOT NULL AND b.me = ANY (x.mentions) AND x.sender <> b.me LIMIT 100) AS mine),
		CASE WHEN h.last_n > b.n THEN (
			SELECT count(*) FROM messages d WHERE d.room_pk = r.room_pk AND d.n > b.n AND d.deleted_at IS NOT NULL) ELSE 0 END,
		CASE WHEN h.last_n > b.n THEN (
			SELECT f.seq FROM messages f WHERE f.room_pk = r.room_pk AND f.seq > coalesce(p.seq, 0) AND f.n > b.n AND f.deleted_at IS NULL
			ORDER BY f.seq LIMIT 1) END,
		coalesce(l.level, ''), r.address, CASE WHEN r.kind = 'shared' THEN r.viewer ELSE '' END, CASE WHEN r.kind = 'shared' THEN r.tenant_id ELSE '' END,
		CASE WHEN r.kind = 'shared' THEN (
			SELECT jsonb_object_agg(t.account, t.tenant_id) FROM tenants t WHERE t.tenant_id = r.tenant_id
				OR t.tenant_id IN (SELECT guest FROM shares WHERE room_pk = r.room_pk AND status = 'accepted')) END`
	sqlRoomViewJoins = `
		LEFT JOIN room_heads h ON h.room_pk = r.room_pk
		LEFT JOIN read_positions p ON p.room_pk = r.room_pk AND p.user_id = $2 AND p.tenant_id = $1
		CROSS JOIN LATERAL (SELECT greatest(r.visible_from, CASE WHEN r.history = 'joined' THEN coalesce(m.joined_at, now()) END) AS at) AS reads
		CROSS JOIN LATERAL (SELECT greatest(p.n, h.first_n - 1, CASE WHEN reads.at IS NOT NULL THEN (
			SELECT o.n FROM messages o WHERE o.room_pk = r.room_pk AND o.at < reads.at AND o.n IS NOT NULL
			ORDER BY o.at DESC, o.seq DESC LIMIT 1) END) AS n,
			CASE WHEN r.viewer = r.tenant_id THEN $2 ELSE $2 || '@' || $1 END AS me) AS b
		LEFT JOIN notify_levels l ON l.room_pk = r.room_pk AND l.user_id = $2 AND l.tenant_id = $1`
	sqlMyRooms = sqlRoomViewColumns + `
		FROM members m JOIN tenant_rooms r ON r.room_pk = m.room_pk AND r.viewer = m.tenant_id` + sqlRoomViewJoins + `
		WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.state = 'joined' AND r.state <> 'deleted' AND r.id > $3
		ORDER BY r.id LIMIT $4`
	sqlFindRooms = sqlRoomViewColumns + `
		FROM tenant_rooms r LEFT JOIN standings m ON m.room_pk = r.room_pk AND m.user_id = $2 AND m.tenant_id = $1` + sqlRoomViewJoins + `
		WHERE r.viewer = $1 AND r.state <> 'deleted' AND r.id > $3
			AND (m.state = 'joined' OR r.kind IN ('open', 'announce') AND m.state IS DISTINCT FROM 'banned')
			AND (r.id ILIKE $5 OR r.shown ILIKE $5)
		ORDER BY r.id LIMIT $4`
	sqlUnreadRooms = sqlRoomViewColumns + `
		FROM members m JOIN tenant_rooms r ON r.room_pk = m.room_pk AND r.viewer = m.tenant_id` + sqlRoomViewJoins + `
		WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.state = 'joined' AND r.state <> 'deleted'
			AND h.last_n > b.n
		ORDER BY r.id LIMIT $3`
	sqlUnreadRoom = sqlRoomViewColumns + `
		FROM tenant_rooms r LEFT JOIN standings m ON m.room_pk = r.room_pk AND m.user_id = $2 AND m.tenant_id = $1` + sqlRoomViewJoins + `
		WHERE r.viewer = $1 AND r.room_pk = $3`
)

func scanRoomView(row pgx.CollectableRow) (roomView, error) {
	var v roomView
	var state tenant.MemberState
	var lastN, readN, deleted int64
	var first *uint64
	err := row.Scan(&v.ID, &v.Kind, &v.Class, &v.Title, &v.Role, &state, &lastN, &readN, &v.Last, &v.Read, &v.Mentions, &deleted, &first, &v.Notify, &v.Address, &v.Tenant, &v.Host, &v.Tenants)
	if state != tenant.Joined {
		v.Role = ""
	}
	// A subtraction: the numbers of a room have no holes (DESIGN.md section 6).
	v.Unread = max(0, lastN-readN-deleted)
	if first != nil {
		v.First = *first
	}
	return v, err
}

// roomsOf lists a user's rooms behind the id after; with a query also those he could join.
func (c *Chat) roomsOf(ctx context.Context, who caller, query, after string, limit int) ([]roomView, error) {
	var rows pgx.Rows
	var err error
	if query == "" {
		rows, err = c.pool.Query(ctx, sqlMyRooms, who.tenant, who.user, after, limit)
	} else {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(query) + "%"
		rows, err = c.pool.Query(ctx, sqlFindRooms, who.tenant, who.user, after, limit, pattern)
	}
	return collect(rows, err, scanRoomView)
}

// unreadRooms lists a user's rooms with something unread.
func (c *Chat) unreadRooms(ctx context.Context, who caller) ([]roomView, error) {
	rows, err := c.pool.Query(ctx, sqlUnreadRooms, who.tenant, who.user, maxList)
	all, err := collect(rows, err, scanRoomView)
	return slices.DeleteFunc(all, func(v roomView) bool { return v.Unread == 0 }), err // all of it was deleted
}

// unreadRoom is what one room has unread for a user, who need not have joined it.
func (c *Chat) unreadRoom(ctx context.Context, who caller, room seenRoom) (roomView, error) {
	rows, err := c.pool.Query(ctx, sqlUnreadRoom, who.tenant, who.user, room.pk)
	if err != nil {
		return roomView{}, fromDB(err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, scanRoomView)
	return v, fromDB(err)
}

// The position is clamped to what the room has, and its number is that of the newest message
// up to it, or of the one before the oldest that is kept.
const sqlRead = `INSERT INTO read_positions (room_pk, tenant_id, user_id, seq, n)
	SELECT h.room_pk, $2, $3, least($4, h.last_seq),
		coalesce((SELECT m.n FROM messages m WHERE m.room_pk = h.room_pk AND m.seq <= $4 AND m.seq >= 1::bigint << 50 AND m.n IS NOT NULL
			ORDER BY m.seq DESC LIMIT 1), h.first_n - 1)
	FROM room_heads h WHERE h.room_pk = $1
	ON CONFLICT (room_pk, user_id, tenant_id) DO UPDATE SET seq = excluded.seq, n = excluded.n
	WHERE read_positions.seq < excluded.seq`

// read moves a user's read position forward, and says whether it moved.
func (c *Chat) read(ctx context.Context, who caller, room seenRoom, seq uint64) (moved bool, err error) {
	tag, err := c.pool.Exec(ctx, sqlRead, room.pk, who.tenant, who.user, seq)
	if err != nil {
		return false, fmt.Errorf("read room %s up to %d: %w", room.id, seq, fromDB(err))
	}
	return tag.RowsAffected() > 0, nil
}

package chat

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// A caller is an active user of an active tenant, as the rows have it now.
type caller struct {
	tenant  tenant.TenantID
	account string
	limits  tenant.Limits // effective
	user    tenant.UserID
	name    string
}

const (
	sqlCaller = `SELECT t.tenant_id, t.account, t.limits, u.user_id, u.name FROM tenants t JOIN users u USING (tenant_id)
		WHERE t.account = $1 AND t.status = 'active' AND u.user_id = $2 AND u.status = 'active'`
	sqlSigned = `SELECT t.tenant_id, t.account, t.limits, u.user_id, u.name FROM tenants t JOIN users u USING (tenant_id)
		WHERE t.account = $1 AND t.status = 'active' AND u.nkey = $2 AND u.status = 'active'`
	sqlPoster = `SELECT t.tenant_id, t.account, t.limits, u.user_id, u.name FROM tenants t JOIN users u USING (tenant_id)
		WHERE t.tenant_id = $1 AND t.status = 'active' AND u.user_id = $2 AND u.status = 'active'`
)

func (c *Chat) caller(ctx context.Context, sql, key string, u tenant.UserID) (caller, error) {
	var who caller
	var limits []byte
	err := c.pool.QueryRow(ctx, sql, key, u).Scan(&who.tenant, &who.account, &limits, &who.user, &who.name)
	if err != nil {
		return caller{}, fromDB(err)
	}
	who.limits, err = decodeLimits(limits)
	return who, err
}

// decodeLimits returns a tenant's effective limits.
func decodeLimits(limits []byte) (tenant.Limits, error) {
	var l tenant.Limits
	err := json.Unmarshal(limits, &l)
	return l.Effective(tenant.Plan), err
}

// A seen room is one as a user sees it.
type seenRoom struct {
	pk      int64
	id      tenant.RoomID // as the viewer names it
	viewer  tenant.TenantID
	host    tenant.TenantID // whose room it is
	address tenant.RoomID   // of a shared room
	account string          // the host's
	kind    tenant.Kind
	class   tenant.Class
	stream  string // that holds its messages
	state   tenant.RoomState
	rights  tenant.Rights
	muted   tenant.MuteReason // "": the user is not
	since   time.Time         // from when on the user may read; zero: all of it
	slow    time.Duration     // between two posts of the user; 0: he is free of slow mode
}

const sqlSeenRooms = `SELECT r.room_pk, r.id, r.viewer, r.tenant_id, r.address, r.kind, r.class, t.account, r.state, r.may_post, coalesce(m.role, ''), coalesce(m.state, ''), coalesce(u.kind = 'service', false),
	r.slow_seconds,
	coalesce((SELECT why FROM mutes WHERE tenant_id = $1 AND user_id = $3 AND room_id IN ('', r.id) AND (until > now() OR until IS NULL)
		ORDER BY room_id DESC LIMIT 1), ''),
	greatest(r.visible_from, CASE WHEN r.history = 'joined' AND u.kind = 'person' THEN coalesce(m.joined_at, now()) END)
	FROM tenant_rooms r JOIN tenants t ON t.tenant_id = r.tenant_id
	LEFT JOIN standings m ON m.room_pk = r.room_pk AND m.user_id = $3 AND m.tenant_id = r.viewer
	LEFT JOIN users u ON u.tenant_id = r.viewer AND u.user_id = $3
	WHERE r.viewer = $1 AND r.id = ANY ($2) AND r.state <> 'deleted'`

// room finds a room with a user's rights in it. u may be empty: the tenant itself asks.
func (c *Chat) room(ctx context.Context, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) (seenRoom, error) {
	rooms, err := c.seenRooms(ctx, t, []tenant.RoomID{r}, u)
	if err == nil && len(rooms) == 0 {
		err = tenant.ErrNotFound
	}
	if err != nil {
		return seenRoom{}, err
	}
	return rooms[0], nil
}

// seenRooms is room for those of several that there are, in no order.
func (c *Chat) seenRooms(ctx context.Context, t tenant.TenantID, ids []tenant.RoomID, u tenant.UserID) ([]seenRoom, error) {
	rows, err := c.pool.Query(ctx, sqlSeenRooms, t, ids, u)
	return collect(rows, err, func(row pgx.CollectableRow) (seenRoom, error) { return scanSeenRoom(row, u) })
}

func scanSeenRoom(row pgx.CollectableRow, u tenant.UserID) (seenRoom, error) {
	var room seenRoom
	var mayPost, service bool
	var since *time.Time
	var slow int64
	var m tenant.Membership
	err := row.Scan(&room.pk, &room.id, &room.viewer, &room.host, &room.address, &room.kind, &room.class, &room.account, &room.state,
		&mayPost, &m.Role, &m.State, &service, &slow, &room.muted, &since)
	if err != nil {
		return seenRoom{}, err
	}
	room.stream, room.since = subject.Stream(room.account, room.class), timeOf(since)
	m.Room, m.Kind, m.Class = room.id, room.kind, room.class
	if m.State == "" {
		room.rights = tenant.RightsOf(room.kind, nil)
	} else {
		room.rights = tenant.RightsOf(room.kind, &m)
	}
	if u == "" {
		room.rights = tenant.Rights{Read: true, Moderate: true}
	}
	if !room.rights.Moderate {
		room.slow = time.Duration(slow) * time.Second
	}
	if room.viewer != room.host {
		// A guest's users speak where the host lets them, and moderate their own people alone, by tenant.Service.
		room.rights.Post = room.rights.Post && mayPost
		room.rights.Moderate, room.rights.Own = false, false
	}
	if service && room.kind != tenant.Direct && room.kind != tenant.Shared {
		// A backend's credentials carry every room but the direct ones (DESIGN.md section 5).
		room.rights.Read, room.rights.Post, room.rights.Signal = true, true, true
	}
	return room, nil
}

// readable finds a room that a user may read. Who may not is told what he is told of a
// room that does not exist.
func (c *Chat) readable(ctx context.Context, t tenant.TenantID, r string, u tenant.UserID) (seenRoom, error) {
	id, err := tenant.ParseRoomID("room", r)
	if err != nil {
		return seenRoom{}, err
	}
	room, err := c.find(ctx, t, id, u)
	if isNotFound(err) || err == nil && !room.rights.Read {
		return seenRoom{}, tenant.NotFound("room")
	}
	return room, err
}

// find is room, but waits for a direct room that a message acknowledged before makes.
func (c *Chat) find(ctx context.Context, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) (seenRoom, error) {
	room, err := c.room(ctx, t, r, u)
	if !isPair(r) || !isNotFound(err) {
		return room, err
	}
	if err = c.allCaughtUp(ctx, t); err != nil {
		return seenRoom{}, err
	}
	return c.room(ctx, t, r, u)
}

func isNotFound(err error) bool {
	e, ok := tenant.AsError(err)
	return ok && e.Code == tenant.CodeNotFound
}

// collect is pgx.CollectRows with the errors of this package.
func collect[T any](rows pgx.Rows, err error, fn pgx.RowToFunc[T]) ([]T, error) {
	if err != nil {
		return nil, fromDB(err)
	}
	all, err := pgx.CollectRows(rows, fn)
	return all, fromDB(err)
}

package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

const (
	// heraldPause is between two rounds: nobody is told of a room more than once in it.
	heraldPause = time.Second
	// heraldRooms is how many rooms one statement asks about.
	heraldRooms = 500
	// maxHeralded bounds the rooms that wait for a round. What finds no room is told with the
	// room's next message.
	maxHeralded = 1 << 16
)

// A herald tells users of new messages in rooms that their connections do not carry: at most
// heraldPause late, and once in it for each user and room. Sessions say which connections carry
// less than all their users' rooms, so that the others cost nothing.
type herald struct {
	chat *Chat
	more chan struct{} // holds one when there are rooms

	mu    sync.Mutex
	rooms map[int64]struct{}
}

func newHerald(c *Chat) *herald {
	return &herald{chat: c, more: make(chan struct{}, 1), rooms: map[int64]struct{}{}}
}

// heard notes the rooms of new messages. Direct rooms are on every connection.
func (h *herald) heard(rows []row) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range rows {
		if r.room.kind != tenant.Direct && r.n > 0 && len(h.rooms) < maxHeralded {
			h.rooms[r.room.pk] = struct{}{}
		}
	}
	if len(h.rooms) > 0 {
		select {
		case h.more <- struct{}{}:
		default:
		}
	}
}

// take returns some rooms, and forgets them.
func (h *herald) take() []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var some []int64
	for pk := range h.rooms {
		if len(some) == heraldRooms {
			break
		}
		delete(h.rooms, pk)
		some = append(some, pk)
	}
	return some
}

// run tells until ctx ends.
func (h *herald) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.more:
		}
		for rooms := h.take(); len(rooms) > 0; rooms = h.take() {
			if err := h.tell(ctx, rooms); err != nil && ctx.Err() == nil {
				h.chat.log.WarnContext(ctx, "users not told of what is unread", "rooms", len(rooms), "error", err)
			}
		}
		pause.Reset(heraldPause)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// sqlPartial says whether a member of the rooms has a connection that carries less than all his. sqlUntold
// takes Postgres ten milliseconds to plan, each time: mostly, nobody is to be told.
const sqlPartial = `
SELECT EXISTS (SELECT FROM sessions s JOIN tenants t ON t.account = s.account
  JOIN members m ON m.tenant_id = t.tenant_id AND m.user_id = s.user_id
  WHERE s.rooms IS NOT NULL AND m.room_pk = ANY ($1))`

// sqlUntold are the rooms among $1 with something unread, for each member with a connection that
// does not carry them, unless the member does not want to hear of it. The counts are those of sqlRoomViewColumns.
const sqlUntold = `
SELECT DISTINCT t.account, m.user_id, r.id, v.unread, v.last, v.read, mine.count
FROM tenant_rooms r
JOIN standings m ON m.room_pk = r.room_pk AND m.tenant_id = r.viewer AND m.state = 'joined'
JOIN tenants t ON t.tenant_id = m.tenant_id
CROSS JOIN LATERAL (SELECT CASE WHEN r.viewer = r.tenant_id THEN m.user_id ELSE m.user_id || '@' || r.viewer END AS name) AS me
JOIN sessions s ON s.account = t.account AND s.user_id = m.user_id AND s.rooms IS NOT NULL AND NOT r.id = ANY (s.rooms)
JOIN room_heads h ON h.room_pk = r.room_pk
LEFT JOIN read_positions p ON p.room_pk = r.room_pk AND p.user_id = m.user_id AND p.tenant_id = m.tenant_id
CROSS JOIN LATERAL (SELECT greatest(r.visible_from, CASE WHEN r.history = 'joined' THEN m.joined_at END) AS at) AS reads
CROSS JOIN LATERAL (SELECT coalesce(p.seq, 0) AS read, h.last_seq AS last,
  greatest(p.n, h.first_n - 1, CASE WHEN reads.at IS NOT NULL THEN (
    SELECT o.n FROM messages o WHERE o.room_pk = r.room_pk AND o.at < reads.at AND o.n IS NOT NULL
    ORDER BY o.at DESC, o.seq DESC LIMIT 1) END) AS n) AS b
CROSS JOIN LATERAL (
  SELECT b.read, b.n, b.last, h.last_n - b.n - CASE WHEN h.last_n > b.n THEN (
    SELECT count(*) FROM messages d WHERE d.room_pk = r.room_pk AND d.n > b.n AND d.deleted_at IS NOT NULL) ELSE 0 END AS unread
) AS v
CROSS JOIN LATERAL (SELECT count(*) FROM (
  SELECT FROM messages x WHERE x.room_pk = r.room_pk AND x.seq > v.read AND x.n > v.n
  AND x.mentions IS NOT NULL AND me.name = ANY (x.mentions) AND x.sender <> me.name LIMIT 100) AS those) AS mine
LEFT JOIN notify_levels l ON l.room_pk = r.room_pk AND l.user_id = m.user_id AND l.tenant_id = m.tenant_id
WHERE r.room_pk = ANY ($1) AND r.state <> 'deleted'
  AND (r.kind IN ('private', 'shared') OR s.restricted AND r.kind IN ('open', 'announce')) AND v.unread > 0
  AND (l.level IS NULL OR l.level = 'mentions' AND mine.count > 0)`

func (h *herald) tell(ctx context.Context, rooms []int64) error {
	ctx, cancel := context.WithTimeout(ctx, h.chat.timing.call)
	defer cancel()
	var some bool
	if err := h.chat.pool.QueryRow(ctx, sqlPartial, rooms).Scan(&some); err != nil || !some {
		return err
	}
	rows, err := h.chat.pool.Query(ctx, sqlUntold, rooms)
	if err != nil {
		return err
	}
	var account string
	var u tenant.UserID
	var n unreadNotice
	_, err = pgx.ForEachRow(rows, []any{&account, &u, &n.Room, &n.Unread, &n.Last, &n.Read, &n.Mentions}, func() error {
		text, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("encode notice: %w", err)
		}
		return h.chat.conn.Publish(subject.PlatformNotice(account, u, "unread"), text)
	})
	return err
}

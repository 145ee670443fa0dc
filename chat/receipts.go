package chat

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// Read receipts are told in rooms of up to maxReceiptMembers members: in larger ones they would cost more than
// the messages, and nobody looks.
const maxReceiptMembers = 100

// receipts gather who read up to where, so that a room tells each member once a second at most.
type receipts struct {
	mu    sync.Mutex
	rooms map[int64]*roomReceipts // by room_pk
}

type roomReceipts struct {
	who  caller // one of those who read: his tenant and account are the room's
	room tenant.RoomID
	read map[tenant.UserID]uint64
}

func (r *receipts) add(who caller, room seenRoom, seq uint64) {
	if room.kind == tenant.Shared {
		return // the members of other tenants are not this one's to tell
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.rooms[room.pk]
	if one == nil {
		one = &roomReceipts{who: who, room: room.id, read: map[tenant.UserID]uint64{}}
		if r.rooms == nil {
			r.rooms = map[int64]*roomReceipts{}
		}
		r.rooms[room.pk] = one
	}
	one.read[who.user] = max(one.read[who.user], seq)
}

func (r *receipts) take() map[int64]*roomReceipts {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.rooms
	r.rooms = nil
	return all
}

// readNotice is live.user.<user>.read: who has read up to where.
type readNotice struct {
	Room tenant.RoomID            `json:"room"`
	Read map[tenant.UserID]uint64 `json:"read"`
}

// tellReceipts tells them at an interval until ctx ends.
func (c *Chat) tellReceipts(ctx context.Context) {
	ticker(ctx, c.timing.coalesce, func() {
		for pk, r := range c.receipts.take() {
			if err := c.tellRoom(ctx, pk, r); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "read receipts were not told", "room", r.room, "error", err)
			}
		}
	})
}

const sqlReceiptMembers = `SELECT user_id FROM members WHERE room_pk = $1 AND tenant_id = $2 AND state = 'joined' LIMIT $3`

func (c *Chat) tellRoom(ctx context.Context, pk int64, r *roomReceipts) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	rows, err := c.pool.Query(ctx, sqlReceiptMembers, pk, r.who.tenant, maxReceiptMembers+1)
	members, err := collect(rows, err, pgx.RowTo[tenant.UserID])
	if err != nil || len(members) > maxReceiptMembers {
		return err
	}
	for _, u := range members {
		if _, own := r.read[u]; own && len(r.read) == 1 {
			continue
		}
		c.notify(r.who.account, u, "read", readNotice{Room: r.room, Read: r.read})
	}
	return nil
}

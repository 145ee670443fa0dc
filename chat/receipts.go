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
	host tenant.TenantID
	read map[tenant.UserID]uint64 // by the names that the room's rows have
}

func (r *receipts) add(who caller, room seenRoom, seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.rooms[room.pk]
	if one == nil {
		one = &roomReceipts{host: room.host, read: map[tenant.UserID]uint64{}}
		if r.rooms == nil {
			r.rooms = map[int64]*roomReceipts{}
		}
		r.rooms[room.pk] = one
	}
	name := room.name(who.user)
	one.read[name] = max(one.read[name], seq)
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
				c.log.WarnContext(ctx, "read receipts were not told", "host", r.host, "error", err)
			}
		}
	})
}

const sqlReceiptMembers = `SELECT t.account, m.tenant_id, m.user_id, v.id
	FROM members m JOIN tenants t USING (tenant_id) JOIN tenant_rooms v ON v.room_pk = m.room_pk AND v.viewer = m.tenant_id
	WHERE m.room_pk = $1 AND m.state = 'joined' LIMIT $2`

// A receiptMember is somebody in a room, who is told what others have read.
type receiptMember struct {
	Account string
	Tenant  tenant.TenantID
	User    tenant.UserID
	Room    tenant.RoomID // as his tenant names it
}

func (c *Chat) tellRoom(ctx context.Context, pk int64, r *roomReceipts) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	rows, err := c.pool.Query(ctx, sqlReceiptMembers, pk, maxReceiptMembers+1)
	members, err := collect(rows, err, pgx.RowToStructByPos[receiptMember])
	if err != nil || len(members) > maxReceiptMembers {
		return err
	}
	for _, m := range members {
		seen := seenRoom{viewer: m.Tenant, host: r.host}
		if _, own := r.read[seen.name(m.User)]; own && len(r.read) == 1 {
			continue
		}
		shown := make(map[tenant.UserID]uint64, len(r.read))
		for name, seq := range r.read {
			shown[seen.shown(name)] = seq
		}
		c.notify(m.Account, m.User, "read", readNotice{Room: m.Room, Read: shown})
	}
	return nil
}

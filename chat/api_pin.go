package chat

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

type pinRequest struct {
	Room string `json:"room"`
	Seq  uint64 `json:"seq"`
	On   *bool  `json:"on"` // absent: true
}

func (c *Chat) opPin(ctx context.Context, who caller, q pinRequest) (any, error) {
	room, m, err := c.message(ctx, who, q.Room, q.Seq)
	if err != nil {
		return nil, err
	}
	return done(c.pin(ctx, who.actor(), who.tenant, room, m, q.On == nil || *q.On))
}

func (c *Chat) pin(ctx context.Context, a tenant.Actor, t tenant.TenantID, room seenRoom, m tenant.Message, on bool) error {
	if on && !m.Deleted.IsZero() {
		return errDeleted
	}
	return c.rooms.Pin(ctx, a, t, room.id, m.Seq, on)
}

type pinsAnswer struct {
	okay
	Messages []tenant.Message `json:"messages"` // last pinned first
}

const sqlPins = `SELECT ` + sqlMessageColumns + ` FROM pins p JOIN messages m USING (room_pk, seq)
	WHERE p.room_pk = $1 AND m.deleted_at IS NULL AND m.at >= coalesce($2, '-infinity'::timestamptz) ORDER BY p.pinned_at DESC, m.seq DESC`

func (c *Chat) opPins(ctx context.Context, who caller, q roomRequest) (any, error) {
	room, err := c.readable(ctx, who.tenant, q.Room, who.user)
	if err != nil {
		return nil, err
	}
	messages, err := c.pins(ctx, room)
	if err != nil {
		return nil, err
	}
	return pinsAnswer{okay: yes, Messages: messages}, nil
}

// Pinned returns the pinned messages of a room, at most 100, last pinned first, for the tenant itself.
func (c *Chat) Pinned(ctx context.Context, t tenant.TenantID, r tenant.RoomID) ([]tenant.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	room, err := c.find(ctx, t, r, "")
	if isNotFound(err) {
		return nil, tenant.NotFound("room")
	}
	if err != nil {
		return nil, fmt.Errorf("find room %s: %w", r, err)
	}
	return c.pins(ctx, room)
}

func (c *Chat) pins(ctx context.Context, room seenRoom) ([]tenant.Message, error) {
	rows, err := c.pool.Query(ctx, sqlPins, room.pk, timeOrNil(room.since))
	return collect(rows, err, func(row pgx.CollectableRow) (tenant.Message, error) {
		m, _, err := scanMessage(row)
		room.show(&m)
		return m, err
	})
}

type reportRequest struct {
	Room   string `json:"room"`
	Seq    uint64 `json:"seq"`
	Reason string `json:"reason"`
}

// opReport shows a message to the moderators of its room.
func (c *Chat) opReport(ctx context.Context, who caller, q reportRequest) (any, error) {
	room, m, err := c.message(ctx, who, q.Room, q.Seq)
	if err != nil {
		return nil, err
	}
	return done(c.rooms.Report(ctx, who.tenant, who.user, tenant.Report{Room: room.id, Seq: m.Seq, Sender: m.Sender, Reason: q.Reason}))
}

package tenant

import (
	"context"
	"time"
)

// A Hold keeps a copy of whatever retention, edits, deletions and erasures take from a room, or from all rooms of a
// tenant where Room is empty, until it is lifted. Users see nothing of it.
type Hold struct {
	Tenant   TenantID  `json:"-"`
	Room     RoomID    `json:"room,omitempty"` // none: the whole tenant
	Reason   string    `json:"reason"`
	PlacedAt time.Time `json:"placed_at"`
}

func (h Hold) object() string {
	if h.Room == "" {
		return "tenant:" + string(h.Tenant)
	}
	return "room:" + string(h.Room)
}

// PlaceHold puts a room, or where r is empty the tenant, on hold. On one that is on hold it changes the reason.
func (s *Service) PlaceHold(ctx context.Context, a Actor, t TenantID, r RoomID, reason string) (Hold, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return Hold{}, err
	}
	f := faults{}
	f.check(reason != "", "reason", "must not be empty: whoever finds the hold wants to know whom to ask")
	checkText(f, "reason", reason)
	if err := f.err(); err != nil {
		return Hold{}, err
	}
	h := Hold{Tenant: t, Room: r, Reason: reason, PlacedAt: s.clock()}
	err := s.write(ctx, a, t, func(tx Tx, _ Tenant) error {
		if r != "" {
			if _, err := tx.RoomRow(ctx, t, r); err != nil { // a deleted room's messages can be held too
				return err
			}
		}
		if err := tx.PutHold(ctx, h); err != nil {
			return err
		}
		return audit(ctx, tx, a, h.PlacedAt, t, "hold.place", h.object(), nil, h)
	})
	return h, err
}

// LiftHold ends a hold. The copies that no other hold covers are removed for good.
func (s *Service) LiftHold(ctx context.Context, a Actor, t TenantID, r RoomID) error {
	now := s.clock()
	return s.write(ctx, a, t, func(tx Tx, _ Tenant) error {
		h := Hold{Tenant: t, Room: r}
		if err := tx.DeleteHold(ctx, t, r); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, DropHeld{t}, time.Time{}); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "hold.lift", h.object(), nil, nil)
	})
}

// Holds lists what is on hold, the tenant first.
func (s *Service) Holds(ctx context.Context, a Actor, t TenantID) ([]Hold, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return nil, err
	}
	return s.store.Holds(ctx, t)
}

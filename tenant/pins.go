package tenant

import "context"

// maxPins is how many messages of a room are pinned at most.
const maxPins = 100

// Pin pins a message of a room, or takes the pin away. The caller knows that the message exists.
func (s *Service) Pin(ctx context.Context, a Actor, t TenantID, r RoomID, seq uint64, on bool) error {
	now := s.clock()
	return s.inRoom(ctx, a, t, r, powerModerate, func(tx Tx, _ Tenant, room Room, by footing) error {
		if room.Host != "" {
			return Errorf(CodeForbidden, "the room is %s's, who pins in it", room.Host)
		}
		pins, err := tx.CountPins(ctx, t, r)
		if err != nil {
			return err
		}
		if on && pins >= maxPins {
			return Errorf(CodeLimitReached, "the room has %d pinned messages, which is the most; take one away first", pins)
		}
		changed, err := tx.SetPin(ctx, t, r, seq, by.user, now, on)
		if err != nil || !changed {
			return err
		}
		if err := tx.Announce(ctx, t, r, Event{Event: EventPinned, By: string(by.user), Seq: seq, On: &on}); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "message.pin", "room:"+string(r), nil, pinEntry{seq, on})
	})
}

// pinEntry is what the audit trail tells of a pin.
type pinEntry struct {
	Seq uint64 `json:"seq"`
	On  bool   `json:"on"`
}

// NoteDeletion writes into the audit trail that a message of a room is deleted for the tenant itself. Whoever calls
// it deletes the message next: what is noted and not done is seen in the room, what is done and not noted nowhere.
func (s *Service) NoteDeletion(ctx context.Context, a Actor, t TenantID, r RoomID, seq uint64) error {
	return s.inRoom(ctx, a, t, r, powerModerate, func(tx Tx, _ Tenant, _ Room, _ footing) error {
		return audit(ctx, tx, a, s.clock(), t, "message.delete", "room:"+string(r), nil, deletionEntry{seq})
	})
}

// deletionEntry is what the audit trail tells of a deleted message.
type deletionEntry struct {
	Seq uint64 `json:"seq"`
}

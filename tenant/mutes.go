package tenant

import (
	"context"
	"errors"
	"time"
)

// A Mute keeps a user from posting for a while, and from nothing else: he reads, signals and
// calls the API as before, and his connections stay open (DESIGN.md section 4).
//
// Whoever mutes writes it with mute and ends it with unmute, in a transaction of his own, and
// after the commit calls Accounts.Push, from which on the servers refuse the posts. Account
// claims map away the posts of the newest mutes; the projector refuses what the others still
// store, and the service what comes over HTTP.
type Mute struct {
	Tenant TenantID   `json:"-"`
	Room   RoomID     `json:"-"` // empty: in all rooms
	User   UserID     `json:"user"`
	Why    MuteReason `json:"why"`
	Since  time.Time  `json:"since"`          // of messages that no longer count
	Until  time.Time  `json:"until,omitzero"` // zero: until it is lifted
	Reason string     `json:"reason,omitempty"`
}

// MuteReason is what the muted user is told: in the name of the subject that his posts are
// mapped to, and as the code of a `refused` notice.
type MuteReason string

// The reasons.
const (
	Muted    MuteReason = "muted"     // by a moderator
	OverRate MuteReason = "over_rate" // he posted faster than his tenant allows
)

// mute puts a mute in the place of an older one of the same user and room.
func (s *Service) mute(ctx context.Context, tx Tx, m Mute) error {
	if err := tx.PutMute(ctx, m); err != nil {
		return err
	}
	if err := tx.Enqueue(ctx, PushClaims{m.Tenant}, time.Time{}); err != nil {
		return err
	}
	if m.Until.IsZero() {
		return nil
	}
	return tx.Enqueue(ctx, EndMutes{m.Tenant}, m.Until)
}

// unmute lifts a mute; ErrNotFound where there is none.
func (s *Service) unmute(ctx context.Context, tx Tx, t TenantID, r RoomID, u UserID) error {
	if err := tx.DeleteMute(ctx, t, r, u); err != nil {
		return err
	}
	return tx.Enqueue(ctx, PushClaims{t}, time.Time{})
}

// EndMutes takes away the mutes of a tenant whose time is over.
func (s *Service) EndMutes(ctx context.Context, j EndMutes) error {
	var ended int64
	err := s.store.Write(ctx, j.Tenant, func(tx Tx, _ Tenant) (err error) {
		if ended, err = tx.DeleteEndedMutes(ctx, j.Tenant); err != nil || ended == 0 {
			return err
		}
		return tx.Enqueue(ctx, PushClaims(j), time.Time{})
	})
	if errors.Is(err, ErrNotFound) || err == nil && ended == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return s.accounts.Push(ctx, j.Tenant)
}

const (
	// FloodMute is how long a user who posts too fast is muted.
	FloodMute = 10 * time.Second
	// muteBites is when the claims have reached every server: what was stored until then was
	// delivered too, and counts.
	muteBites = time.Second
)

// NoticeRefused tells a user that a post of his was stored and does not count, or, with
// Until, that none counts until then.
type NoticeRefused struct {
	Room  RoomID     `json:"room"`
	Seq   uint64     `json:"seq"`
	Code  string     `json:"code"`
	Until *time.Time `json:"until,omitempty"`
}

// MuteFlooder mutes a user in all rooms because he posts faster than his tenant allows, and
// tells him once. Room and seq name the post that was too much.
func (s *Service) MuteFlooder(ctx context.Context, t TenantID, u UserID, r RoomID, seq uint64) error {
	now := s.clock()
	m := Mute{Tenant: t, User: u, Why: OverRate, Since: now.Add(muteBites), Until: now.Add(FloodMute)}
	var account string
	err := s.store.Write(ctx, t, func(tx Tx, row Tenant) error {
		account = row.Account
		if err := s.mute(ctx, tx, m); err != nil {
			return err
		}
		return audit(ctx, tx, platform, now, t, "user.mute", "user:"+string(u), nil, muteEntry{m.Why, m.Until})
	})
	if err != nil {
		return err
	}
	pushed := s.accounts.Push(ctx, t)
	told := s.accounts.Notify(ctx, account, u, "refused", NoticeRefused{Room: r, Seq: seq, Code: string(m.Why), Until: &m.Until})
	return errors.Join(pushed, told)
}

// muteEntry is what the audit trail tells of a mute.
type muteEntry struct {
	Why   MuteReason `json:"why"`
	Until time.Time  `json:"until"`
}

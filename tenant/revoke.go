package tenant

import (
	"context"
	"errors"
	"slices"
	"time"
)

// A Revocation tells what the first sweep did.
type Revocation struct {
	Disconnected int
	Took         time.Duration
}

// NoticeRevoked is sent to a user before his connections are closed.
type NoticeRevoked struct {
	Reason string `json:"reason"`
}

// RevokeUser keeps a user out from the commit on, and closes what he has open.
// Revoking again sweeps again.
func (s *Service) RevokeUser(ctx context.Context, a Actor, t TenantID, u UserID, reason string) (Revocation, error) {
	f := faults{}
	if err := a.Allow(ScopeModerate, t); err != nil {
		return Revocation{}, err
	}
	checkText(f, "reason", reason)
	if err := f.err(); err != nil {
		return Revocation{}, err
	}
	begun, now := s.now(), s.clock()
	var account string
	var after User
	err := s.writeWith(ctx, a, ScopeModerate, t, func(tx Tx, row Tenant) error {
		account = row.Account
		before, err := activeUser(ctx, tx, t, u)
		if err != nil {
			return err
		}
		after = before
		after.Status, after.Reason = UserRevoked, reason
		if err := s.sweepLater(ctx, tx, SweepUser{t, u}, now); err != nil {
			return err
		}
		if err := claimStatus(ctx, tx, after); err != nil {
			return err
		}
		return s.putUser(ctx, tx, a, now, "user.revoke", before, after)
	})
	if err != nil {
		return Revocation{}, err
	}
	closed, err := s.throwOut(ctx, account, after, reason)
	if err != nil {
		return Revocation{}, later("the user is revoked and can't connect again", err)
	}
	return Revocation{Disconnected: closed, Took: s.now().Sub(begun)}, nil
}

// direct reports whether the servers may let a user in by themselves: one with service credentials, or
// with an nkey for which his tenant can sign.
func (u User) direct() bool { return u.Kind == Backend || u.NKey != "" }

// claimStatus enqueues what tells the servers of the status of a user whom they let in by
// themselves; all others meet the callout.
func claimStatus(ctx context.Context, tx Tx, u User) error {
	if !u.direct() {
		return nil
	}
	return tx.Enqueue(ctx, PushClaims{u.Tenant}, time.Time{})
}

// pushStatus does at once what claimStatus enqueued.
func (s *Service) pushStatus(ctx context.Context, u User) error {
	if !u.direct() {
		return nil
	}
	return s.accounts.Push(ctx, u.Tenant)
}

// throwOut tells a user why and closes his connections. That the notice got lost is no reason to let him stay.
func (s *Service) throwOut(ctx context.Context, account string, u User, reason string) (int, error) {
	told := s.accounts.Notify(ctx, account, u.ID, "revoked", NoticeRevoked{reason})
	pushed := s.pushStatus(ctx, u)
	closed, err := s.accounts.Kick(ctx, account, u.ID, time.Time{})
	if err = errors.Join(pushed, err); err != nil {
		err = errors.Join(err, told)
	}
	return closed, err
}

// RestoreUser undoes RevokeUser: what was issued to the user works again.
func (s *Service) RestoreUser(ctx context.Context, a Actor, t TenantID, u UserID) (User, error) {
	now := s.clock()
	var account string
	var after User
	err := s.writeWith(ctx, a, ScopeModerate, t, func(tx Tx, row Tenant) error {
		account = row.Account
		before, err := activeUser(ctx, tx, t, u)
		if err != nil {
			return err
		}
		after = before
		after.Status, after.Reason = UserActive, ""
		if err := claimStatus(ctx, tx, after); err != nil {
			return err
		}
		return s.putUser(ctx, tx, a, now, "user.restore", before, after)
	})
	if err != nil {
		return User{}, err
	}
	s.accounts.Admit(account, u)
	if err := s.pushStatus(ctx, after); err != nil {
		return User{}, later("the user is restored", err)
	}
	return after, nil
}

// DeleteUser removes a user: his memberships and credentials go, his messages stay.
func (s *Service) DeleteUser(ctx context.Context, a Actor, t TenantID, u UserID) error {
	now := s.clock()
	var account string
	var before User
	err := s.write(ctx, a, t, func(tx Tx, row Tenant) error {
		account = row.Account
		var err error
		if before, err = activeUser(ctx, tx, t, u); err != nil {
			return err
		}
		if err := claimStatus(ctx, tx, before); err != nil {
			return err
		}
		if err := s.passOnAll(ctx, tx, a, before); err != nil {
			return err
		}
		if err := tx.DeleteUser(ctx, t, u); err != nil {
			return err
		}
		if err := s.sweepLater(ctx, tx, SweepUser{t, u}, now); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "user.delete", "user:"+string(u), before, nil)
	})
	if err != nil {
		return err
	}
	if _, err := s.throwOut(ctx, account, before, "the user was deleted"); err != nil {
		return later("the user is deleted", err)
	}
	return nil
}

// SweepUser closes what is still open of a user who isn't active.
func (s *Service) SweepUser(ctx context.Context, j SweepUser) error {
	t, err := s.store.Tenant(ctx, j.Tenant)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	u, err := s.store.User(ctx, j.Tenant, j.User)
	if err == nil && u.Status == UserActive {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	u.Tenant, u.ID = j.Tenant, j.User // of a deleted one nothing is known
	_, err = s.throwOut(ctx, t.Account, u, u.Reason)
	return err
}

// NoticeRights tells a user that he has more rights than his connection carries: reconnect.
type NoticeRights struct {
	Rooms []RoomID `json:"rooms"`
}

// NoticeRemoved tells a user that he lost rights in a room; his connections are closed behind it, and may come back.
type NoticeRemoved struct {
	Room   RoomID `json:"room"`
	By     UserID `json:"by,omitempty"` // empty: the tenant itself
	Reason string `json:"reason,omitempty"`
}

// commitTime is how long after its last statement a change may become visible: a connection
// that began before that may have been decided on the old rows.
const commitTime = 20 * time.Millisecond

// change compares rights before and after, and enqueues what open connections need.
// It returns nil where the connections carry the right rights already.
func (s *Service) change(ctx context.Context, tx Tx, c standing, after *Membership, reason string) (*RefreshUser, error) {
	was, is := RightsOf(c.room.Kind, c.before), RightsOf(c.room.Kind, after)
	was.Moderate, was.Own = is.Moderate, is.Own // no connection carries these: the service asks each time
	if was == is {
		return nil, nil
	}
	at := s.clock().Add(commitTime)
	lost := was.Read && !is.Read || was.Post && !is.Post || was.Signal && !is.Signal
	j := RefreshUser{Tenant: c.room.Tenant, User: c.user.ID, Change: Change{Room: c.room.ID, Lost: lost, By: c.by.user, Reason: reason, At: at}}
	return &j, s.sweepLater(ctx, tx, j, at)
}

// RefreshUser looks whether a user still has connections from before a change of his rights,
// which came in late or did not listen.
func (s *Service) RefreshUser(ctx context.Context, j RefreshUser) error {
	t, err := s.store.Tenant(ctx, j.Tenant)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	open, err := s.accounts.Connections(ctx, t.Account, j.User)
	if err != nil {
		return err
	}
	older := func(c Connection) bool { return c.Since.Before(j.Change.At) }
	if !slices.ContainsFunc(open, older) {
		return nil
	}
	if err := s.refresh(ctx, t.Account, j); err != nil {
		return err
	}
	carried := slices.ContainsFunc(open, func(c Connection) bool { return !older(c) })
	if j.Change.Lost || carried || j.Told == maxReminders {
		return nil
	}
	return s.tellAgain(ctx, j)
}

const (
	// maxReminders is how often a user is told again of rights that none of his connections carries.
	maxReminders = 4
	// reminderFactor is how much longer each wait is than the one before: of 3 s, the last is some minutes.
	reminderFactor = 4
)

// tellAgain repeats a notice of rights later, for clients that missed it.
func (s *Service) tellAgain(ctx context.Context, j RefreshUser) error {
	wait := s.sweepAfter
	for range j.Told {
		wait *= reminderFactor
	}
	j.Told++
	err := s.store.Write(ctx, j.Tenant, func(tx Tx, _ Tenant) error { return tx.Enqueue(ctx, j, s.clock().Add(wait)) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// refresh makes a user's open connections carry his rights: gained ones by a notice to
// reconnect, lost ones by closing what was opened before the change.
func (s *Service) refresh(ctx context.Context, account string, j RefreshUser) error {
	if !j.Change.Lost {
		return s.accounts.Notify(ctx, account, j.User, "rights", NoticeRights{[]RoomID{j.Change.Room}})
	}
	told := s.accounts.Notify(ctx, account, j.User, "removed", NoticeRemoved{Room: j.Change.Room, By: j.Change.By, Reason: j.Change.Reason})
	if _, err := s.accounts.Kick(ctx, account, j.User, j.Change.At); err != nil {
		return errors.Join(err, told)
	}
	return nil
}

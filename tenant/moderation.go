package tenant

import (
	"context"
	"errors"
	"time"
)

// A Term is how long something lasts: until a time, for so many seconds, or, where both are zero, for good.
type Term struct {
	Until   time.Time
	Seconds int64
}

// maxTerm bounds a term: what is longer is for good.
const maxTerm = 10 * 365 * 24 * time.Hour

// end is when a term that begins now is over; zero: never.
func (e Term) end(now time.Time) (time.Time, error) {
	switch {
	case !e.Until.IsZero() && e.Seconds != 0:
		return time.Time{}, Invalid("seconds", "must not be given beside until")
	case e.Seconds < 0 || e.Seconds > int64(maxTerm/time.Second):
		return time.Time{}, Invalid("seconds", "must be 1 to 315360000; leave it out for good")
	case e.Seconds > 0:
		return now.Add(time.Duration(e.Seconds) * time.Second), nil
	case !e.Until.IsZero() && (!e.Until.After(now) || e.Until.Sub(now) > maxTerm):
		return time.Time{}, Invalid("until", "must be a time to come, within ten years; leave it out for good")
	}
	return e.Until.UTC().Truncate(time.Microsecond), nil
}

// SetRole gives a member of a room another role.
func (s *Service) SetRole(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, role string) (Member, error) {
	parsed, err := ParseRole(role)
	if err != nil {
		return Member{}, err
	}
	return s.changeMember(ctx, a, t, r, u, memberChange{action: "member.role", by: powerOwn}, func(c standing) (*Member, error) {
		if c.before == nil || c.before.State != Joined {
			return nil, NotFound("member")
		}
		if c.before.Role == parsed {
			return nil, errNoChange
		}
		return c.joined(parsed)
	})
}

// Invite lets a user into a room: he accepts by joining it. An invitation with an end is void after it.
func (s *Service) Invite(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, role string, term Term) (Member, error) {
	parsed, err := ParseRole(role)
	if err != nil {
		return Member{}, err
	}
	return s.changeMember(ctx, a, t, r, u, memberChange{action: "member.invite", event: EventInvited, by: powerModerate}, func(c standing) (*Member, error) {
		if c.before != nil && c.before.State == Banned {
			return nil, Errorf(CodeConflict, "%s is banned from this room; end the ban first", u)
		}
		until, err := term.end(c.now)
		switch {
		case err != nil:
			return nil, err
		case c.before != nil && c.before.State == Joined:
			return nil, errNoChange
		}
		if err = c.by.above(parsed); err != nil {
			return nil, err
		}
		m, err := c.joined(parsed)
		if err != nil {
			return nil, err
		}
		m.State, m.Until = Invited, until
		return m, nil
	})
}

// Ban keeps a user out of a room, whatever he was in it, for a term.
func (s *Service) Ban(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, term Term, reason string) (Member, error) {
	return s.changeMember(ctx, a, t, r, u, memberChange{action: "member.ban", event: EventBanned, by: powerModerate, reason: reason, foreign: true}, func(c standing) (*Member, error) {
		if err := c.mayTouch(); err != nil {
			return nil, err
		}
		m := &Member{Room: c.room.ID, User: c.user.ID, Name: c.user.Name, Role: RoleReader, State: Banned, JoinedAt: c.now, Reason: reason}
		var err error
		m.Until, err = term.end(c.now)
		return m, err
	})
}

// Unban ends a ban. The user is a stranger then, and may join where strangers may.
func (s *Service) Unban(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID) error {
	_, err := s.changeMember(ctx, a, t, r, u, memberChange{action: "member.unban", event: EventBanned, by: powerModerate, foreign: true}, func(c standing) (*Member, error) {
		if c.before == nil || c.before.State != Banned {
			return nil, NotFound("ban")
		}
		return nil, nil
	})
	return err
}

// Mute lets a user post nothing in a room for a term; he still reads.
func (s *Service) Mute(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, term Term, reason string) (Mute, error) {
	f := faults{}
	checkText(f, "reason", reason)
	if err := f.err(); err != nil {
		return Mute{}, err
	}
	m := Mute{Tenant: t, Room: r, User: u, Why: Muted, Since: s.clock(), Reason: reason}
	var err error
	if m.Until, err = term.end(m.Since); err != nil {
		return Mute{}, err
	}
	return m, s.changeMute(ctx, a, t, r, u, "member.mute", m, func(tx Tx, c standing) error {
		if err := c.mayTouch(); err != nil {
			return err
		}
		return s.mute(ctx, tx, m)
	})
}

// Unmute lets a user post again who was muted in a room.
func (s *Service) Unmute(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID) error {
	return s.changeMute(ctx, a, t, r, u, "member.unmute", nil, func(tx Tx, _ standing) error {
		err := s.unmute(ctx, tx, t, r, u)
		if errors.Is(err, ErrNotFound) {
			return NotFound("mute")
		}
		return err
	})
}

func (s *Service) changeMute(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, action string, after any, change func(Tx, standing) error) error {
	if _, of, foreign := splitGuest(u); foreign {
		return Errorf(CodeForbidden, "%s mutes its users; you may remove or ban them", of)
	}
	now := s.clock()
	err := s.inRoom(ctx, a, t, r, powerModerate, func(tx Tx, _ Tenant, room Room, by footing) (err error) {
		c := standing{room: room, by: by, now: now}
		if c.user, err = activeUser(ctx, tx, t, u); err != nil {
			return err
		}
		if c.before, err = membershipOf(ctx, tx, room, u); err != nil {
			return err
		}
		if room.Kind == Direct {
			return Errorf(CodeForbidden, "nobody is muted in a direct room; users block each other")
		}
		if err := change(tx, c); err != nil {
			return err
		}
		e := Event{Event: EventMuted, By: string(by.user), User: u, On: new(after != nil)}
		if m, ok := after.(Mute); ok {
			e.Until, e.Reason = m.Until, m.Reason
		}
		if err := announce(ctx, tx, room, e, false); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, action, c.object(), nil, after)
	})
	if err != nil {
		return err
	}
	if err := s.accounts.Push(ctx, t); err != nil { // the claims close his posting subject
		return later("the change is kept", err)
	}
	return nil
}

// Mutes lists who is muted in a room by user id.
func (s *Service) Mutes(ctx context.Context, a Actor, t TenantID, r RoomID, p Page) ([]Mute, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	if _, err := s.store.Room(ctx, t, r); err != nil {
		return nil, err
	}
	return s.store.Mutes(ctx, t, r, p)
}

// EndStanding tidies away a ban or an invitation that has ended: nobody counts it any more, but the
// user's open connections may lack what he has again.
func (s *Service) EndStanding(ctx context.Context, j EndStanding) error {
	var account string
	var refresh *RefreshUser
	err := s.store.Write(ctx, j.Tenant, func(tx Tx, row Tenant) error {
		account, refresh = row.Account, nil
		room, err := liveRoom(ctx, tx, j.Tenant, j.Room)
		if err != nil {
			return err
		}
		ended, err := tx.EndMember(ctx, j.Tenant, j.Room, j.User, j.Until)
		if err != nil {
			return err
		}
		c := standing{room: room, user: User{Tenant: j.Tenant, ID: j.User}, before: &ended, by: footing{admin: true}, now: s.clock()}
		if refresh, err = s.change(ctx, tx, c, nil, ""); err != nil {
			return err
		}
		if ended.State == Banned {
			e := Event{Event: EventBanned, User: j.User, On: new(false)}
			if err := announce(ctx, tx, room, e, false); err != nil {
				return err
			}
		}
		return audit(ctx, tx, platform, c.now, j.Tenant, "member.end", c.object(), ended, nil)
	})
	if errors.Is(err, ErrNotFound) { // ended by somebody, or given another end
		return nil
	}
	if err == nil && refresh != nil {
		err = s.refresh(ctx, account, *refresh)
	}
	return err
}

// NoticeInvited tells a user that he may join a room.
type NoticeInvited struct {
	Room RoomID `json:"room"`
	By   UserID `json:"by,omitempty"` // empty: the tenant itself
}

// NotifyUser tells a user something.
func (s *Service) NotifyUser(ctx context.Context, j NotifyUser) error {
	t, err := s.store.Tenant(ctx, j.Tenant)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.accounts.Notify(ctx, t.Account, j.User, j.What, j.Notice)
}

// tellLater enqueues a notice to a user.
func tellLater(ctx context.Context, tx Tx, t TenantID, u UserID, what string, notice any) error {
	body, err := encode(notice)
	if err != nil {
		return err
	}
	return tx.Enqueue(ctx, NotifyUser{t, u, what, body}, time.Time{})
}

package tenant

import (
	"context"
	"errors"
	"time"
)

// Members lists the members of a room by user id.
func (s *Service) Members(ctx context.Context, a Actor, t TenantID, r RoomID, p Page) ([]Member, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	if _, err := s.store.Room(ctx, t, r); err != nil {
		return nil, err
	}
	return s.store.Members(ctx, t, r, p)
}

// PutMember makes a user a member of a room, or gives a member another role. The tenant alone may:
// users invite each other, and name roles with SetRole.
func (s *Service) PutMember(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, role string) (Member, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return Member{}, err
	}
	parsed, err := ParseRole(role)
	if err != nil {
		return Member{}, err
	}
	return s.changeMember(ctx, a, t, r, u, memberChange{action: "member.put", by: powerOwn}, func(c standing) (*Member, error) {
		if c.before != nil && c.before.State == Banned {
			return nil, Errorf(CodeConflict, "%s is banned from this room; end the ban first", u)
		}
		return c.joined(parsed)
	})
}

// RemoveMember takes a user out of a room, or an invitation back. In a room that is open to all he
// may still read: a ban keeps him out.
func (s *Service) RemoveMember(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, reason string) error {
	_, err := s.changeMember(ctx, a, t, r, u, memberChange{action: "member.remove", event: EventRemoved, by: powerModerate, reason: reason, foreign: true}, func(c standing) (*Member, error) {
		if c.before == nil || c.before.State == Banned {
			return nil, NotFound("member")
		}
		return nil, c.mayTouch()
	})
	return err
}

// Join makes a user a member of an open or announce room, or accepts an invitation. Joining again changes nothing.
func (s *Service) Join(ctx context.Context, t TenantID, u UserID, r RoomID) (Room, error) {
	var room Room
	_, err := s.changeMember(ctx, AsUser(t, u), t, r, u, memberChange{action: "member.join", by: powerSelf}, func(c standing) (*Member, error) {
		room = c.room
		switch {
		case c.before != nil && c.before.State == Banned:
			return nil, errBanned
		case c.before != nil && c.before.State == Joined:
			return nil, errNoChange
		case c.before != nil: // invited
			return c.joined(c.before.Role)
		case room.Kind == Announce:
			return c.joined(RoleReader)
		case room.Kind != Open:
			return nil, NotFound("room")
		}
		return c.joined(RoleMember)
	})
	return room, err
}

// Leave takes a user out of a room of his. A direct room can't be left, and the last owner can't leave.
func (s *Service) Leave(ctx context.Context, t TenantID, u UserID, r RoomID) error {
	_, err := s.changeMember(ctx, AsUser(t, u), t, r, u, memberChange{action: "member.leave", event: EventLeft, by: powerSelf}, func(c standing) (*Member, error) {
		switch {
		case c.before != nil && c.before.State == Banned:
			return nil, errBanned
		case c.before == nil && (c.room.Kind == Open || c.room.Kind == Announce):
			return nil, errNoChange
		case c.before == nil:
			return nil, NotFound("room")
		}
		return nil, nil
	})
	return err
}

var errBanned = Errorf(CodeForbidden, "you are banned from this room; ask a moderator")

// errNoChange ends a change that would change nothing, without an error for the caller.
var errNoChange = errors.New("no change")

// A standing is what a user is in a room when somebody changes it.
type standing struct {
	room   Room
	user   User
	before *Membership // nil: a stranger
	by     footing
	now    time.Time
	// foreign: he is of another tenant, and the host of the room changes what he is there.
	foreign bool
}

// joined is the user as a member in a role.
func (c standing) joined(role Role) (*Member, error) {
	if role == RolePoster && c.room.Kind != Announce {
		return nil, Invalid("role", "poster is a role of announce rooms; in others members post")
	}
	m := &Member{Room: c.room.ID, User: c.user.ID, Name: c.user.Name, Role: role, State: Joined, JoinedAt: c.now}
	if c.before != nil && c.before.State == Joined {
		m.JoinedAt = c.before.JoinedAt
	}
	return m, nil
}

// mayTouch refuses a user who would moderate himself, or somebody who stands as high.
func (c standing) mayTouch() error {
	if !c.by.admin && c.by.user == c.user.ID {
		return Invalid("user", "nobody can do this to themselves")
	}
	if c.before == nil || c.before.State != Joined {
		return nil
	}
	return c.by.above(c.before.Role)
}

// A memberChange is a kind of change of a member: how the audit trail and the room tell it, who may
// make it, and what he says.
type memberChange struct {
	action string
	event  EventName // "": joined, or role where the user was in before
	by     power
	reason string
	// foreign: the host of a shared room may make it of other tenants' users, too.
	foreign bool
}

// tell is the event of a change that makes a user what after says (nil: a stranger).
func (ch memberChange) tell(c standing, after *Member) Event {
	e := Event{Event: ch.event, By: string(c.by.user), User: c.user.ID, Reason: ch.reason}
	switch {
	case e.Event == EventBanned:
		e.On = new(after != nil)
	case e.Event == "" && c.before != nil && c.before.State == Joined:
		e.Event, e.Role = EventRole, after.Role
	case e.Event == "":
		e.Event, e.Role = EventJoined, after.Role
	}
	if after != nil {
		e.Until = after.Until
	}
	return e
}

// changeMember replaces the standing of a user by what decide returns (nil: none), and
// brings his open connections in line.
func (s *Service) changeMember(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, ch memberChange,
	decide func(standing) (*Member, error),
) (Member, error) {
	f := faults{}
	checkText(f, "reason", ch.reason)
	if err := f.err(); err != nil {
		return Member{}, err
	}
	c := standing{now: s.clock()}
	var account string
	user, of, foreign := splitGuest(u)
	if foreign && !ch.foreign {
		return Member{}, Errorf(CodeForbidden, "%s decides who of its users is in the room, and as what", of)
	}
	var after *Member
	var refresh *RefreshUser
	err := s.inRoom(ctx, a, t, r, ch.by, func(tx Tx, row Tenant, room Room, by footing) (err error) {
		account, after, refresh = row.Account, nil, nil
		if foreign {
			if room, err = guestView(ctx, tx, room, of); err != nil {
				return err
			}
		}
		c.room, c.by, c.foreign = room, by, foreign
		if c.user, err = activeUser(ctx, tx, room.Tenant, user); err != nil {
			return err
		}
		if c.before, err = membershipOf(ctx, tx, room, user); err != nil {
			return err
		}
		if c.before != nil && c.before.State == Banned && c.before.ByHost && !foreign {
			return Errorf(CodeForbidden, "%s bans %s from its room; ask there", room.Host, user)
		}
		if after, err = decide(c); err != nil {
			return err
		}
		if room.Kind == Direct {
			return Errorf(CodeForbidden, "the members of a direct room are its two users")
		}
		if after != nil {
			after.ByHost = foreign
		}
		if refresh, err = s.putStanding(ctx, tx, a, c, after, ch); err != nil {
			return err
		}
		if foreign {
			if err = audit(ctx, tx, a, c.now, t, ch.action, memberObject(r, u), orNil(c.before), orNil(after)); err != nil {
				return err
			}
		}
		if refresh != nil && refresh.Change.Lost && by.user == u {
			// Closing his connections now would close them on the answer: a job does it.
			err, refresh = tx.Enqueue(ctx, *refresh, time.Time{}), nil
		}
		return err
	})
	if errors.Is(err, errNoChange) {
		return Member{}, nil
	}
	if err != nil {
		return Member{}, err
	}
	if refresh != nil && foreign {
		err = s.RefreshUser(ctx, *refresh)
	} else if refresh != nil {
		err = s.refresh(ctx, account, *refresh)
	}
	if err != nil {
		return Member{}, later("the change is kept", err)
	}
	if after == nil {
		return Member{}, nil
	}
	return *after, nil
}

// putStanding writes what a user is in a room from now on, keeps the room from losing its last owner, and
// says what his open connections need.
func (s *Service) putStanding(ctx context.Context, tx Tx, a Actor, c standing, after *Member, ch memberChange) (*RefreshUser, error) {
	if err := s.keepOwner(ctx, tx, a, c, after); err != nil {
		return nil, err
	}
	var is *Membership
	if after == nil {
		if err := tx.DeleteMember(ctx, c.room.Tenant, c.room.ID, c.user.ID); err != nil {
			return nil, err
		}
	} else {
		is = &Membership{Room: c.room.ID, Address: c.room.Address, Kind: c.room.Kind, Class: c.room.Class, Role: after.Role, State: after.State, JoinedAt: after.JoinedAt}
		if err := tx.PutMember(ctx, c.room.Tenant, *after); err != nil {
			return nil, err
		}
		if err := s.follow(ctx, tx, c, *after); err != nil {
			return nil, err
		}
	}
	if e := ch.tell(c, after); e.Event != EventJoined || !c.by.admin {
		// Whom the tenant puts into its rooms is its own bookkeeping: thousands at once, maybe.
		if err := announce(ctx, tx, c.room, e, c.foreign); err != nil {
			return nil, err
		}
	}
	if was, is := isBanned(c.before), after != nil && after.State == Banned; was != is && c.user.NKey != "" {
		if err := tx.Enqueue(ctx, PushClaims{c.room.Tenant}, time.Time{}); err != nil { // they hold him back where no callout does
			return nil, err
		}
	}
	refresh, err := s.change(ctx, tx, c, is, ch.reason)
	if err != nil {
		return nil, err
	}
	return refresh, audit(ctx, tx, a, c.now, c.room.Tenant, ch.action, c.object(), orNil(c.before), orNil(after))
}

func isBanned(m *Membership) bool { return m != nil && m.State == Banned }

// follow enqueues what a new standing brings about: the end of what ends, and the word to who is invited.
func (s *Service) follow(ctx context.Context, tx Tx, c standing, m Member) error {
	if !m.Until.IsZero() {
		if err := tx.Enqueue(ctx, EndStanding{c.room.Tenant, m.Room, m.User, m.Until}, m.Until); err != nil {
			return err
		}
	}
	if m.State != Invited {
		return nil
	}
	if blocked, err := tx.Blocked(ctx, c.room.Tenant, m.User, c.by.user); err != nil || blocked {
		return err // he wants to hear nothing of the one who invites him
	}
	return tellLater(ctx, tx, c.room.Tenant, m.User, "invited", NoticeInvited{m.Room, c.by.user})
}

// object names the standing in the audit trail.
func (c standing) object() string { return memberObject(c.room.ID, c.user.ID) }

func memberObject(r RoomID, u UserID) string { return "member:" + string(r) + "/" + string(u) }

// orNil keeps a nil pointer from becoming a JSON null in the audit trail.
func orNil[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

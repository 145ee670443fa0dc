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

// PutMember makes a user a member of a room, or gives a member another role.
func (s *Service) PutMember(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID, role string) (Member, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return Member{}, err
	}
	parsed, err := ParseRole(role)
	if err != nil {
		return Member{}, err
	}
	m := Member{Room: r, User: u, Role: parsed, State: Joined, JoinedAt: s.clock()}
	err = s.changeMember(ctx, a, t, r, u, func(tx Tx, room Room, user User, before *Membership) (*Member, error) {
		if parsed == RolePoster && room.Kind != Announce {
			return nil, Invalid("role", "poster is a role of announce rooms; in others members post")
		}
		m.Name = user.Name
		return &m, nil
	})
	return m, err
}

// RemoveMember takes a user out of a room; a ban ends with it.
func (s *Service) RemoveMember(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID) error {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return err
	}
	return s.changeMember(ctx, a, t, r, u, func(_ Tx, _ Room, _ User, before *Membership) (*Member, error) {
		if before == nil {
			return nil, NotFound("member")
		}
		return nil, nil
	})
}

// Join makes a user a member of an open or announce room, or accepts an invitation. Joining again changes nothing.
func (s *Service) Join(ctx context.Context, t TenantID, u UserID, r RoomID) (Room, error) {
	var joined Room
	err := s.changeMember(ctx, AsUser(t, u), t, r, u, func(_ Tx, room Room, user User, before *Membership) (*Member, error) {
		joined = room
		m := &Member{Room: r, User: u, Name: user.Name, Role: RoleMember, State: Joined, JoinedAt: s.clock()}
		switch {
		case before != nil && before.State == Banned:
			return nil, Errorf(CodeForbidden, "you are banned from this room; ask a moderator")
		case before != nil && before.State == Joined:
			return nil, errNoChange
		case before != nil: // invited
			m.Role = before.Role
		case room.Kind == Announce:
			m.Role = RoleReader
		case room.Kind != Open:
			return nil, NotFound("room")
		}
		return m, nil
	})
	return joined, err
}

// Leave takes a user out of a room of his. A direct room can't be left.
func (s *Service) Leave(ctx context.Context, t TenantID, u UserID, r RoomID) error {
	return s.changeMember(ctx, AsUser(t, u), t, r, u, func(_ Tx, room Room, _ User, before *Membership) (*Member, error) {
		switch {
		case before != nil && before.State == Banned:
			return nil, Errorf(CodeForbidden, "you are banned from this room; ask a moderator")
		case before == nil && (room.Kind == Open || room.Kind == Announce):
			return nil, errNoChange
		case before == nil:
			return nil, NotFound("room")
		}
		return nil, nil
	})
}

// errNoChange ends a change that would change nothing, without an error for the caller.
var errNoChange = errors.New("no change")

// changeMember replaces the membership of a user by what decide returns (nil: none), and
// brings his open connections in line. The actor is the user himself, or may administer the tenant.
func (s *Service) changeMember(ctx context.Context, a Actor, t TenantID, r RoomID, u UserID,
	decide func(tx Tx, room Room, user User, before *Membership) (*Member, error),
) error {
	now := s.clock()
	var account string
	var refresh *RefreshUser
	var leaving bool
	err := s.store.Write(ctx, t, func(tx Tx, row Tenant) error {
		account, refresh, leaving = row.Account, nil, false
		if err := writable(a, row); err != nil {
			return err
		}
		room, user, before, err := standingOf(ctx, tx, t, r, u)
		if err != nil {
			return err
		}
		after, err := decide(tx, room, user, before)
		if err != nil {
			return err
		}
		if room.Kind == Direct {
			return Errorf(CodeForbidden, "the members of a direct room are its two users")
		}
		refresh, err = s.putMembership(ctx, tx, a, room, u, before, after, now)
		leaving = refresh != nil && refresh.Change.Lost && a.kind == actorUser
		if err == nil && leaving {
			// Closing his connections now would close them on the answer: a job does it.
			err = tx.Enqueue(ctx, *refresh, time.Time{})
		}
		return err
	})
	if errors.Is(err, errNoChange) {
		return nil
	}
	if err != nil {
		return err
	}
	if refresh != nil && !leaving {
		if err := s.refresh(ctx, account, *refresh); err != nil {
			return later("the change is kept", err)
		}
	}
	return nil
}

// standingOf reads a room, a user and what he is there; before is nil for a stranger.
func standingOf(ctx context.Context, tx Tx, t TenantID, r RoomID, u UserID) (room Room, user User, before *Membership, err error) {
	if room, err = liveRoom(ctx, tx, t, r); err != nil {
		return
	}
	if user, err = activeUser(ctx, tx, t, u); err != nil {
		return
	}
	m, err := tx.Membership(ctx, t, r, u)
	switch {
	case errors.Is(err, ErrNotFound):
		return room, user, nil, nil
	case err != nil:
		return
	}
	return room, user, &m, nil
}

func (s *Service) putMembership(ctx context.Context, tx Tx, a Actor, room Room, u UserID, before *Membership, after *Member, now time.Time) (*RefreshUser, error) {
	var standing *Membership
	action := "member.remove"
	if after == nil {
		if err := tx.DeleteMember(ctx, room.Tenant, room.ID, u); err != nil {
			return nil, err
		}
	} else {
		action = "member.put"
		standing = &Membership{Room: room.ID, Address: room.Address, Kind: room.Kind, Class: room.Class, Role: after.Role, State: after.State}
		if err := tx.PutMember(ctx, room.Tenant, *after); err != nil {
			return nil, err
		}
	}
	refresh, err := s.change(ctx, tx, a, room, u, before, standing)
	if err != nil {
		return nil, err
	}
	object := "member:" + string(room.ID) + "/" + string(u)
	return refresh, audit(ctx, tx, a, now, room.Tenant, action, object, orNil(before), orNil(standing))
}

// orNil keeps a nil pointer from becoming a JSON null in the audit trail.
func orNil(m *Membership) any {
	if m == nil {
		return nil
	}
	return *m
}

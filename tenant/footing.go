package tenant

import (
	"context"
	"errors"
)

// A footing is what an actor may do in one room: everything where he administers the tenant,
// else what his role there gives.
type footing struct {
	admin bool
	user  UserID // who asks, where a user does
	role  Role   // his, "" for strangers
	Rights
}

// A power is what an operation in a room asks: of a user his rights there, of all others a scope in the tenant.
type power struct {
	scope Scope
	of    func(footing) bool
	whose string // for people
}

var (
	powerRead     = power{ScopeChat, func(f footing) bool { return f.Read }, "who may read this room"}
	powerModerate = power{ScopeModerate, func(f footing) bool { return f.Moderate }, "its moderators and owners"}
	powerOwn      = power{ScopeAdmin, func(f footing) bool { return f.Own }, "its owners"}
	powerSelf     = power{ScopeChat, func(footing) bool { return true }, "users"} // for what a user does to himself
)

// require refuses who lacks a power. Who can't even read the room is told that there is none.
func (f footing) require(p power) error {
	switch {
	case f.admin || p.of(f):
		return nil
	case !f.Read:
		return NotFound("room")
	}
	return Errorf(CodeForbidden, "only %s may do this", p.whose)
}

// above refuses a change of somebody whom the actor has no power over: a moderator has it over
// all that are no moderators or owners, an owner over everybody. role is the other's, "" for strangers.
func (f footing) above(role Role) error {
	switch {
	case f.admin || f.Own:
		return nil
	case f.Moderate && role != RoleModerator && role != RoleOwner:
		return nil
	}
	return Errorf(CodeForbidden, "only an owner may do this to a %s", role)
}

// inRoom runs a change of one room by an actor who has the power to make it.
func (s *Service) inRoom(ctx context.Context, a Actor, t TenantID, r RoomID, p power, fn func(tx Tx, row Tenant, room Room, by footing) error) error {
	if a.kind != actorUser {
		if err := a.Allow(p.scope, t); err != nil {
			return err
		}
	}
	return s.store.Write(ctx, t, func(tx Tx, row Tenant) error {
		if err := writable(a, row); err != nil {
			return err
		}
		room, err := liveRoom(ctx, tx, t, r)
		if err != nil {
			return err
		}
		by, err := footingOf(ctx, tx, a, room)
		if err != nil {
			return err
		}
		if err := by.require(p); err != nil {
			return err
		}
		return fn(tx, row, room, by)
	})
}

// footingOf reads what an actor is in a room. Those who are no users were allowed before.
func footingOf(ctx context.Context, tx Tx, a Actor, room Room) (footing, error) {
	if a.kind != actorUser {
		return footing{admin: true}, nil
	}
	if a.tenant != room.Tenant {
		return footing{}, NotFound("room")
	}
	f := footing{user: UserID(a.id)}
	user, err := actingUser(ctx, tx, room.Tenant, f.user)
	if err != nil {
		return footing{}, err
	}
	m, err := membershipOf(ctx, tx, room, f.user)
	if err != nil {
		return footing{}, err
	}
	if m != nil && m.State == Joined {
		f.role = m.Role
	}
	f.Rights = RightsOf(room.Kind, m)
	if user.Kind == Backend && room.Kind != Direct { // it reads every room but direct ones (DESIGN.md section 5)
		f.Read = true
	}
	return f, nil
}

// membershipOf returns nil for a stranger.
func membershipOf(ctx context.Context, tx Tx, room Room, u UserID) (*Membership, error) {
	m, err := tx.Membership(ctx, room.Tenant, room.ID, u)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// actingUser finds the user who asks. One that was revoked meanwhile may do nothing.
func actingUser(ctx context.Context, tx Tx, t TenantID, u UserID) (User, error) {
	user, err := activeUser(ctx, tx, t, u)
	if errors.Is(err, ErrNotFound) || err == nil && user.Status != UserActive {
		return User{}, Errorf(CodeForbidden, "this is no active user")
	}
	return user, err
}

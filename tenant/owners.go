package tenant

import (
	"context"
	"errors"
)

// The last owner of a room can't vanish: he can't leave it, and no user can take it from him.
// Where the tenant itself takes him away, the room passes to the moderator who is longest in it;
// where it has none, it belongs to the tenant until an owner is named, as a room does that was
// made over HTTP.

// keepOwner is asked before a user's standing in a room becomes after (nil: none).
func (s *Service) keepOwner(ctx context.Context, tx Tx, a Actor, c standing, after *Member) error {
	owns := c.before != nil && c.before.State == Joined && c.before.Role == RoleOwner
	if c.room.Host != "" { // its owners are the host's
		return nil
	}
	if !owns || after != nil && after.State == Joined && after.Role == RoleOwner {
		return nil
	}
	others, err := tx.OtherOwners(ctx, c.room.Tenant, c.room.ID, c.user.ID)
	switch {
	case err != nil:
		return err
	case others > 0:
		return nil
	case c.by.admin:
		return s.passOn(ctx, tx, a, c)
	}
	return Errorf(CodeConflict, "the last owner of a room can't give it up: make somebody else an owner first, or delete the room")
}

// passOn makes the senior moderator of a room its owner. He has no more rights on his connection than before.
func (s *Service) passOn(ctx context.Context, tx Tx, a Actor, c standing) error {
	heir, err := tx.Senior(ctx, c.room.Tenant, c.room.ID, c.user.ID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	before := heir
	heir.Room, heir.Role = c.room.ID, RoleOwner
	if err := tx.PutMember(ctx, c.room.Tenant, heir); err != nil {
		return err
	}
	if err := tx.Announce(ctx, c.room.Tenant, c.room.ID, Event{Event: EventRole, User: heir.User, Role: RoleOwner}); err != nil {
		return err
	}
	return audit(ctx, tx, a, c.now, c.room.Tenant, "member.inherit", memberObject(c.room.ID, heir.User), before, heir)
}

// passOnAll is asked before a user goes for good.
func (s *Service) passOnAll(ctx context.Context, tx Tx, a Actor, u User) error {
	rooms, err := tx.OwnedAlone(ctx, u.Tenant, u.ID)
	if err != nil {
		return err
	}
	for _, r := range rooms {
		room, err := tx.RoomRow(ctx, u.Tenant, r)
		if err != nil {
			return err
		}
		c := standing{room: room, user: u, by: footing{admin: true}, now: s.clock()}
		if err := s.passOn(ctx, tx, a, c); err != nil {
			return err
		}
	}
	return nil
}

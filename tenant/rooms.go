package tenant

import (
	"context"
	"errors"
	"strings"
	"time"
)

// NewRoom is what is said of a room to be.
type NewRoom struct {
	ID    string // of a direct room: the two users with a dot between
	Kind  string
	Class string // "": std
	Title string
}

// RoomPatch holds what changes; nil stays.
type RoomPatch struct {
	Title *string
}

func (n NewRoom) parse(t TenantID) (Room, error) {
	f := faults{}
	kind, err := ParseKind(n.Kind)
	f.add(err)
	f.check(kind != Shared, "kind", "must be open, announce, private or direct")
	class, err := ParseClass(n.Class)
	f.add(err)
	var id RoomID
	if low, high, pair := strings.Cut(n.ID, "."); kind == Direct && pair && low > high {
		n.ID = high + "." + low
	}
	id, err = ParseRoomID("id", n.ID)
	f.add(err)
	if _, _, pair := id.Pair(); err == nil && kind != "" {
		f.check(pair == (kind == Direct), "id", "must be two user ids with a dot between in a direct room, and one word in others")
	}
	checkText(f, "title", n.Title)
	return Room{Tenant: t, ID: id, Kind: kind, Class: class, Title: n.Title, State: RoomActive}, f.err()
}

// CreateRoom makes a room that belongs to the tenant until an owner is named.
func (s *Service) CreateRoom(ctx context.Context, a Actor, t TenantID, n NewRoom) (Room, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return Room{}, err
	}
	room, err := n.parse(t)
	if err != nil {
		return Room{}, err
	}
	now := s.clock()
	var row Tenant
	err = s.write(ctx, a, t, func(tx Tx, r Tenant) error {
		row = r
		return s.insertRoom(ctx, tx, a, row, &room, now)
	})
	if err != nil {
		return Room{}, err
	}
	return room, s.ensureStream(ctx, row, room.Class)
}

// insertRoom adds a room, a direct one with its two members.
func (s *Service) insertRoom(ctx context.Context, tx Tx, a Actor, t Tenant, room *Room, now time.Time) error {
	room.CreatedAt, room.Members = now, 0
	if room.Kind != Direct {
		n, err := tx.CountRooms(ctx, t.ID)
		if err != nil {
			return err
		}
		if most := t.Limits.Effective(Plan).Rooms; n >= most {
			return Errorf(CodeLimitReached, "the tenant has %d rooms, which is its limit; delete some or ask the operator for more", most)
		}
	}
	if err := tx.InsertRoom(ctx, *room); err != nil {
		return err
	}
	if low, high, pair := room.ID.Pair(); pair {
		for _, u := range []UserID{low, high} {
			if _, err := activeUser(ctx, tx, t.ID, u); errors.Is(err, ErrNotFound) {
				return Invalid("id", "there is no user "+string(u))
			} else if err != nil {
				return err
			}
			m := Member{Room: room.ID, User: u, Role: RoleMember, State: Joined, JoinedAt: now}
			if err := tx.PutMember(ctx, t.ID, m); err != nil {
				return err
			}
		}
		room.Members = 2
	}
	if err := tx.Enqueue(ctx, EnsureStream{t.ID, room.Class}, time.Time{}); err != nil {
		return err
	}
	return audit(ctx, tx, a, now, t.ID, "room.create", "room:"+string(room.ID), nil, *room)
}

// Room returns one room.
func (s *Service) Room(ctx context.Context, a Actor, t TenantID, r RoomID) (Room, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return Room{}, err
	}
	return s.store.Room(ctx, t, r)
}

// Rooms lists the rooms of a tenant by id.
func (s *Service) Rooms(ctx context.Context, a Actor, t TenantID, p Page) ([]Room, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	return s.store.Rooms(ctx, t, p)
}

// UpdateRoom changes a room's title.
func (s *Service) UpdateRoom(ctx context.Context, a Actor, t TenantID, r RoomID, p RoomPatch) (Room, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return Room{}, err
	}
	f := faults{}
	if p.Title != nil {
		checkText(f, "title", *p.Title)
	}
	if err := f.err(); err != nil {
		return Room{}, err
	}
	err := s.changeRoom(ctx, a, t, r, "room.update", func(room *Room) {
		if p.Title != nil {
			room.Title = *p.Title
		}
	})
	if err != nil {
		return Room{}, err
	}
	return s.store.Room(ctx, t, r)
}

// DeleteRoom closes a room for good: nobody finds, reads or posts in it, and its id is never used again.
func (s *Service) DeleteRoom(ctx context.Context, a Actor, t TenantID, r RoomID) error {
	err := s.changeRoom(ctx, a, t, r, "room.delete", func(room *Room) { room.State = RoomDeleted })
	if err != nil {
		return err
	}
	if err := s.accounts.Push(ctx, t); err != nil { // the claims close its posting subject
		return later("the room is deleted", err)
	}
	return nil
}

func (s *Service) changeRoom(ctx context.Context, a Actor, t TenantID, r RoomID, action string, change func(*Room)) error {
	now := s.clock()
	return s.write(ctx, a, t, func(tx Tx, _ Tenant) error {
		before, err := liveRoom(ctx, tx, t, r)
		if err != nil {
			return err
		}
		after := before
		change(&after)
		if err := tx.UpdateRoom(ctx, after); err != nil {
			return err
		}
		if after.State != before.State {
			if err := tx.Enqueue(ctx, PushClaims{t}, time.Time{}); err != nil {
				return err
			}
		}
		return audit(ctx, tx, a, now, t, action, "room:"+string(r), before, after)
	})
}

// liveRoom finds a room that isn't deleted.
func liveRoom(ctx context.Context, tx Tx, t TenantID, r RoomID) (Room, error) {
	room, err := tx.RoomRow(ctx, t, r)
	if err == nil && room.State == RoomDeleted || errors.Is(err, ErrNotFound) {
		return Room{}, NotFound("room")
	}
	return room, err
}

// OpenDirect finds the room of two users for one of them, and makes it where it is missing.
func (s *Service) OpenDirect(ctx context.Context, t TenantID, u, other UserID) (Room, error) {
	id, err := DirectRoomID(u, other)
	if err != nil {
		return Room{}, err
	}
	room, err := s.store.Room(ctx, t, id)
	if !errors.Is(err, ErrNotFound) {
		return room, err
	}
	a, now := AsUser(t, u), s.clock()
	room = Room{Tenant: t, ID: id, Kind: Direct, Class: Std, State: RoomActive}
	var row Tenant
	err = s.store.Write(ctx, t, func(tx Tx, r Tenant) error {
		row = r
		if err := writable(a, r); err != nil {
			return err
		}
		return s.insertRoom(ctx, tx, a, r, &room, now)
	})
	if errors.Is(err, ErrConflict) { // the other one was faster
		return s.store.Room(ctx, t, id)
	}
	if err != nil {
		return Room{}, err
	}
	return room, s.ensureStream(ctx, row, room.Class)
}

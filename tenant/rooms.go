package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// RoomPatch holds what changes; nil stays. Moderators may change SlowSeconds, owners all of it.
type RoomPatch struct {
	Title       *string
	SlowSeconds *int
	History     *Reach
	State       *RoomState
}

// maxSlow bounds slow mode, in seconds.
const maxSlow = 6 * 60 * 60

func (p RoomPatch) check() error {
	f := faults{}
	if p.Title != nil {
		checkText(f, "title", *p.Title)
	}
	if p.SlowSeconds != nil {
		f.check(*p.SlowSeconds >= 0 && *p.SlowSeconds <= maxSlow, "slow_seconds", fmt.Sprintf("must be 0 (no slow mode) to %d", maxSlow))
	}
	if p.History != nil {
		f.check(*p.History == ReachAll || *p.History == ReachJoined, "history", "must be all or joined")
	}
	if p.State != nil {
		f.check(slices.Contains([]RoomState{RoomActive, RoomFrozen, RoomArchived}, *p.State), "state", "must be active, frozen or archived")
	}
	return f.err()
}

func (p RoomPatch) power() power {
	if p.Title == nil && p.History == nil && p.State == nil {
		return powerModerate
	}
	return powerOwn
}

func (p RoomPatch) apply(r *Room) {
	if p.Title != nil {
		r.Title = *p.Title
	}
	if p.SlowSeconds != nil {
		r.SlowSeconds = *p.SlowSeconds
	}
	if p.History != nil {
		r.History = *p.History
	}
	if p.State != nil {
		r.State = *p.State
	}
}

func (n NewRoom) parse(t TenantID) (Room, error) {
	f := faults{}
	kind, err := ParseKind(n.Kind)
	f.add(err)
	class, err := ParseClass(n.Class)
	f.add(err)
	f.check(kind != Shared || class == Std || err != nil, "class", "must be std in a shared room")
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
	room := Room{Tenant: t, ID: id, Kind: kind, Class: class, Title: n.Title, State: RoomActive, History: ReachAll}
	if kind == Shared {
		room.Address = newAddress()
	}
	return room, f.err()
}

// CreateRoom makes a room. One that a user makes is his; all others belong to the tenant until
// an owner is named.
func (s *Service) CreateRoom(ctx context.Context, a Actor, t TenantID, n NewRoom) (Room, error) {
	byUser := a.kind == actorUser && a.tenant == t
	if !byUser {
		if err := a.Allow(ScopeAdmin, t); err != nil {
			return Room{}, err
		}
	}
	room, err := n.parse(t)
	if err != nil {
		return Room{}, err
	}
	now := s.clock()
	var row Tenant
	err = s.store.Write(ctx, t, func(tx Tx, r Tenant) error {
		row = r
		if err := writable(a, row); err != nil {
			return err
		}
		if !byUser {
			return s.insertRoom(ctx, tx, a, row, &room, now)
		}
		return s.insertOwnRoom(ctx, tx, a, row, &room, now)
	})
	if errors.Is(err, ErrConflict) {
		return Room{}, Errorf(CodeConflict, "a room with this id exists, or did: ids are never used again; choose another")
	}
	if err != nil {
		return Room{}, err
	}
	if room.Kind == Shared {
		return room, s.settleShare(ctx, Share{Host: t}, "the room is made")
	}
	return room, s.ensureStream(ctx, row, room.Class)
}

// maxOwned is how many rooms a user makes: one person shall not use up the tenant's limit.
const maxOwned = 100

// insertOwnRoom adds a room that a user makes for himself.
func (s *Service) insertOwnRoom(ctx context.Context, tx Tx, a Actor, t Tenant, room *Room, now time.Time) error {
	u := UserID(a.id)
	if !t.UserRooms {
		return Errorf(CodeForbidden, "only the administrators make rooms here; ask one of them")
	}
	if room.Kind == Direct || room.Kind == Shared {
		return Invalid("kind", "must be open, announce or private; a direct room comes with `direct`, a shared one from an administrator")
	}
	user, err := actingUser(ctx, tx, t.ID, u)
	if err != nil {
		return err
	}
	n, err := tx.CountOwned(ctx, t.ID, u)
	if err != nil {
		return err
	}
	if n >= maxOwned {
		return Errorf(CodeLimitReached, "you own %d rooms, which is the most; delete some or give them to others", n)
	}
	if err := s.insertRoom(ctx, tx, a, t, room, now); err != nil {
		return err
	}
	if err := tx.Announce(ctx, t.ID, room.ID, Event{Event: EventCreated, By: a.id}); err != nil {
		return err
	}
	room.Members = 1
	m := Member{Room: room.ID, User: u, Name: user.Name, Role: RoleOwner, State: Joined, JoinedAt: now}
	c := standing{room: *room, user: user, by: footing{user: u}, now: now}
	refresh, err := s.putStanding(ctx, tx, a, c, &m, memberChange{action: "member.put"})
	if err == nil && refresh != nil {
		err = tx.Enqueue(ctx, *refresh, time.Time{}) // a private room: his connection is to carry it
	}
	return err
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
	if room.Kind == Shared {
		if err := mayShareMore(ctx, tx, t.ID, "kind"); err != nil {
			return err
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
	var stream Job = EnsureStream{t.ID, room.Class}
	if room.Kind == Shared {
		stream = SettleShare{Host: t.ID}
	}
	if err := tx.Enqueue(ctx, stream, time.Time{}); err != nil {
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

// UpdateRoom changes a room's settings. A state of one that isn't active closes it for posts.
func (s *Service) UpdateRoom(ctx context.Context, a Actor, t TenantID, r RoomID, p RoomPatch) (Room, error) {
	if err := p.check(); err != nil {
		return Room{}, err
	}
	return s.changeRoom(ctx, a, t, r, p.power(), "room.update", func(room *Room) error {
		p.apply(room)
		return nil
	})
}

// FreezeRoom lets nobody post in a room, or ends that. What was posted stays readable.
func (s *Service) FreezeRoom(ctx context.Context, a Actor, t TenantID, r RoomID, on bool) (Room, error) {
	return s.changeRoom(ctx, a, t, r, powerModerate, "room.freeze", func(room *Room) error {
		if room.State == RoomArchived {
			return Errorf(CodeConflict, "the room is archived; an owner must end that first")
		}
		room.State = RoomActive
		if on {
			room.State = RoomFrozen
		}
		return nil
	})
}

// ArchiveRoom closes a room that is over, or opens it again; a frozen one among these.
func (s *Service) ArchiveRoom(ctx context.Context, a Actor, t TenantID, r RoomID, on bool) (Room, error) {
	return s.changeRoom(ctx, a, t, r, powerOwn, "room.archive", func(room *Room) error {
		switch {
		case on:
			room.State = RoomArchived
		case room.State == RoomArchived:
			room.State = RoomActive
		}
		return nil
	})
}

// DeleteRoom closes a room for good: nobody finds, reads or posts in it, and its id is never used again.
func (s *Service) DeleteRoom(ctx context.Context, a Actor, t TenantID, r RoomID) error {
	_, err := s.changeRoom(ctx, a, t, r, powerOwn, "room.delete", func(room *Room) error {
		room.State = RoomDeleted
		return nil
	})
	return err
}

func (s *Service) changeRoom(ctx context.Context, a Actor, t TenantID, r RoomID, p power, action string, change func(*Room) error) (Room, error) {
	now := s.clock()
	var before, after Room
	var ended []endedShare
	err := s.inRoom(ctx, a, t, r, p, func(tx Tx, _ Tenant, room Room, by footing) error {
		before, after, ended = room, room, nil
		if room.Host != "" {
			return Errorf(CodeForbidden, "the room is %s's; ask there, or end the share", room.Host)
		}
		if err := change(&after); err != nil {
			return err
		}
		if before == after {
			return nil
		}
		if after.State == RoomDeleted && room.Kind == Shared {
			open, err := tx.LockOpenShares(ctx, room.Tenant, room.ID)
			if err != nil {
				return err
			}
			if ended, err = endShares(ctx, tx, a, open, now); err != nil {
				return err
			}
		}
		if err := tx.UpdateRoom(ctx, after); err != nil {
			return err
		}
		if after.State != before.State {
			if err := tx.Enqueue(ctx, closing(room), time.Time{}); err != nil {
				return err
			}
		}
		for _, e := range roomEvents(before, after, by.user) {
			if err := tx.Announce(ctx, t, r, e); err != nil {
				return err
			}
		}
		return audit(ctx, tx, a, now, t, action, "room:"+string(r), before, after)
	})
	if err != nil {
		return Room{}, err
	}
	if after.State == before.State {
		return after, nil
	}
	if after.Kind == Shared {
		err = s.settleShare(ctx, Share{Host: t}, "the room is "+string(after.State))
		return after, errors.Join(err, s.sharesEnded(ctx, ended))
	}
	if err := s.accounts.Push(ctx, t); err != nil { // the claims close its posting subject
		return Room{}, later("the room is "+string(after.State), err)
	}
	return after, nil
}

// closing is the job that closes a room's posting subjects, or opens them again.
func closing(r Room) Job {
	if r.Kind == Shared {
		return SettleShare{Host: r.Tenant}
	}
	return PushClaims{r.Tenant}
}

// roomEvents are what a room tells of a change of itself.
func roomEvents(before, after Room, u UserID) (events []Event) {
	by := string(u)
	closed := map[RoomState]EventName{RoomFrozen: EventFrozen, RoomArchived: EventArchived}
	switch {
	case after.State == before.State:
	case closed[after.State] != "":
		events = append(events, Event{Event: closed[after.State], By: by, On: new(true)})
	case after.State == RoomActive:
		events = append(events, Event{Event: closed[before.State], By: by, On: new(false)})
	}
	settings := Event{Event: EventSettings, By: by}
	if before.Title != after.Title {
		settings.Title = &after.Title
	}
	if before.SlowSeconds != after.SlowSeconds {
		settings.SlowSeconds = &after.SlowSeconds
	}
	if before.History != after.History {
		settings.History = &after.History
	}
	if settings != (Event{Event: EventSettings, By: by}) {
		events = append(events, settings)
	}
	return events
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
	blocked, err := s.store.BlockedBetween(ctx, t, u, other)
	if err != nil {
		return Room{}, err
	}
	if blocked {
		return Room{}, ErrBlocked
	}
	room, err := s.store.Room(ctx, t, id)
	if !errors.Is(err, ErrNotFound) {
		return room, err
	}
	a, now := AsUser(t, u), s.clock()
	room = Room{Tenant: t, ID: id, Kind: Direct, Class: Std, State: RoomActive, History: ReachAll}
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

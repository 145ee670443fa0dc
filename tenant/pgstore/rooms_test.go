package pgstore

import (
	"context"
	"testing"

	"parley/tenant"
)

func TestRoomIsReadAsWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	r := tenant.Room{
		Tenant: "acme", ID: "r", Address: "x1", Kind: tenant.Shared, Class: tenant.Std, Title: "R", State: tenant.RoomActive, SlowSeconds: 7, History: tenant.ReachJoined, CreatedAt: base,
	}
	addRoom(t, s, r, roomOf("other", "r", tenant.Open), roomOf("other", "s", tenant.Open))
	got, err := s.Room(within(t), "acme", "r")
	must(t, err)
	want(t, "room", got, r)
	_, err = s.Room(within(t), "acme", "s")
	wantErr(t, "the other tenant's room", err, tenant.ErrNotFound)
	rows, err := s.Rooms(within(t), "acme", tenant.Page{Limit: 10})
	must(t, err)
	want(t, "acme's rooms", len(rows), 1)

	err = try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		return x.InsertRoom(ctx, roomOf("acme", "r", tenant.Open))
	})
	wantField(t, "the same id", err, "id")
}

func TestRoomCountsItsJoinedMembers(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addUser(t, s, userOf("acme", "alice"), userOf("acme", "bob"), userOf("acme", "carol"))
	addRoom(t, s, roomOf("acme", "r", tenant.Private))
	invited, banned := memberOf("r", "bob", tenant.RoleMember), memberOf("r", "carol", tenant.RoleMember)
	invited.State, banned.State = tenant.Invited, tenant.Banned
	addMember(t, s, "acme", memberOf("r", "alice", tenant.RoleMember), invited, banned)
	got, err := s.Room(within(t), "acme", "r")
	must(t, err)
	want(t, "members", got.Members, 1)
	rows, err := s.Rooms(within(t), "acme", tenant.Page{Limit: 1})
	must(t, err)
	want(t, "members in the list", rows[0].Members, 1)
}

func TestDeletedRoomIsSeenInATxAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addUser(t, s, userOf("acme", "alice"))
	addRoom(t, s, roomOf("acme", "gone", tenant.Private), roomOf("acme", "here", tenant.Private))
	addMember(t, s, "acme", memberOf("gone", "alice", tenant.RoleMember), memberOf("here", "alice", tenant.RoleMember))
	update := func(id tenant.RoomID, title string, state tenant.RoomState) error {
		return try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
			r := roomOf("acme", id, tenant.Private)
			r.Title, r.State = title, state
			return x.UpdateRoom(ctx, r)
		})
	}
	must(t, update("gone", "Gone", tenant.RoomDeleted))
	must(t, update("here", "Here", tenant.RoomActive))
	wantErr(t, "updating an unknown room", update("nowhere", "N", tenant.RoomActive), tenant.ErrNotFound)
	want(t, "rooms whose state changed", count(t, s, `SELECT count(*) FROM rooms WHERE changed_at <> created_at`), 1)

	ctx := within(t)
	got, err := s.Room(ctx, "acme", "here")
	must(t, err)
	want(t, "title", got.Title, "Here")
	_, err = s.Room(ctx, "acme", "gone")
	wantErr(t, "Room", err, tenant.ErrNotFound)
	_, err = s.Membership(ctx, "acme", "gone", "alice")
	wantErr(t, "Membership", err, tenant.ErrNotFound)
	members, err := s.Members(ctx, "acme", "gone", tenant.Page{Limit: 10})
	must(t, err)
	want(t, "members", len(members), 0)
	rows, err := s.Rooms(ctx, "acme", tenant.Page{Limit: 10})
	must(t, err)
	want(t, "rooms", len(rows), 1)

	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		got, err := x.RoomRow(ctx, "acme", "gone")
		want(t, "state", got.State, tenant.RoomDeleted)
		return err
	})
	err = try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		return x.InsertRoom(ctx, roomOf("acme", "gone", tenant.Open))
	})
	wantField(t, "using its id again", err, "id")
	err = try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		return x.PutMember(ctx, "acme", memberOf("gone", "alice", tenant.RoleMember))
	})
	wantErr(t, "joining it", err, tenant.ErrNotFound)
}

func TestCountRoomsLeavesOutDirectAndDeletedOnes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	gone := roomOf("acme", "gone", tenant.Open)
	gone.State = tenant.RoomDeleted
	frozen := roomOf("acme", "frozen", tenant.Open)
	frozen.State = tenant.RoomFrozen
	addRoom(t, s, roomOf("acme", "r", tenant.Open), roomOf("acme", "a.b", tenant.Direct), gone, frozen, roomOf("other", "r", tenant.Open))
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		n, err := x.CountRooms(ctx, "acme")
		want(t, "rooms", n, 2)
		return err
	})
}

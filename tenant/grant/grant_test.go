package grant

import (
	"slices"
	"strconv"
	"testing"

	"parley/tenant"
	"parley/tenant/subject"
)

func member(kind tenant.Kind, room tenant.RoomID, role tenant.Role, state tenant.MemberState) tenant.Membership {
	m := tenant.Membership{Room: room, Kind: kind, Class: tenant.Std, Role: role, State: state}
	if kind == tenant.Shared {
		m.Address = "x" + string(room)
	}
	return m
}

func TestForNobodySpecial(t *testing.T) {
	t.Parallel()
	g := For("acme", "alice", nil, false)
	want := Grant{
		Pub: []string{
			"chat.*.direct.*.alice.alice", "chat.*.direct.alice.*.alice", "chat.*.open.*.alice", "chat.api.alice.*",
			"sig.*.direct.*.alice.alice", "sig.*.direct.alice.*.alice", "sig.*.open.*.alice", "svc.*.acme.alice",
		},
		Sub: []string{
			"_INBOX.alice.>",
			"live.*.announce.*.*", "live.*.direct.*.alice.*", "live.*.direct.alice.*.*", "live.*.open.*.*", "live.user.alice.*",
			"sig.*.announce.*.*", "sig.*.direct.*.alice.*", "sig.*.direct.alice.*.*", "sig.*.open.*.*",
		},
		SubDeny: []string{"live.> >", "sig.> >"},
	}
	same(t, "pub", g.Pub, want.Pub)
	same(t, "sub", g.Sub, want.Sub)
	same(t, "deny", g.SubDeny, want.SubDeny)
}

func TestForShared(t *testing.T) {
	t.Parallel()
	g := For("acme", "alice", []tenant.Membership{member(tenant.Shared, "deal", tenant.RoleMember, tenant.Joined)}, false)
	for _, want := range []string{"chat.shared.xdeal.alice"} {
		if !slices.Contains(g.Pub, want) {
			t.Errorf("pub: got %q, want it to have %q", g.Pub, want)
		}
	}
	if want := "live.shared.xdeal.*.*"; !slices.Contains(g.Sub, want) {
		t.Errorf("sub: got %q, want it to have %q", g.Sub, want)
	}
	if allows(g.Pub, "sig.shared.xdeal.alice") || allows(g.Sub, "sig.shared.xdeal.bob") {
		t.Error("signals of a shared room are granted, want none: they never leave an account")
	}
}

// TestForTruthTable compares each kind x role x state x restricted with tenant.RightsOf, both in the
// room of the row and in another of the same kind, where the user has no row.
func TestForTruthTable(t *testing.T) {
	t.Parallel()
	kinds := []tenant.Kind{tenant.Open, tenant.Announce, tenant.Private, tenant.Shared}
	roles := []tenant.Role{tenant.RoleReader, tenant.RoleMember, tenant.RolePoster, tenant.RoleModerator, tenant.RoleOwner, ""}
	states := []tenant.MemberState{tenant.Joined, tenant.Invited, tenant.Banned, ""}
	for _, kind := range kinds {
		for _, role := range roles {
			for _, state := range states {
				for _, restricted := range []bool{false, true} {
					m := member(kind, "here", role, state)
					g := For("acme", "alice", []tenant.Membership{m}, restricted)
					name := string(kind) + "/" + string(role) + "/" + string(state) + "/" + strconv.FormatBool(restricted)
					checkRoom(t, name+" here", g, m, tenant.RightsOf(kind, &m))
					elsewhere := tenant.RightsOf(kind, nil)
					if restricted || takesAway(m) {
						elsewhere = tenant.Rights{}
					}
					checkRoom(t, name+" elsewhere", g, member(kind, "there", "", ""), elsewhere)
				}
			}
		}
	}
}

func checkRoom(t *testing.T, name string, g Grant, m tenant.Membership, want tenant.Rights) {
	t.Helper()
	if got := rightsIn(g, m); got != (tenant.Rights{Read: want.Read, Post: want.Post, Signal: want.Signal && m.Kind != tenant.Shared}) {
		t.Errorf("%s: got %+v, want %+v", name, got, want)
	}
}

// rightsIn tells from the subjects alone what the grant allows alice in a room.
func rightsIn(g Grant, m tenant.Membership) tenant.Rights {
	mine := subject.Post{Class: m.Class, Kind: m.Kind, Room: m.Room, Sender: "alice"}
	bobs := mine
	bobs.Sender = "bob"
	live := bobs.Live()
	if m.Kind == tenant.Shared {
		mine.Room = tenant.RoomID(m.Address)
		bobs.Room = mine.Room
		live = bobs.LiveShared("A2")
	}
	return tenant.Rights{
		Read:   allows(g.Sub, live),
		Post:   allows(g.Pub, mine.Chat()),
		Signal: allows(g.Pub, mine.Sig()),
	}
}

func TestForRestricted(t *testing.T) {
	t.Parallel()
	rooms := []tenant.Membership{
		member(tenant.Open, "town", "", tenant.Banned),
		member(tenant.Open, "quiet", tenant.RoleReader, tenant.Joined),
		member(tenant.Open, "lobby", tenant.RoleMember, tenant.Joined),
		member(tenant.Announce, "news", tenant.RoleReader, tenant.Joined),
	}
	g := For("acme", "alice", rooms, true)
	for _, c := range []struct {
		room   int
		rights tenant.Rights
	}{
		{0, tenant.Rights{}},
		{1, tenant.Rights{Read: true}},
		{2, tenant.Rights{Read: true, Post: true, Signal: true}},
		{3, tenant.Rights{Read: true}},
	} {
		if got := rightsIn(g, rooms[c.room]); got != c.rights {
			t.Errorf("%s: got %+v, want %+v", rooms[c.room].Room, got, c.rights)
		}
	}
	if allows(g.Sub, "sig.std.open.town.bob") {
		t.Error("a banned user hears the signals of the room")
	}
	if !allows(g.Sub, "sig.std.open.quiet.bob") {
		t.Error("a reader does not hear the signals of the room")
	}
	if !allows(g.Pub, "chat.std.direct.alice.bob.alice") || !allows(g.Pub, "chat.api.alice.join") {
		t.Error("a restriction in one room took away direct rooms or the API")
	}
	// The row that restricts need not be among the listed.
	if g := For("acme", "alice", nil, true); rightsIn(g, member(tenant.Open, "town", "", "")) != (tenant.Rights{}) {
		t.Error("a restricted user with no listed rooms still has a wildcard")
	}
	// Nor need the flag be set where it is.
	if g := For("acme", "alice", rooms[:1], false); rightsIn(g, rooms[0]) != (tenant.Rights{}) {
		t.Error("a banned row without the flag gives the wildcard")
	}
}

func TestForOpenRoomsCostNothing(t *testing.T) {
	t.Parallel()
	bare := For("acme", "alice", nil, false)
	g := For("acme", "alice", []tenant.Membership{
		member(tenant.Open, "town", tenant.RoleOwner, tenant.Joined),
		member(tenant.Announce, "news", tenant.RoleReader, tenant.Joined),
		member(tenant.Open, "lobby", tenant.RoleReader, tenant.Invited),
		{Room: "alice.bob", Kind: tenant.Direct, Class: tenant.Std, Role: tenant.RoleMember, State: tenant.Joined},
	}, false)
	same(t, "pub", g.Pub, bare.Pub)
	same(t, "sub", g.Sub, bare.Sub)
}

func TestForBound(t *testing.T) {
	t.Parallel()
	var rooms []tenant.Membership
	for i := range tenant.MaxListedRooms + 1 {
		rooms = append(rooms, member(tenant.Private, tenant.RoomID("r"+strconv.Itoa(i)), tenant.RoleMember, tenant.Joined))
	}
	g := For("acme", "alice", rooms, false)
	if last := rooms[tenant.MaxListedRooms-1]; !rightsIn(g, last).Post {
		t.Errorf("room %d is not granted", tenant.MaxListedRooms)
	}
	if beyond := rooms[tenant.MaxListedRooms]; rightsIn(g, beyond) != (tenant.Rights{}) {
		t.Errorf("room %d is granted, want at most %d", tenant.MaxListedRooms+1, tenant.MaxListedRooms)
	}
}

// A wildcard that got into a row must not become a right.
func TestForRefusesWhatIsNoRoom(t *testing.T) {
	t.Parallel()
	bare := For("acme", "alice", nil, false)
	for _, m := range []tenant.Membership{
		{Room: "*", Kind: tenant.Private, Class: tenant.Std},
		{Room: ">", Kind: tenant.Private, Class: tenant.Std},
		{Room: "a.b", Kind: tenant.Private, Class: tenant.Std},
		{Room: "", Kind: tenant.Private, Class: tenant.Std},
		{Room: "secret", Kind: tenant.Private, Class: "*"},
		{Room: "secret", Kind: tenant.Private},
		{Room: "secret", Kind: "*", Class: tenant.Std},
		{Room: "deal", Kind: tenant.Shared, Address: "*"},
		{Room: "deal", Kind: tenant.Shared},
	} {
		m.Role, m.State = tenant.RoleOwner, tenant.Joined
		g := For("acme", "alice", []tenant.Membership{m}, false)
		same(t, "pub", g.Pub, bare.Pub)
		same(t, "sub", g.Sub, bare.Sub)
	}
	g := For("acme", "alice", []tenant.Membership{member(tenant.Private, "secret", tenant.RoleOwner, tenant.Joined)}, false)
	if len(g.Pub) != len(bare.Pub)+2 || len(g.Sub) != len(bare.Sub)+2 {
		t.Errorf("the valid twin: got %q and %q", g.Pub, g.Sub)
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func BenchmarkFor(b *testing.B) {
	var rooms []tenant.Membership
	for i := range 10 {
		rooms = append(rooms, member(tenant.Private, tenant.RoomID("r"+strconv.Itoa(i)), tenant.RoleMember, tenant.Joined))
	}
	for b.Loop() {
		For("acme", "alice", rooms, false)
	}
}

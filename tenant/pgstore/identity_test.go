package pgstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/tenant"
)

func TestIdentityHoldsWhatADecisionNeeds(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	alice := userOf("acme", "alice")
	alice.PasswordHash, alice.ExternalID, alice.NKey = "$argon2id$…", "x@example.org", "UALICE"
	addUser(t, s, alice)
	setStatus(t, s, "acme", tenant.Suspended)

	got, err := s.Identity(within(t), tenant.Claim{Tenant: "acme", User: "alice"})
	must(t, err)
	want(t, "tenant", got.Tenant, "acme")
	want(t, "account", got.Account, account("acme"))
	want(t, "status", got.Status, tenant.Suspended)
	want(t, "limits", got.Limits, tenantOf("acme").Limits)
	want(t, "user", got.User, alice)
	want(t, "restricted", got.Restricted, false)
	want(t, "rooms", len(got.Rooms), 0)
	want(t, "revoked", got.CredsRevoked, false)
	signing := keysOf("acme")[1]
	want(t, "signing key", fmt.Sprint(got.Signing), fmt.Sprint(signing))

	_, err = s.Identity(within(t), tenant.Claim{Tenant: "nobody", User: "alice"})
	wantErr(t, "unknown tenant", err, tenant.ErrNotFound)
	_, err = s.Identity(within(t), tenant.Claim{})
	wantErr(t, "empty claim", err, tenant.ErrNotFound)
}

func TestIdentityWithoutAUser(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	addUser(t, s, userOf("acme", "alice"), userOf("acme", "bob"), userOf("other", "zed"))
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.DeleteUser(ctx, "acme", "alice") })
	for _, u := range []tenant.UserID{"", "alice", "zed"} {
		got, err := s.Identity(within(t), tenant.Claim{Tenant: "acme", User: u})
		must(t, err)
		want(t, fmt.Sprintf("user %q", u), got.User, tenant.User{})
		want(t, "account", got.Account, account("acme"))
	}
	revoked := userOf("acme", "bob")
	revoked.Status, revoked.Reason = tenant.UserRevoked, "left"
	addUser(t, s, revoked)
	got, err := s.Identity(within(t), tenant.Claim{Tenant: "acme", User: "bob"})
	must(t, err)
	want(t, "revoked user", got.User, revoked)
}

func TestIdentityFindsTheTenantsTokenKeyAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	id := base64.RawURLEncoding.EncodeToString(tokenKeyOf("acme"))
	for _, c := range []struct {
		what, kid string
		known     bool
	}{
		{"its own key", id, true},
		{"another tenant's key", base64.RawURLEncoding.EncodeToString(tokenKeyOf("other")), false},
		{"its signing key", keysOf("acme")[1].KeyID, false},
		{"no key", "", false},
		{"an unknown key", base64.RawURLEncoding.EncodeToString(make([]byte, 32)), false},
		{"bytes that are no text", "\x00\xff", false},
		{"padding", id + "=", false},
	} {
		got, err := s.Identity(within(t), tenant.Claim{Tenant: "acme", User: "alice", TokenID: c.kid})
		must(t, err)
		want(t, c.what, got.TokenKey.Equal(tokenKeyOf("acme")), c.known)
		want(t, c.what+": nil", got.TokenKey == nil, !c.known)
	}
}

func TestIdentityTakesTheNewestSigningKey(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	_, err := s.pool.Exec(within(t), `INSERT INTO account_keys (key_id, account, purpose, sealed, key_version) VALUES ('ANEW', $1, 'signing', 'new', 4)`, account("acme"))
	must(t, err)
	got, err := s.Identity(within(t), tenant.Claim{Tenant: "acme"})
	must(t, err)
	want(t, "key", got.Signing.KeyID, "ANEW")
	_, err = s.pool.Exec(within(t), `DELETE FROM account_keys WHERE purpose = 'signing'`)
	must(t, err)
	_, err = s.Identity(within(t), tenant.Claim{Tenant: "acme"})
	if err == nil || errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("without a signing key: got error %v, want one that is no refusal", err)
	}
}

func TestIdentityOfACredential(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	addUser(t, s, userOf("acme", "alice"), userOf("acme", "bob"), userOf("other", "alice"))
	addRoom(t, s, roomOf("acme", "r", tenant.Private))
	addMember(t, s, "acme", memberOf("r", "alice", tenant.RoleMember))
	for _, u := range []tenant.UserID{"alice", "bob"} {
		write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
			return x.InsertCredential(ctx, tenant.Credential{NKey: "UC" + string(u), Tenant: "acme", User: u, Kind: tenant.CredentialCreds, IssuedAt: base})
		})
	}
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.DeleteUser(ctx, "acme", "bob") })

	for _, c := range []tenant.Claim{{Creds: "UCalice"}, {Creds: "UCalice", Tenant: "acme", User: "alice"}} {
		got, err := s.Identity(within(t), c)
		must(t, err)
		want(t, "user", got.User, userOf("acme", "alice"))
		want(t, "revoked", got.CredsRevoked, false)
		want(t, "rooms", len(got.Rooms), 1)
	}
	got, err := s.Identity(within(t), tenant.Claim{Creds: "UCbob"})
	must(t, err)
	want(t, "bob's tenant", got.Tenant, "acme")
	want(t, "bob's user", got.User, tenant.User{})
	want(t, "bob's is revoked", got.CredsRevoked, true)

	for _, c := range []tenant.Claim{
		{Creds: "UCnobody"},
		{Creds: "UCnobody", Tenant: "acme", User: "alice"},
		{Creds: "UCalice", Tenant: "other", User: "alice"},
		{Creds: "UCalice", Tenant: "acme", User: "bob"},
	} {
		_, err := s.Identity(within(t), c)
		wantErr(t, fmt.Sprintf("%+v", c), err, tenant.ErrNotFound)
	}
}

func TestIdentityOfAnNKey(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	alice, bob, zed := userOf("acme", "alice"), userOf("acme", "bob"), userOf("other", "zed")
	alice.NKey, bob.NKey, zed.NKey = "UALICE", "UBOB", "UZED"
	addUser(t, s, alice, bob, zed, userOf("acme", "carol"))
	addRoom(t, s, roomOf("acme", "r", tenant.Private))
	addMember(t, s, "acme", memberOf("r", "alice", tenant.RoleMember))
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.DeleteUser(ctx, "acme", "bob") })

	got, err := s.Identity(within(t), tenant.Claim{NKey: "UALICE"})
	must(t, err)
	want(t, "alice's tenant", got.Tenant, "acme")
	want(t, "alice", got.User, alice)
	want(t, "alice's rooms", len(got.Rooms), 1)
	got, err = s.Identity(within(t), tenant.Claim{NKey: "UZED"})
	must(t, err)
	want(t, "zed's tenant", got.Tenant, "other")
	want(t, "zed", got.User, zed)
	for _, nkey := range []string{"UNOBODY", "UBOB"} {
		_, err = s.Identity(within(t), tenant.Claim{NKey: nkey})
		wantErr(t, nkey, err, tenant.ErrNotFound)
	}
}

// roomsOf writes an identity's rooms as words.
func roomsOf(t *testing.T, s *Store, c tenant.Claim) (rooms string, restricted bool) {
	t.Helper()
	got, err := s.Identity(within(t), c)
	must(t, err)
	var ids []string
	for _, m := range got.Rooms {
		ids = append(ids, string(m.Room))
	}
	return strings.Join(ids, " "), got.Restricted
}

func TestIdentityListsByKindRoleAndState(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	type standing struct {
		kind  tenant.Kind
		role  tenant.Role
		state tenant.MemberState
	}
	for i, c := range []struct {
		standing
		listed     bool
		restricted bool
	}{
		{standing{tenant.Open, tenant.RoleMember, tenant.Joined}, false, false},
		{standing{tenant.Open, tenant.RoleOwner, tenant.Joined}, false, false},
		{standing{tenant.Open, tenant.RoleReader, tenant.Invited}, false, false},
		{standing{tenant.Open, tenant.RoleReader, tenant.Joined}, true, true},
		{standing{tenant.Open, tenant.RoleMember, tenant.Banned}, true, true},
		{standing{tenant.Announce, tenant.RoleReader, tenant.Joined}, false, false},
		{standing{tenant.Announce, tenant.RoleMember, tenant.Joined}, true, false},
		{standing{tenant.Announce, tenant.RolePoster, tenant.Joined}, true, false},
		{standing{tenant.Announce, tenant.RoleModerator, tenant.Joined}, true, false},
		{standing{tenant.Announce, tenant.RoleOwner, tenant.Joined}, true, false},
		{standing{tenant.Announce, tenant.RolePoster, tenant.Invited}, false, false},
		{standing{tenant.Announce, tenant.RolePoster, tenant.Banned}, true, true},
		{standing{tenant.Private, tenant.RoleReader, tenant.Joined}, true, false},
		{standing{tenant.Private, tenant.RoleMember, tenant.Joined}, true, false},
		{standing{tenant.Private, tenant.RoleMember, tenant.Invited}, false, false},
		{standing{tenant.Private, tenant.RoleMember, tenant.Banned}, false, false},
		{standing{tenant.Shared, tenant.RoleMember, tenant.Joined}, true, false},
		{standing{tenant.Shared, tenant.RoleMember, tenant.Banned}, false, false},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", c.kind, c.role, c.state), func(t *testing.T) {
			t.Parallel()
			id := tenant.TenantID(fmt.Sprintf("t%dz", i))
			addTenant(t, s, id)
			addUser(t, s, userOf(id, "alice"), userOf(id, "bob"))
			room := roomOf(id, "r", c.kind)
			room.Class = tenant.Day
			if c.kind == tenant.Shared {
				room.Class = tenant.Std // of its stream, which is none of the callout's business
				room.Address = "x" + string(id)
			}
			addRoom(t, s, room)
			m := memberOf("r", "alice", c.role)
			m.State = c.state
			addMember(t, s, id, m)

			got, err := s.Identity(within(t), tenant.Claim{Tenant: id, User: "alice"})
			must(t, err)
			want(t, "restricted", got.Restricted, c.restricted)
			want(t, "listed", len(got.Rooms) == 1, c.listed)
			if c.listed && len(got.Rooms) == 1 {
				want(t, "membership", got.Rooms[0], tenant.Membership{
					Room: "r", Address: room.Address, Kind: c.kind, Class: room.Class, Role: c.role, State: c.state,
				})
			}
			rooms, restricted := roomsOf(t, s, tenant.Claim{Tenant: id, User: "bob"})
			want(t, "another user's rooms", rooms, "")
			want(t, "another user's restriction", restricted, false)

			room.State = tenant.RoomDeleted
			write(t, s, id, func(ctx context.Context, x tenant.Tx) error { return x.UpdateRoom(ctx, room) })
			rooms, restricted = roomsOf(t, s, tenant.Claim{Tenant: id, User: "alice"})
			want(t, "rooms when it is deleted", rooms, "")
			want(t, "restriction when it is deleted", restricted, false)
		})
	}
}

func TestIdentityListsOpenRoomsOfTheRestricted(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addUser(t, s, userOf("acme", "alice"), userOf("acme", "bob"))
	addRoom(t, s, roomOf("acme", "closed", tenant.Open), roomOf("acme", "open", tenant.Open), roomOf("acme", "news", tenant.Announce),
		roomOf("acme", "strange", tenant.Open), roomOf("acme", "alice.bob", tenant.Direct))
	for i, r := range []tenant.RoomID{"open", "news"} {
		m := memberOf(r, "alice", tenant.RoleMember)
		if r == "news" {
			m.Role = tenant.RoleReader
		}
		m.JoinedAt = at(i)
		addMember(t, s, "acme", m, memberOf(r, "bob", m.Role))
	}
	addMember(t, s, "acme", memberOf("alice.bob", "alice", tenant.RoleMember))
	alice := tenant.Claim{Tenant: "acme", User: "alice"}
	rooms, restricted := roomsOf(t, s, alice)
	want(t, "rooms of the unrestricted", rooms, "")
	want(t, "restricted", restricted, false)

	ban := memberOf("closed", "alice", tenant.RoleMember)
	ban.State, ban.JoinedAt = tenant.Banned, at(100)
	addMember(t, s, "acme", ban)
	rooms, restricted = roomsOf(t, s, alice)
	want(t, "rooms of the restricted, the ban last", rooms, "news open closed")
	want(t, "restricted", restricted, true)
	alice.Rooms = []tenant.RoomID{"open", "strange"}
	rooms, restricted = roomsOf(t, s, alice)
	want(t, "named rooms of the restricted", rooms, "open")
	want(t, "restricted, the ban not named", restricted, true)
	rooms, restricted = roomsOf(t, s, tenant.Claim{Tenant: "acme", User: "bob"})
	want(t, "bob's rooms", rooms, "")
	want(t, "bob is restricted", restricted, false)
}

func TestIdentityListsTheLatestActiveRooms(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	addUser(t, s, userOf("acme", "alice"))
	for i, id := range []tenant.RoomID{"a", "b", "c", "d", "e"} {
		addRoom(t, s, roomOf("acme", id, tenant.Private), roomOf("other", id, tenant.Private))
		m := memberOf(id, "alice", tenant.RoleMember)
		m.JoinedAt = at(i)
		addMember(t, s, "acme", m)
	}
	_, err := s.pool.Exec(within(t), `INSERT INTO room_heads (room_pk, last_at)
		SELECT room_pk, CASE room_id WHEN 'b' THEN $1::timestamptz WHEN 'd' THEN $1::timestamptz + interval '1 s' END FROM rooms WHERE room_id <> 'e'`, at(60))
	must(t, err)
	claim := tenant.Claim{Tenant: "acme", User: "alice"}
	for range 8 { // beyond the fifth run of a statement Postgres may change its plan
		rooms, _ := roomsOf(t, s, claim)
		want(t, "latest active, then latest joined", rooms, "d b e c a")
	}
	for _, c := range []struct {
		named []tenant.RoomID
		want  string
	}{
		{[]tenant.RoomID{}, ""},
		{[]tenant.RoomID{"c"}, "c"},
		{[]tenant.RoomID{"a", "b", "a", "nowhere"}, "b a"},
	} {
		claim.Rooms = c.named
		rooms, _ := roomsOf(t, s, claim)
		want(t, fmt.Sprintf("rooms of %q", c.named), rooms, c.want)
	}
}

func TestIdentityListsAtMostSoManyRooms(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addUser(t, s, userOf("acme", "alice"))
	_, err := s.pool.Exec(within(t), `
		WITH r AS (
			INSERT INTO rooms (tenant_id, room_id, kind, class, title, created_at, changed_at)
			SELECT 'acme', 'r' || i, 'private', 'std', '', $1, $1 FROM generate_series(1, 1000) i RETURNING room_pk, room_id
		)
		INSERT INTO members SELECT room_pk, 'acme', 'alice', 'member', 'joined', $1::timestamptz + substr(room_id, 2)::int * interval '1 s' FROM r`, base)
	must(t, err)
	got, err := s.Identity(within(t), tenant.Claim{Tenant: "acme", User: "alice"})
	must(t, err)
	if len(got.Rooms) != tenant.MaxListedRooms || got.Rooms[0].Room != "r1000" || got.Rooms[49].Room != "r951" {
		t.Errorf("got %d rooms from %v, want the %d latest", len(got.Rooms), got.Rooms[0].Room, tenant.MaxListedRooms)
	}
	old, err := s.Identity(within(t), tenant.Claim{Tenant: "acme", User: "alice", Rooms: []tenant.RoomID{"r1"}})
	must(t, err)
	want(t, "an old room that is named", len(old.Rooms), 1)
}

func TestIdentityCountsConnectionsWhereTheyAreBounded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	addUser(t, s, userOf("acme", "alice"), userOf("acme", "bob"), userOf("other", "alice"))
	for i, of := range [][2]string{{account("acme"), "alice"}, {account("acme"), "alice"}, {account("acme"), "bob"}, {account("other"), "alice"}} {
		_, err := s.pool.Exec(within(t), `INSERT INTO sessions VALUES ('s', $1, $2, $3, 'token', 'a', now())`, i, of[0], of[1])
		must(t, err)
	}
	for limit, open := range map[int64]int64{0: 0, 5: 2} {
		row := tenantOf("acme")
		row.Limits.ConnectionsPerUser = limit
		write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.UpdateTenant(ctx, row) })
		got, err := s.Identity(within(t), tenant.Claim{Tenant: "acme", User: "alice"})
		must(t, err)
		want(t, fmt.Sprintf("connections with a limit of %d", limit), got.Connections, open)
	}
}

func TestIdentityOfAForeignToken(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	mailed := userOf("acme", "alice")
	mailed.ExternalID = "alice@acme.example"
	addUser(t, s, mailed, userOf("acme", "bob"), userOf("other", "alice"))
	key := func(id string, of tenant.TenantID, kind tenant.KeyKind, d tenant.KeyDetails) {
		t.Helper()
		k := tenant.Key{ID: id, Tenant: of, KeySpec: tenant.KeySpec{Kind: kind, Name: id, KeyDetails: d}, CreatedAt: base}
		write(t, s, of, func(ctx context.Context, x tenant.Tx) error { return x.InsertKey(ctx, k) })
	}
	remove := func(id string) {
		t.Helper()
		write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
			_, err := x.RemoveKey(ctx, "acme", id, at(9))
			return err
		})
	}
	key("signed", "acme", "user-token", tenant.KeyDetails{Alg: "EdDSA", PublicKey: "pem", CreateUsers: true})
	key("gone", "acme", "user-token", tenant.KeyDetails{})
	key("set", "acme", "jwks", tenant.KeyDetails{})
	key("oldset", "acme", "jwks", tenant.KeyDetails{})
	key("theirs", "other", "user-token", tenant.KeyDetails{})
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.InsertKey(ctx, apiKey("api", "acme")) })
	remove("gone")
	remove("oldset")
	for _, c := range []struct {
		name  string
		claim tenant.Claim
		keys  string
		user  tenant.UserID
	}{
		{"its key", tenant.Claim{User: "bob", TokenID: "signed", Foreign: true}, "set signed", "bob"},
		{"a removed key", tenant.Claim{User: "bob", TokenID: "gone", Foreign: true}, "gone set", "bob"},
		{"a removed set", tenant.Claim{User: "bob", TokenID: "oldset", Foreign: true}, "set", "bob"},
		{"another tenant's key", tenant.Claim{User: "bob", TokenID: "theirs", Foreign: true}, "set", "bob"},
		{"an API key", tenant.Claim{User: "bob", TokenID: "api", Foreign: true}, "set", "bob"},
		{"an external id", tenant.Claim{External: "alice@acme.example", TokenID: "signed", Foreign: true}, "set signed", "alice"},
		{"an unknown external id", tenant.Claim{External: "bob@acme.example", TokenID: "signed", Foreign: true}, "set signed", ""},
		{"our own", tenant.Claim{User: "bob", TokenID: "signed"}, "", "bob"},
	} {
		c.claim.Tenant = "acme"
		got, err := s.Identity(within(t), c.claim)
		must(t, err)
		var ids []string
		for _, k := range got.Keys {
			ids = append(ids, k.ID)
			want(t, c.name+": tenant of "+k.ID, k.Tenant, "acme")
			want(t, c.name+": time of "+k.ID, k.CreatedAt.Equal(base), true)
			want(t, c.name+": removal of "+k.ID, k.RemovedAt.IsZero(), k.ID != "gone")
			if k.ID == "signed" {
				want(t, c.name+": details", k.KeyDetails, tenant.KeyDetails{Alg: "EdDSA", PublicKey: "pem", CreateUsers: true})
			}
		}
		slices.Sort(ids)
		want(t, c.name+": keys", strings.Join(ids, " "), c.keys)
		want(t, c.name+": user", got.User.ID, c.user)
	}
}

func TestIdentityOfAnIDToken(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	mailed := userOf("acme", "alice")
	mailed.ExternalID = "alice@acme.example"
	addUser(t, s, mailed, userOf("acme", "bob"), userOf("other", "alice"))
	add := func(id string, of tenant.TenantID, client, claim string) {
		t.Helper()
		spec := tenant.KeySpec{Kind: tenant.KeyOIDC, Name: id, KeyDetails: tenant.KeyDetails{Issuer: "https://i", ClientID: client, UserClaim: claim}}
		write(t, s, of, func(ctx context.Context, x tenant.Tx) error {
			return x.InsertKey(ctx, tenant.Key{ID: id, Tenant: of, KeySpec: spec, CreatedAt: base})
		})
	}
	remove := func(id string, of tenant.TenantID, sec int) {
		t.Helper()
		write(t, s, of, func(ctx context.Context, x tenant.Tx) error {
			_, err := x.RemoveKey(ctx, of, id, at(sec))
			return err
		})
	}
	add("subs", "acme", "web", "sub")
	add("mails", "acme", "mail", "email")
	add("theirs", "other", "app", "sub")
	add("older", "other", "gone", "sub")
	remove("older", "other", 1)
	add("old", "acme", "gone", "sub")
	remove("old", "acme", 2)
	add("before", "other", "moved", "sub")
	remove("before", "other", 3)
	add("after", "acme", "moved", "sub")
	names := map[string]tenant.Handle{"sub": {ID: "bob"}, "email": {External: "alice@acme.example"}, "x": {ID: "alice"}}
	for _, c := range []struct {
		client string
		key    string // "": not found
		tenant tenant.TenantID
		user   tenant.UserID
	}{
		{"web", "subs", "acme", "bob"},
		{"mail", "mails", "acme", "alice"},
		{"app", "theirs", "other", ""}, // which has no bob
		{"gone", "old", "acme", "bob"}, // the one that was removed last
		{"moved", "after", "acme", "bob"},
		{"nobody's", "", "", ""},
	} {
		got, err := s.Identity(within(t), tenant.Claim{Foreign: true, TokenID: "k", IDToken: tenant.IDTokenClaim{Issuer: "https://i", Audience: c.client, Names: names}})
		if c.key == "" {
			wantErr(t, c.client, err, tenant.ErrNotFound)
			continue
		}
		must(t, err)
		want(t, c.client+": keys", len(got.Keys), 1)
		want(t, c.client+": key", got.Keys[0].ID, c.key)
		want(t, c.client+": tenant", got.Tenant, c.tenant)
		want(t, c.client+": user", got.User.ID, c.user)
	}
	_, err := s.Identity(within(t), tenant.Claim{Foreign: true, IDToken: tenant.IDTokenClaim{Issuer: "https://j", Audience: "web"}})
	wantErr(t, "another issuer", err, tenant.ErrNotFound)
}

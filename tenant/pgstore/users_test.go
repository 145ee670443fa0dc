package pgstore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"parley/tenant"
)

func TestUserIsReadAsWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	u := tenant.User{
		Tenant: "acme", ID: "alice", Kind: tenant.Backend, Name: "Alice", ExternalID: "alice@example.org",
		Status: tenant.UserRevoked, Reason: "left", PasswordHash: "$argon2id$…", NKey: "UALICE", CreatedAt: base, TokensFrom: at(-5),
	}
	addUser(t, s, u)
	got, err := s.User(within(t), "acme", "alice")
	must(t, err)
	want(t, "user", got, u)

	again := tenant.User{Tenant: "acme", ID: "alice", Kind: tenant.Person, Name: "A", Status: tenant.UserActive, CreatedAt: at(5), TokensFrom: at(5)}
	addUser(t, s, again)
	got, err = s.User(within(t), "acme", "alice")
	must(t, err)
	want(t, "replaced user", got, again)
	want(t, "rows", count(t, s, `SELECT count(*) FROM users`), 1)

	_, err = s.User(within(t), "acme", "bob")
	wantErr(t, "unknown user", err, tenant.ErrNotFound)
}

func TestUsersOfTwoTenantsAreApart(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	mine, theirs := userOf("acme", "alice"), userOf("other", "alice")
	mine.ExternalID, theirs.ExternalID, theirs.Name = "x@example.org", "x@example.org", "Theirs"
	addUser(t, s, mine, theirs, userOf("other", "zed"))

	got, err := s.User(within(t), "acme", "alice")
	must(t, err)
	want(t, "acme's alice", got, mine)
	_, err = s.User(within(t), "acme", "zed")
	wantErr(t, "the other tenant's user", err, tenant.ErrNotFound)
	rows, err := s.Users(within(t), "acme", tenant.Page{Limit: 10})
	must(t, err)
	want(t, "acme's users", len(rows), 1)
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		n, err := x.CountUsers(ctx, "acme")
		want(t, "acme's count", n, 1)
		return err
	})
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.DeleteUser(ctx, "acme", "alice") })
	got, err = s.User(within(t), "other", "alice")
	must(t, err)
	want(t, "other's alice after acme's is deleted", got, theirs)
}

func TestTakenFieldsOfAUserAreConflicts(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	alice := userOf("acme", "alice")
	alice.ExternalID, alice.NKey = "x@example.org", "UALICE"
	addUser(t, s, alice, alice) // her own again is none

	put := func(u tenant.User) error {
		return try(t, s, u.Tenant, func(ctx context.Context, x tenant.Tx) error { return x.PutUser(ctx, u) })
	}
	bob := userOf("acme", "bob")
	bob.ExternalID = alice.ExternalID
	wantField(t, "external id", put(bob), "external_id")
	zed := userOf("other", "zed")
	zed.NKey = alice.NKey
	wantField(t, "nkey", put(zed), "nkey")

	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.DeleteUser(ctx, "acme", "alice") })
	must(t, put(bob))
	must(t, put(zed))
}

func TestDeleteUserTakesAllButTheName(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	alice := userOf("acme", "alice")
	alice.ExternalID, alice.NKey, alice.PasswordHash = "x@example.org", "UALICE", "$argon2id$…"
	addUser(t, s, alice, userOf("acme", "bob"))
	addRoom(t, s, roomOf("acme", "r", tenant.Private))
	addMember(t, s, "acme", memberOf("r", "alice", tenant.RoleOwner), memberOf("r", "bob", tenant.RoleMember))
	for _, u := range []tenant.UserID{"alice", "bob"} {
		write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
			return x.InsertCredential(ctx, tenant.Credential{NKey: "UC" + string(u), Tenant: "acme", User: u, IssuedAt: base})
		})
	}
	remove := func(u tenant.UserID) error {
		return try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.DeleteUser(ctx, "acme", u) })
	}
	must(t, remove("alice"))

	_, err := s.User(within(t), "acme", "alice")
	wantErr(t, "User", err, tenant.ErrNotFound)
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		got, err := x.UserRow(ctx, "acme", "alice")
		bare := userOf("acme", "alice")
		bare.Status = tenant.UserDeleted
		want(t, "row", got, bare)
		n, err2 := x.CountUsers(ctx, "acme")
		want(t, "count", n, 1)
		if err == nil {
			err = err2
		}
		return err
	})
	_, err = s.Membership(within(t), "acme", "r", "alice")
	wantErr(t, "her membership", err, tenant.ErrNotFound)
	_, err = s.Membership(within(t), "acme", "r", "bob")
	must(t, err)
	want(t, "her good credentials", count(t, s, `SELECT count(*) FROM credentials WHERE user_id = 'alice' AND revoked_at IS NULL`), 0)
	want(t, "bob's good credentials", count(t, s, `SELECT count(*) FROM credentials WHERE user_id = 'bob' AND revoked_at IS NULL`), 1)
	wantErr(t, "deleting again", remove("alice"), tenant.ErrNotFound)
	wantErr(t, "deleting a stranger", remove("nobody"), tenant.ErrNotFound)
}

func TestUsersPageAndQuery(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	for i := range 5 {
		addUser(t, s, userOf("acme", tenant.UserID(fmt.Sprintf("u%d", i))))
	}
	odd := userOf("acme", "a_b")
	odd.Name = `100% \o/`
	gone := userOf("acme", "gone")
	gone.Status = tenant.UserDeleted
	addUser(t, s, odd, gone, userOf("acme", "axb"))

	for _, c := range []struct {
		page tenant.Page
		want string
	}{
		{tenant.Page{Limit: 100}, "a_b axb u0 u1 u2 u3 u4"},
		{tenant.Page{Limit: 3}, "a_b axb u0"},
		{tenant.Page{Limit: 3, After: "u0"}, "u1 u2 u3"},
		{tenant.Page{Limit: 3, After: "u3"}, "u4"},
		{tenant.Page{Limit: 0}, "a_b"},
		{tenant.Page{Limit: 100, Query: "a_b"}, "a_b"},
		{tenant.Page{Limit: 100, Query: "%"}, "a_b"},
		{tenant.Page{Limit: 100, Query: `\o`}, "a_b"},
		{tenant.Page{Limit: 100, Query: "USER U1"}, "u1"},
		{tenant.Page{Limit: 100, Query: "' OR true --"}, ""},
	} {
		rows, err := s.Users(within(t), "acme", c.page)
		must(t, err)
		var ids []string
		for _, r := range rows {
			ids = append(ids, string(r.ID))
		}
		want(t, fmt.Sprintf("users of %+v", c.page), strings.Join(ids, " "), c.want)
	}
	_, err := s.Users(within(t), "acme", tenant.Page{Limit: 1, Query: "\x00"})
	wantErr(t, "a NUL in the query", err, &tenant.Error{Code: tenant.CodeInvalid})
}

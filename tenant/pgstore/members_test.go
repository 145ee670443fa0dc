package pgstore

import (
	"context"
	"testing"

	"parley/tenant"
)

func TestMembershipIsReadAsWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	for _, id := range []tenant.TenantID{"acme", "other"} {
		addUser(t, s, userOf(id, "alice"), userOf(id, "bob"))
		addRoom(t, s, roomOf(id, "r", tenant.Private))
	}
	addMember(t, s, "acme", memberOf("r", "alice", tenant.RoleMember), memberOf("r", "alice", tenant.RoleOwner))

	got, err := s.Membership(within(t), "acme", "r", "alice")
	must(t, err)
	want(t, "membership", got, tenant.Membership{Room: "r", Kind: tenant.Private, Class: tenant.Std, Role: tenant.RoleOwner, State: tenant.Joined, JoinedAt: base})
	_, err = s.Membership(within(t), "acme", "r", "bob")
	wantErr(t, "a stranger", err, tenant.ErrNotFound)
	_, err = s.Membership(within(t), "other", "r", "alice")
	wantErr(t, "the other tenant's alice", err, tenant.ErrNotFound)
	rows, err := s.Members(within(t), "acme", "r", tenant.Page{Limit: 10})
	must(t, err)
	if len(rows) != 1 || rows[0] != (tenant.Member{Room: "r", User: "alice", Name: "User alice", Role: tenant.RoleOwner, State: tenant.Joined, JoinedAt: base}) {
		t.Errorf("members: got %+v, want alice as owner", rows)
	}
	rows, err = s.Members(within(t), "other", "r", tenant.Page{Limit: 10})
	must(t, err)
	want(t, "the other tenant's members", len(rows), 0)
}

func TestPutMemberNeedsRoomAndUser(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	addUser(t, s, userOf("acme", "alice"), userOf("other", "zed"))
	addRoom(t, s, roomOf("acme", "r", tenant.Private), roomOf("other", "s", tenant.Private))
	put := func(m tenant.Member) error {
		return try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.PutMember(ctx, "acme", m) })
	}
	must(t, put(memberOf("r", "alice", tenant.RoleMember)))
	wantErr(t, "another tenant's user", put(memberOf("r", "zed", tenant.RoleMember)), tenant.ErrNotFound)
	wantErr(t, "another tenant's room", put(memberOf("s", "alice", tenant.RoleMember)), tenant.ErrNotFound)
	want(t, "rows", count(t, s, `SELECT count(*) FROM members`), 1)
}

func TestDeleteMember(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	for _, id := range []tenant.TenantID{"acme", "other"} {
		addUser(t, s, userOf(id, "alice"))
		addRoom(t, s, roomOf(id, "r", tenant.Private))
		addMember(t, s, id, memberOf("r", "alice", tenant.RoleMember))
	}
	remove := func() error {
		return try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.DeleteMember(ctx, "acme", "r", "alice") })
	}
	must(t, remove())
	wantErr(t, "removing again", remove(), tenant.ErrNotFound)
	_, err := s.Membership(within(t), "other", "r", "alice")
	must(t, err)
}

func TestMembersPage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addRoom(t, s, roomOf("acme", "r", tenant.Private))
	for _, u := range []tenant.UserID{"a", "b", "c"} {
		addUser(t, s, userOf("acme", u))
		addMember(t, s, "acme", memberOf("r", u, tenant.RoleMember))
	}
	ids := func(p tenant.Page) (out string) {
		t.Helper()
		rows, err := s.Members(within(t), "acme", "r", p)
		must(t, err)
		for _, r := range rows {
			out += string(r.User)
		}
		return out
	}
	want(t, "first page", ids(tenant.Page{Limit: 2}), "ab")
	want(t, "next page", ids(tenant.Page{Limit: 2, After: "b"}), "c")
	want(t, "by name", ids(tenant.Page{Limit: 2, Query: "user c"}), "c")
}

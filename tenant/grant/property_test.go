package grant

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parley/tenant"
	"parley/tenant/subject"
)

var (
	users  = rapid.SampledFrom([]tenant.UserID{"a", "alice", "bob", "opens", "x-1", "z_9"})
	rooms  = rapid.SampledFrom([]tenant.RoomID{"r1", "r2", "alice", "bob", "town"})
	kinds  = rapid.SampledFrom([]tenant.Kind{tenant.Open, tenant.Announce, tenant.Private, tenant.Shared})
	roles  = rapid.SampledFrom([]tenant.Role{tenant.RoleReader, tenant.RoleMember, tenant.RolePoster, tenant.RoleModerator, tenant.RoleOwner})
	states = rapid.SampledFrom([]tenant.MemberState{tenant.Joined, tenant.Invited, tenant.Banned})
)

var memberships = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) tenant.Membership {
	m := tenant.Membership{
		Room:  rooms.Draw(t, "room"),
		Kind:  kinds.Draw(t, "kind"),
		Class: rapid.SampledFrom(tenant.Classes).Draw(t, "class"),
		Role:  roles.Draw(t, "role"),
		State: states.Draw(t, "state"),
	}
	if m.Kind == tenant.Shared {
		m.Address = string(rooms.Draw(t, "address"))
	}
	return m
}), 0, 8, func(m tenant.Membership) string { return string(m.Room) })

// ISO-19. Property: lists are never empty, sorted, free of doubles and of wildcards where there may be none.
func TestGrantIsWellFormed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		u, list, restricted := users.Draw(t, "user"), memberships.Draw(t, "rooms"), rapid.Bool().Draw(t, "restricted")
		g := For("acme", u, list, restricted)
		wellFormed(t, g, u)
		shuffled := rapid.Permutation(list).Draw(t, "order")
		if again := For("acme", u, shuffled, restricted); !slices.Equal(again.Pub, g.Pub) || !slices.Equal(again.Sub, g.Sub) {
			t.Fatalf("the order of the rooms matters: got %+v, want %+v", again, g)
		}
	})
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// shapes are all forms that a grant may have, U standing for the user and R for a literal
// token. Each has an exact count of tokens but the user's own inbox.
var shapes = map[string][]string{
	"pub": {
		"chat.api.U.*", "svc.*.R.U",
		"chat.*.open.*.U", "chat.*.direct.U.*.U", "chat.*.direct.*.U.U",
		"chat.R.open.R.U", "chat.R.announce.R.U", "chat.R.private.R.U", "chat.shared.R.U",
		"sig.*.open.*.U", "sig.*.direct.U.*.U", "sig.*.direct.*.U.U",
		"sig.R.open.R.U", "sig.R.announce.R.U", "sig.R.private.R.U",
	},
	"sub": {
		"_INBOX.U.>", "live.user.U.*",
		"live.*.open.*.*", "live.*.announce.*.*", "live.*.direct.U.*.*", "live.*.direct.*.U.*",
		"live.R.open.R.*", "live.R.announce.R.*", "live.R.private.R.*", "live.shared.R.*.*",
		"sig.*.open.*.*", "sig.*.announce.*.*", "sig.*.direct.U.*.*", "sig.*.direct.*.U.*",
		"sig.R.open.R.*", "sig.R.announce.R.*", "sig.R.private.R.*",
	},
}

func wellFormed(t fataler, g Grant, u tenant.UserID) {
	t.Helper()
	for name, list := range map[string][]string{"pub": g.Pub, "sub": g.Sub} {
		if len(list) == 0 {
			t.Fatalf("%s is empty, which NATS reads as everything", name)
		}
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Fatalf("%s: got %q, want it sorted without doubles", name, list)
		}
		for _, s := range list {
			if !slices.ContainsFunc(shapes[name], func(shape string) bool { return fits(shape, s, u) }) {
				t.Fatalf("%s: got %q, which is none of the known shapes", name, s)
			}
		}
	}
	if !slices.Equal(g.SubDeny, []string{"live.> >", "sig.> >"}) {
		t.Fatalf("deny: got %q, want the queue-only ones alone", g.SubDeny)
	}
}

func fits(shape, s string, u tenant.UserID) bool {
	want, got := strings.Split(shape, "."), strings.Split(s, ".")
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		switch w {
		case "U":
			w = string(u)
		case "R":
			// The class is one of the reserved words.
			if !tenant.ValidID(got[i]) && !slices.Contains(tenant.Classes, tenant.Class(got[i])) {
				return false
			}
			continue
		}
		if w != got[i] {
			return false
		}
	}
	return true
}

// Property: whatever the rows of both say, nobody may publish what speaks for another, listen to
// another's replies or notices, or publish where messages are delivered.
func TestGrantsKeepUsersApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		u, other := users.Draw(t, "user"), users.Draw(t, "other")
		if u == other {
			t.Skip("one user")
		}
		a := For("acme", u, memberships.Draw(t, "rooms"), rapid.Bool().Draw(t, "restricted"))
		b := For("acme", other, memberships.Draw(t, "other's rooms"), rapid.Bool().Draw(t, "other's restricted"))
		for _, p := range a.Pub {
			for _, q := range b.Pub {
				if overlap(p, q) {
					t.Fatalf("%s may publish %q, which overlaps %q of %s", u, p, q, other)
				}
			}
			for _, q := range b.Sub {
				if overlap(p, q) && !strings.HasPrefix(p, "sig.") {
					t.Fatalf("%s may publish %q, which reaches %q of %s", u, p, q, other)
				}
			}
		}
		for _, s := range a.Sub {
			for _, q := range []string{subject.Inboxes(other), subject.Notice(other, "*"), "chat.>", "$SYS.>", "$JS.>", "t.>"} {
				if overlap(s, q) {
					t.Fatalf("%s may subscribe %q, which overlaps %q", u, s, q)
				}
			}
		}
	})
}

// Property: a pattern for one kind of room never matches a subject of another form.
func TestPatternsDoNotCrossForms(t *testing.T) {
	t.Parallel()
	forms := []string{
		"live.user.*.*", "live.shared.*.*.*",
		"live.std.open.*.*", "live.std.announce.*.*", "live.std.private.*.*", "live.std.direct.*.*.*",
		"sig.std.open.*.*", "sig.std.announce.*.*", "sig.std.private.*.*", "sig.std.direct.*.*.*",
		"chat.api.*.*", "chat.shared.*.*",
		"chat.std.open.*.*", "chat.std.announce.*.*", "chat.std.private.*.*", "chat.std.direct.*.*.*",
	}
	// Where a wildcard of a form meets a literal of another, a reserved word keeps them apart:
	// no id can be one, which tenant.ValidID sees to.
	instance := strings.NewReplacer("*", "town")
	rapid.Check(t, func(t *rapid.T) {
		g := For("acme", users.Draw(t, "user"), memberships.Draw(t, "rooms"), rapid.Bool().Draw(t, "restricted"))
		for _, p := range append(g.Pub, g.Sub...) {
			hit := ""
			for _, form := range forms {
				if !matches(p, instance.Replace(form)) {
					continue
				}
				if hit != "" {
					t.Fatalf("%q matches subjects of %q and %q", p, hit, form)
				}
				hit = form
			}
		}
	})
}

// Property: a right in an open room, which the rows take away, is gone.
func TestBannedIsOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := memberships.Draw(t, "rooms")
		g := For("acme", "alice", list, true)
		for _, m := range list {
			if got, want := rightsIn(g, m), tenant.RightsOf(m.Kind, &m); got.Read && !want.Read || got.Post && !want.Post || got.Signal && !want.Signal {
				// Two shared rooms may have been drawn with one address.
				if m.Kind != tenant.Shared {
					t.Fatalf("%+v: got %+v, want %+v", m, got, want)
				}
			}
		}
	})
}

func FuzzFor(f *testing.F) {
	f.Add("alice", "r1", "", "private", "std", "member", "joined", false)
	f.Add("alice", "deal", "x1", "shared", "keep", "owner", "joined", true)
	f.Add("bob", "*", ">", "open", "*", "reader", "banned", false)
	f.Add("bob", "a.b", "a b", "direct", "mem", "poster", "invited", true)
	f.Fuzz(func(t *testing.T, user, room, address, kind, class, role, state string, restricted bool) {
		u, err := tenant.ParseUserID("user", user)
		if err != nil {
			return
		}
		g := For("acme", u, []tenant.Membership{{
			Room: tenant.RoomID(room), Address: address, Kind: tenant.Kind(kind), Class: tenant.Class(class),
			Role: tenant.Role(role), State: tenant.MemberState(state),
		}}, restricted)
		wellFormed(t, g, u)
	})
}

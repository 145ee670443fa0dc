package tenant

import "testing"

// TestRightsOf is the table of DESIGN.md section 4: every kind x role for those who joined.
func TestRightsOf(t *testing.T) {
	t.Parallel()
	var (
		none      = Rights{}
		read      = Rights{Read: true}
		signal    = Rights{Read: true, Signal: true}
		post      = Rights{Read: true, Post: true, Signal: true}
		moderate  = Rights{Read: true, Post: true, Signal: true, Moderate: true}
		own       = Rights{Read: true, Post: true, Signal: true, Moderate: true, Own: true}
		kinds     = []Kind{Open, Announce, Private, Direct, Shared}
		states    = []MemberState{Joined, Invited, Banned, "", "other"}
		everybody = map[Kind]Rights{Open: post, Announce: read}
	)
	roles := map[Role]map[Kind]Rights{
		RoleReader:    {Open: read, Announce: read, Private: read, Direct: read, Shared: read},
		RoleMember:    {Open: post, Announce: signal, Private: post, Direct: post, Shared: post},
		RolePoster:    {Open: post, Announce: post, Private: post, Direct: post, Shared: post},
		RoleModerator: {Open: moderate, Announce: moderate, Private: moderate, Direct: moderate, Shared: moderate},
		RoleOwner:     {Open: own, Announce: own, Private: own, Direct: own, Shared: own},
		"":            {},
		"admin":       {},
	}
	for _, kind := range kinds {
		if got, want := RightsOf(kind, nil), everybody[kind]; got != want {
			t.Errorf("%s without a row: got %+v, want %+v", kind, got, want)
		}
		for role, rights := range roles {
			for _, state := range states {
				want := none
				switch state {
				case Joined:
					want = rights[kind]
				case Invited:
					want = everybody[kind] // an invitation gives nothing yet and takes nothing away
				}
				if got := RightsOf(kind, &Membership{Kind: kind, Role: role, State: state}); got != want {
					t.Errorf("%s, %q, %q: got %+v, want %+v", kind, role, state, got, want)
				}
			}
		}
	}
}

func TestParseWords(t *testing.T) {
	t.Parallel()
	for _, k := range []Kind{Open, Announce, Private, Direct, Shared} {
		if got, err := ParseKind(string(k)); err != nil || got != k {
			t.Errorf("ParseKind(%q): got %q, %v", k, got, err)
		}
	}
	for _, c := range Classes {
		if got, err := ParseClass(string(c)); err != nil || got != c {
			t.Errorf("ParseClass(%q): got %q, %v", c, got, err)
		}
	}
	for _, r := range []Role{RoleReader, RoleMember, RolePoster, RoleModerator, RoleOwner} {
		if got, err := ParseRole(string(r)); err != nil || got != r {
			t.Errorf("ParseRole(%q): got %q, %v", r, got, err)
		}
	}
	if c, err := ParseClass(""); err != nil || c != Std {
		t.Errorf("ParseClass of nothing: got %q, %v, want std", c, err)
	}
	if r, err := ParseRole(""); err != nil || r != RoleMember {
		t.Errorf("ParseRole of nothing: got %q, %v, want member", r, err)
	}
	for _, s := range []string{"*", "Open", "std ", "admin", "_"} {
		_, errKind := ParseKind(s)
		_, errClass := ParseClass(s)
		_, errRole := ParseRole(s)
		if errKind == nil || errClass == nil || errRole == nil {
			t.Errorf("%q: got %v, %v, %v, want each refused", s, errKind, errClass, errRole)
		}
	}
	if _, err := ParseKind(""); err == nil {
		t.Error("a room of no kind")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	given := Limits{Users: 5, ConnectionsPerUser: 3}
	got := given.Effective(Plan)
	want := Plan
	want.Users, want.ConnectionsPerUser = 5, 3
	if got != want {
		t.Errorf("Effective: got %+v, want %+v", got, want)
	}
	if given != (Limits{Users: 5, ConnectionsPerUser: 3}) {
		t.Errorf("Effective changed its receiver: %+v", given)
	}
	for _, c := range []struct {
		l     Limits
		field string // "": allowed
	}{
		{Limits{}, ""},
		{Plan, ""},
		{maxLimits, ""},
		{Limits{Connections: -1}, "limits.connections"},
		{Limits{StorageBytes: maxLimits.StorageBytes + 1}, "limits.storage_bytes"},
		{Limits{MessageBytes: maxLimits.MessageBytes + 1}, "limits.message_bytes"},
		{Limits{ConnectionsPerUser: -1 << 63}, "limits.connections_per_user"},
	} {
		f := faults{}
		c.l.check(f)
		if _, bad := f[c.field]; c.field == "" && len(f) > 0 || c.field != "" && (!bad || len(f) != 1) {
			t.Errorf("%+v: got %v, want %q", c.l, f, c.field)
		}
	}
}

package accounts

import (
	"testing"
	"time"

	"parley/tenant"
)

// What the rows say of a JWT gives one reason, the first that an admin would look for.
func TestReasonsOfTheServersRefusals(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	alice := meant{tenant: "acme", status: tenant.Active, user: "alice", userStatus: tenant.UserActive, credential: tenant.CredentialService}
	with := func(change func(m *meant)) meant {
		m := alice
		change(&m)
		return m
	}
	signed := with(func(m *meant) { m.credential, m.scoped = "", tenant.ScopedMember })
	for _, c := range []struct {
		name string
		k    knock
		m    meant
		want *refusal // nil: let in
	}{
		{"let in", knock{came: true}, alice, nil},
		{"signed by his tenant and let in", knock{came: true}, signed, nil},
		{"no tenant", knock{}, meant{}, refuseTenant},
		{"a tenant that is deleted", knock{}, with(func(m *meant) { m.status = tenant.Deleting }), refuseTenant},
		{"a suspended tenant", knock{}, with(func(m *meant) { m.status = tenant.Suspended }), refuseSuspended},
		{"a removed key", knock{}, with(func(m *meant) { m.credential, m.scoped, m.scopedIsGone = "", tenant.ScopedMember, true }), refuseKeyGone},
		{"signed by nobody known", knock{}, meant{tenant: "acme", status: tenant.Active}, refuseCreds},
		{"the nkey of a user, signed by nobody known", knock{}, with(func(m *meant) { m.credential = "" }), refuseCreds},
		{"an nkey that is nobody's, let in", knock{came: true}, meant{tenant: "acme", status: tenant.Active, scoped: tenant.ScopedMember}, refuseNKey},
		{"a deleted user", knock{}, with(func(m *meant) { m.userStatus = tenant.UserDeleted }), refuseUserDeleted},
		{"a revoked user", knock{}, with(func(m *meant) { m.userStatus = tenant.UserRevoked }), refuseRevoked},
		{"a revoked user who is let in by a server behind", knock{came: true}, with(func(m *meant) { m.userStatus = tenant.UserRevoked }), refuseRevoked},
		{"revoked credentials", knock{}, with(func(m *meant) { m.revoked = true }), refuseCredsGone},
		{"one too many", knock{crowded: true}, alice, refuseCrowd},
		{"one too many, who is revoked", knock{crowded: true}, with(func(m *meant) { m.revoked = true }), refuseCredsGone},
		{"out of date", knock{expires: 1000, at: now}, signed, refuseExpired},
		{"not yet out of date", knock{expires: 1001, at: now}, signed, refuseSignature},
		{"a wrong seed", knock{}, alice, refuseSignature},
	} {
		if got := c.k.refused(c.m); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// What a client made up is looked up only where it can be a key.
func TestAsNKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"UABC234": "UABC234", "": "", "a": "", "A\x00": "", "A'": "", "Ä": ""} {
		if got := asNKey(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

package grant

import (
	"parley/tenant"
	"parley/tenant/subject"
)

// subjectTemplate is what the servers replace by the nkey of a user JWT. Its other templates hold what the
// signer wrote, wildcards among it (NATS.md).
const subjectTemplate = "{{subject()}}"

// ForScoped grants what the users of a scoped signing key have, all of them the same: the servers put
// each one's nkey in the place of the user. It is allow lists alone, and coarse: what one may do in
// one room but not in another, no template can say. An unknown role has no rights.
func ForScoped(t tenant.TenantID, role tenant.ScopedRole) (g Grant, ok bool) {
	switch role {
	case tenant.ScopedService:
		return forBackend(t, subjectTemplate, false), true
	case tenant.ScopedMember:
		b := builder{tenant: t, user: subjectTemplate}
		b.ask()
		b.sub = append(b.sub, subject.Notice(b.user, subject.Any), subject.Inboxes(b.user))
		for _, k := range []tenant.Kind{tenant.Open, tenant.Announce} {
			r := tenant.RightsOf(k, nil)
			r.Signal = false // a signal's reader could not say whose an nkey is
			b.allow(subject.Post{Class: subject.Any, Kind: k, Room: subject.Any}, r)
		}
		return b.grant(), true
	}
	return Grant{}, false
}

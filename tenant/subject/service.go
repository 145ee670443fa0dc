package subject

import (
	"strings"

	"parley/tenant"
)

// A service is a backend's, which answers requests on svc.<name>.<from>.<user>: from is the tenant for its own
// users, and the id of the share for those of another tenant. That id is known to no user, so that none can
// aim an answer of another service at one of his own tenant's as if another tenant had asked (ADR 17).
const (
	// AllServices matches all requests to a tenant's backends.
	AllServices = "svc.>"
	// ServicesExport is what a tenant's account exports, to whoever holds an activation for a part of it.
	ServicesExport = "svc.*.*.*"
	// AllAnswers matches where a backend answers requests of other tenants: the server makes these
	// subjects, one for each request, and lets no client name one as its reply.
	AllAnswers = serversOwn + ">"

	serversOwn = "_R_."
)

// Questions is what the backend of a service hears.
func Questions(service string) string { return "svc." + service + "." + Any + "." + Any }

// ParseQuestion tells who asks a service on a subject, and from where.
func ParseQuestion(service, subject string) (from, user string, ok bool) {
	t := strings.Split(subject, ".")
	if len(t) != 4 || t[0] != "svc" || t[1] != service {
		return "", "", false
	}
	return t[2], t[3], true
}

// ServersAnswer reports whether a server made a reply subject.
func ServersAnswer(reply string) bool { return strings.HasPrefix(reply, serversOwn) }

// Ask is where a user asks a service of his tenant's, or <name>@<host> of another's.
func Ask(service string, t tenant.TenantID, u tenant.UserID) string {
	return "svc." + service + "." + string(t) + "." + string(u)
}

// SharedService is what a guest's account imports of ServicesExport. Each message there is of one of its users.
func SharedService(service, share string) string { return "svc." + service + "." + share + "." + Any }

// GuestService is how SharedService appears in the guest's account. The wildcard has to stay the fourth
// token: an answer that is aimed here arrives with its own subject of three, and so is renamed to none.
func GuestService(service string, host, guest tenant.TenantID) string {
	return Ask(service+"@"+string(host), guest, Any)
}

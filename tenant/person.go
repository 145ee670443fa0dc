package tenant

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"
)

// A PersonID names a person of the console. It is made, not chosen.
type PersonID string

// A Profile is a person who uses the console: an operator, or somebody who works for tenants.
// Users of a tenant's rooms are Users, and have none.
type Profile struct {
	ID           PersonID  `json:"id"`
	Email        string    `json:"email"` // in lower case
	Name         string    `json:"name"`
	PasswordHash Secret    `json:"-"`        // argon2id in PHC form, or empty
	Operator     bool      `json:"operator"` // sees the operator's pages
	Founder      bool      `json:"founder"`  // may make tenants
	CreatedAt    time.Time `json:"created_at"`
}

// SeatRole is what a person may do in a tenant.
type SeatRole string

// The roles of people in a tenant, weakest first.
const (
	SeatViewer    SeatRole = "viewer"    // reads everything but secrets
	SeatDeveloper SeatRole = "developer" // also makes tokens, and posts as users
	SeatModerator SeatRole = "moderator" // reads and posts, keeps order in rooms, throws users out and lets them in
	SeatAdmin     SeatRole = "admin"     // everything but the owner's
	SeatOwner     SeatRole = "owner"     // also names owners, and deletes the tenant
)

// SeatRoles are all roles, weakest first.
var SeatRoles = []SeatRole{SeatViewer, SeatDeveloper, SeatModerator, SeatAdmin, SeatOwner}

// ParseSeatRole parses the role of a person in a tenant.
func ParseSeatRole(s string) (SeatRole, error) {
	for _, r := range SeatRoles {
		if string(r) == s {
			return r, nil
		}
	}
	return "", Invalid("role", "must be viewer, developer, moderator, admin or owner")
}

// scopes of a role. ScopeAdmin includes ScopeModerate.
func (r SeatRole) scopes() []Scope {
	switch r {
	case SeatViewer:
		return []Scope{ScopeRead}
	case SeatDeveloper:
		return []Scope{ScopeRead, ScopeChat}
	case SeatModerator:
		return []Scope{ScopeRead, ScopeChat, ScopeModerate}
	case SeatAdmin, SeatOwner:
		return AllScopes
	}
	return nil
}

// A Seat is a person's place in a tenant.
type Seat struct {
	Tenant     TenantID  `json:"tenant"`
	TenantName string    `json:"-"` // in lists of a person's seats
	Person     PersonID  `json:"person"`
	Email      string    `json:"email"`
	Name       string    `json:"name"`
	Role       SeatRole  `json:"role"`
	Since      time.Time `json:"since"`
}

// A Visit is an operator's stay in a tenant that he has no seat in.
type Visit struct {
	Person PersonID  `json:"person"`
	Tenant TenantID  `json:"tenant"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

// A Login is one open session of a person in a browser.
type Login struct {
	ID        string    // names it in lists; no secret
	Hash      []byte    // SHA-256 of the cookie's secret
	Person    PersonID  //
	CreatedAt time.Time // when he logged in
	SeenAt    time.Time // to the minute
	ExpiresAt time.Time
	Address   string // of the browser
	Agent     string // what the browser calls itself
}

// How long a login lasts: at most LoginLife, and LoginIdle without a request.
const (
	LoginLife = 14 * 24 * time.Hour
	LoginIdle = 3 * 24 * time.Hour
)

// LinkKind is what a link lets its holder do.
type LinkKind string

// The kinds of links.
const (
	LinkOperator LinkKind = "operator" // become an operator
	LinkFounder  LinkKind = "founder"  // sign up and make tenants
	LinkSeat     LinkKind = "seat"     // work for a tenant
	LinkRecovery LinkKind = "recovery" // set a new password
)

// A Link is handed to a person and works once. Its secret travels behind the # of a URL, which
// browsers send to nobody.
type Link struct {
	ID         string
	Hash       []byte // SHA-256 of its secret
	Kind       LinkKind
	Tenant     TenantID // of a seat
	TenantName string   // set by the store
	Role       SeatRole // of a seat
	Person     PersonID // of a recovery
	By         string   // the actor who made it
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// How long links work.
const (
	operatorLinkLife = 24 * time.Hour
	inviteLinkLife   = 7 * 24 * time.Hour
	recoveryLinkLife = time.Hour
)

// A Principal is who asks: the login of a request with all that it may do, read at one moment.
type Principal struct {
	Login   Login
	Profile Profile
	Seats   []Seat
	Visits  []Visit // those that are not over
}

// Actor returns the person as he asks for operations on tenants: in each with the scopes of his
// seat, or of an admin where he visits.
func (s Principal) Actor() Actor {
	roles := make(map[TenantID]SeatRole, len(s.Seats)+len(s.Visits))
	for _, v := range s.Visits {
		roles[v.Tenant] = SeatAdmin
	}
	for _, seat := range s.Seats {
		roles[seat.Tenant] = seat.Role
	}
	return Actor{kind: actorPerson, id: s.Profile.Email, roles: roles}
}

// Operator returns the person as he asks for the operator's operations.
func (s Principal) Operator() (Actor, error) {
	if !s.Profile.Operator {
		return Actor{}, Errorf(CodeForbidden, "only operators may do this")
	}
	return Actor{kind: actorOperator, id: s.Profile.Email}, nil
}

// Visiting returns the visit by which the person is in a tenant, if it is by one.
func (s Principal) Visiting(t TenantID) (Visit, bool) {
	for _, seat := range s.Seats {
		if seat.Tenant == t {
			return Visit{}, false
		}
	}
	for _, v := range s.Visits {
		if v.Tenant == t {
			return v, true
		}
	}
	return Visit{}, false
}

func newPersonID() PersonID { return PersonID(strings.ToLower(rand.Text()[:16])) }

// newSecret makes what proves a login or a link: 130 random bits, of which only the hash is kept.
func newSecret() (id string, secret Secret, hash []byte) {
	secret = Secret(rand.Text())
	return strings.ToLower(rand.Text()[:12]), secret, hashSecret(secret)
}

func hashSecret(s Secret) []byte {
	h := sha256.Sum256([]byte(s.Reveal()))
	return h[:]
}

const maxEmail = 254 // bytes, RFC 5321

// parseEmail returns the address in the form that is compared.
func parseEmail(f faults, field, s string) string {
	s = NormalEmail(s)
	local, domain, ok := strings.Cut(s, "@")
	ok = ok && local != "" && domain != "" && !strings.ContainsAny(domain, "@ ") && !strings.ContainsAny(local, " ") && len(s) <= maxEmail
	f.check(ok, field, "must be an e-mail address, as ada@example.com")
	if ok {
		checkText(f, field, s)
	}
	return s
}

// NormalEmail is an address in the form that is compared.
func NormalEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

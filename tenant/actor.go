package tenant

import "slices"

// Scope is what an API key may do.
type Scope string

// The scopes of API keys. Each includes only itself.
const (
	ScopeRead  Scope = "read"
	ScopeChat  Scope = "chat"
	ScopeAdmin Scope = "admin"

	// ScopeModerate is for people of the console alone; ScopeAdmin includes it.
	ScopeModerate Scope = "moderate"
)

// AllScopes are the scopes of the key that a new tenant gets.
var AllScopes = []Scope{ScopeRead, ScopeChat, ScopeAdmin}

type actorKind int

const (
	actorNobody actorKind = iota // the zero Actor may do nothing
	actorOperator
	actorKey
	actorUser
	actorPerson
	actorSystem
)

// An Actor is who asks for an operation, as the edge authenticated him.
type Actor struct {
	kind   actorKind
	id     string
	tenant TenantID
	scopes []Scope
	roles  map[TenantID]SeatRole // of a person
}

// Operator is whoever holds the operator's token.
func Operator() Actor { return Actor{kind: actorOperator} }

// AsUser is a user of a tenant who asks over NATS, where his subject proves who he is.
func AsUser(t TenantID, u UserID) Actor { return Actor{kind: actorUser, id: string(u), tenant: t} }

// platform is Parley itself, which acts by its own rules. It passes no Allow.
var platform = Actor{kind: actorSystem}

// String names the actor in the audit log.
func (a Actor) String() string {
	switch a.kind {
	case actorOperator:
		if a.id != "" {
			return "operator:" + a.id
		}
		return "operator"
	case actorPerson:
		return "person:" + a.id
	case actorKey:
		return "key:" + a.id
	case actorUser:
		return "user:" + a.id
	case actorSystem:
		return "system"
	}
	return "nobody"
}

// Sees reports whether the tenant's things exist for the actor.
func (a Actor) Sees(t TenantID) bool {
	switch a.kind {
	case actorOperator:
		return true
	case actorKey:
		return a.tenant == t
	case actorPerson:
		return a.roles[t] != ""
	}
	return false
}

// Allow refuses what the actor may not do: not_found where the tenant is none of his,
// forbidden where his key lacks the scope.
func (a Actor) Allow(s Scope, t TenantID) error {
	switch {
	case !a.Sees(t):
		return NotFound("tenant")
	case a.kind == actorPerson && !a.has(a.roles[t].scopes(), s):
		return Errorf(CodeForbidden, "your role in this tenant is %s, which may not do this; ask an admin of the tenant", a.roles[t])
	case a.kind == actorKey && !a.has(a.scopes, s):
		return Errorf(CodeForbidden, "this API key lacks the scope %q; use a key that has it", s)
	}
	return nil
}

func (Actor) has(scopes []Scope, s Scope) bool {
	return slices.Contains(scopes, s) || s == ScopeModerate && slices.Contains(scopes, ScopeAdmin)
}

// allowOwner refuses all but the operator and owners of the tenant.
func (a Actor) allowOwner(t TenantID) error {
	switch {
	case !a.Sees(t):
		return NotFound("tenant")
	case a.kind == actorOperator, a.kind == actorPerson && a.roles[t] == SeatOwner:
		return nil
	}
	return Errorf(CodeForbidden, "only an owner of the tenant may do this")
}

// AllowOperator refuses all but operators.
func (a Actor) AllowOperator() error {
	if a.kind != actorOperator {
		return Errorf(CodeForbidden, "only the operator may do this")
	}
	return nil
}

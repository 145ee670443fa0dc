package accounts

import (
	"sort"
	"time"

	"github.com/nats-io/jwt/v2"

	"parley/tenant"
	"parley/tenant/grant"
	"parley/tenant/subject"
)

// Claims are pure functions of what the database holds: no clock, no key, no order of maps.

const (
	// headerBytes is what a message may carry beside its body: its id and the like.
	headerBytes = 4 << 10
	// maxPayload is the servers' own limit.
	maxPayload = 1 << 20
	// maxSubs bounds one connection: some for each of its listed rooms, and its inboxes.
	maxSubs = 1000
	// answerTime is how long a server keeps the way back for the answer of a service.
	answerTime = 30 * time.Second
	// maxClosed is how many subjects of closed rooms and muted users an account's mappings
	// close, since each costs every post a little (NATS.md). The projector refuses what the
	// others still get.
	maxClosed = 100
)

// A closedPost is a room or a user whose posts are mapped away.
type closedPost struct {
	Class   tenant.Class  `json:"class"` // or *: the pair's room need not be there yet
	Kind    tenant.Kind   `json:"kind"`
	Room    tenant.RoomID `json:"room"` // empty: all rooms
	Address tenant.RoomID `json:"address"`
	User    tenant.UserID `json:"user"` // empty: all users
	Why     string        `json:"why"`  // the state of the room, why the user is muted, or blocked
}

// subjects are what is mapped away, as users post.
func (c closedPost) subjects() []string {
	if c.Room == "" {
		return subject.PostsOf(c.User)
	}
	p := subject.Post{Class: c.Class, Kind: c.Kind, Room: c.Room, Sender: subject.Any}
	if c.Kind == tenant.Shared {
		p.Room = c.Address
	}
	if c.User != "" {
		p.Sender = string(c.User)
	}
	return []string{p.Chat()}
}

// tenantFacts are all that a tenant's claims depend on.
type tenantFacts struct {
	Tenant  tenant.TenantID
	Account string
	Limits  tenant.Limits
	Status  tenant.Status
	Signing []string
	Closed  []closedPost // newest first, blocked pairs behind all others
	Scoped  []scopedKey  // of the tenant, in the order of their ids
	Revoked []string     // nkeys that the servers would let in by themselves
	// RevokedBefore shuts out all JWTs of until then, in Unix seconds, where more were revoked than the claims name; 0: none.
	RevokedBefore int64
	Shared        []sharedRoom    // in the order of their addresses
	Asked         []sharedService // of other tenants, in the order of their shares
}

// systemFacts are all that the claims of the operator and its three accounts depend on.
type systemFacts struct {
	operator, sys, auth, parley account
	callout                     string // public user nkey
	xkey                        string
}

// account is the id of an account and the keys that sign for it.
type account struct {
	id      string
	signing []string
}

func operatorClaims(f systemFacts) *jwt.OperatorClaims {
	c := jwt.NewOperatorClaims(f.operator.id)
	c.Name, c.Type, c.Version = "parley", jwt.OperatorClaim, claimsVersion
	c.SigningKeys.Add(f.operator.signing...)
	c.SystemAccount = f.sys.id
	c.StrictSigningKeyUsage = true
	return c
}

func sysClaims(f systemFacts) *jwt.AccountClaims { return newAccount("SYS", f.sys) }

func authClaims(f systemFacts) *jwt.AccountClaims {
	c := newAccount("AUTH", f.auth)
	c.EnableExternalAuthorization(f.callout)
	c.Authorization.AllowedAccounts.Add(jwt.AnyAccount)
	c.Authorization.XKey = f.xkey
	c.DefaultPermissions = denyAll()
	return c
}

func parleyClaims(f systemFacts) *jwt.AccountClaims {
	c := newAccount("PARLEY", f.parley)
	c.DefaultPermissions = denyAll()
	c.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
		MaxAckPending: jwt.NoLimit, MemoryMaxStreamBytes: jwt.NoLimit, DiskMaxStreamBytes: jwt.NoLimit,
	}
	c.Limits.Exports, c.Limits.WildcardExports = jwt.NoLimit, true
	c.Exports.Add(
		// One service export for everything: a second would let the answers of one be aimed
		// at the other (NATS.md, the platform-held layout).
		&jwt.Export{
			Name: "chat", Subject: subject.ServiceExport, Type: jwt.Service,
			ResponseType: jwt.ResponseTypeSingleton, AccountTokenPosition: subject.AccountToken,
		},
		&jwt.Export{Name: "live", Subject: subject.LiveExport, Type: jwt.Stream, AccountTokenPosition: subject.AccountToken},
		&jwt.Export{Name: "shared", Subject: subject.SharedExport, Type: jwt.Stream, TokenReq: true},
	)
	sort.Sort(c.Exports)
	return c
}

func tenantClaims(f tenantFacts, platform string) *jwt.AccountClaims {
	c := newAccount(string(f.Tenant), account{f.Account, f.Signing})
	c.DefaultPermissions = denyAll()
	c.Limits.DisallowBearer = true
	limits := f.Limits.Effective(tenant.Plan)
	c.Limits.Conn, c.Limits.Subs = limits.Connections, maxSubs
	c.Limits.Payload = min(limits.MessageBytes+headerBytes, maxPayload)
	c.Imports.Add(
		&jwt.Import{
			Name: "chat", Account: platform, Type: jwt.Service,
			Subject: jwt.Subject(subject.AccountService(f.Account)), LocalSubject: subject.ChatAll,
		},
		&jwt.Import{
			Name: "live", Account: platform, Type: jwt.Stream,
			Subject: jwt.Subject(subject.AccountLive(f.Account)), LocalSubject: subject.LiveAll,
		},
	)
	sort.Sort(c.Imports)
	c.Limits.Exports, c.Limits.WildcardExports = 1, true
	c.Exports.Add(&jwt.Export{
		Name: "services", Subject: subject.ServicesExport, Type: jwt.Service, TokenReq: true,
		ResponseType: jwt.ResponseTypeSingleton, ResponseThreshold: answerTime,
	})
	scope(c, f)
	closeSubjects(c, f.Closed)
	revoke(c, f)
	return c
}

// A scopedKey signs users of a tenant, with the rights of its role.
type scopedKey struct {
	Key  string            `json:"key"`
	Role tenant.ScopedRole `json:"role"`
}

// scope adds the tenant's own keys. A key of ours that got among them stays ours, without a scope.
func scope(c *jwt.AccountClaims, f tenantFacts) {
	for _, k := range f.Scoped {
		g, ok := grant.ForScoped(f.Tenant, k.Role)
		if _, ours := c.SigningKeys[k.Key]; ours || !ok || k.Key == f.Account {
			continue
		}
		s := jwt.NewUserScope()
		s.Key, s.Role = k.Key, string(k.Role)
		s.Template.AllowedConnectionTypes.Add(jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket)
		s.Template.Pub.Allow, s.Template.Sub.Allow, s.Template.Sub.Deny = g.Pub, g.Sub, g.SubDeny
		c.SigningKeys.AddScopedSigner(s)
	}
}

// forever is later than any user JWT's iat, in Unix seconds: year 9999. The time of the
// revocation would be nothing that the rows say of a user who is only kept out for now.
const forever = 253402300799

// revoke shuts out whom no callout is asked about. Of a suspended tenant that is everybody.
func revoke(c *jwt.AccountClaims, f tenantFacts) {
	revoked := f.Revoked
	if f.Status != tenant.Active {
		revoked = []string{jwt.All}
	}
	if len(revoked) == 0 && f.RevokedBefore == 0 {
		return
	}
	c.Revocations = jwt.RevocationList{}
	if f.RevokedBefore > 0 {
		c.Revocations[jwt.All] = f.RevokedBefore
	}
	for _, nkey := range revoked {
		c.Revocations[nkey] = forever
	}
}

// closeSubjects maps away what nobody in the account may publish. A subject that no mapping
// matches passes unchanged.
func closeSubjects(c *jwt.AccountClaims, closed []closedPost) {
	// Imported messages don't pass the mappings: what the platform republishes still arrives.
	voidTo(c, subject.LiveAll, subject.VoidAll)
	for _, posts := range subject.SystemPosts {
		voidTo(c, posts, subject.Void("system"))
	}
	left := maxClosed
	for _, p := range closed {
		subjects := p.subjects()
		if left -= len(subjects); left < 0 {
			return
		}
		for _, s := range subjects {
			voidTo(c, s, subject.Void(p.Why))
		}
	}
}

func voidTo(c *jwt.AccountClaims, from, to string) {
	c.AddMapping(jwt.Subject(from), jwt.WeightedMapping{Subject: jwt.Subject(to), Weight: 100})
}

// newAccount has no JetStream, exports, leaf nodes or bearer users.
func newAccount(name string, a account) *jwt.AccountClaims {
	c := jwt.NewAccountClaims(a.id)
	c.Name, c.Type, c.Version = name, jwt.AccountClaim, claimsVersion
	c.SigningKeys.Add(a.signing...)
	c.Limits.Exports, c.Limits.WildcardExports, c.Limits.LeafNodeConn = 0, false, 0
	return c
}

func denyAll() jwt.Permissions {
	return jwt.Permissions{Pub: jwt.Permission{Deny: []string{">"}}, Sub: jwt.Permission{Deny: []string{">"}}}
}

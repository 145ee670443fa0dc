package authcallout

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// A testTenant is what the directory and the keyring know of one tenant.
type testTenant struct {
	id       tenant.TenantID
	account  nkeys.KeyPair
	signing  nkeys.KeyPair
	tokenKey ed25519.PrivateKey
	status   tenant.Status
}

func newTestTenant(id tenant.TenantID) *testTenant {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return &testTenant{
		id: id, account: newKey(nkeys.PrefixByteAccount), signing: newKey(nkeys.PrefixByteAccount),
		tokenKey: key, status: tenant.Active,
	}
}

func (tt *testTenant) tokenPublic() ed25519.PublicKey {
	return tt.tokenKey.Public().(ed25519.PublicKey)
}

func (tt *testTenant) kid() string { return base64.RawURLEncoding.EncodeToString(tt.tokenPublic()) }

// directory is the database of the tests, and their keyring, sessions and refusals.
type directory struct {
	mu       sync.Mutex
	tenants  map[tenant.TenantID]*testTenant
	users    map[string]tenant.User // by tenant/user
	creds    map[string]tenant.Credential
	revoked  map[string]bool // creds
	rooms    map[string][]tenant.Membership
	limited  map[string]bool // restricted users
	limits   tenant.Limits
	present  []int64 // sessions of any user, for each question the next; the last stays
	err      error
	asked    []tenant.Claim
	panics   bool
	refusals chan tenant.Refusal
	sessions chan tenant.Session
	opened   int
	keys     []tenant.Key
	welcome  error // of Welcome
	welcomed []tenant.Newcomer
}

func newDirectory() *directory {
	return &directory{
		tenants: map[tenant.TenantID]*testTenant{}, users: map[string]tenant.User{}, creds: map[string]tenant.Credential{},
		revoked: map[string]bool{}, rooms: map[string][]tenant.Membership{}, limited: map[string]bool{},
		refusals: make(chan tenant.Refusal, 1000), sessions: make(chan tenant.Session, 1000),
	}
}

func (d *directory) addTenant(id tenant.TenantID) *testTenant {
	d.mu.Lock()
	defer d.mu.Unlock()
	tt := newTestTenant(id)
	d.tenants[id] = tt
	return tt
}

func (d *directory) addUser(u tenant.User) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if u.Status == "" {
		u.Status = tenant.UserActive
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt = time.Now().Add(-time.Hour)
	}
	if u.TokensFrom.IsZero() {
		u.TokensFrom = u.CreatedAt
	}
	d.users[string(u.Tenant)+"/"+string(u.ID)] = u
}

// Welcome makes users of whoever comes.
func (d *directory) Welcome(_ context.Context, t tenant.TenantID, n tenant.Newcomer) error {
	d.mu.Lock()
	d.welcomed = append(d.welcomed, n)
	err := d.welcome
	d.mu.Unlock()
	if err == nil {
		u := tenant.User{Tenant: t, ID: n.Handle.ID, ExternalID: n.Handle.External, TokensFrom: time.Unix(1, 0)}
		if u.ID == "" {
			u.ID = "made"
		}
		d.addUser(u)
	}
	return err
}

// set changes the directory between questions.
func (d *directory) set(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
}

func (d *directory) claims() []tenant.Claim {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *directory) Identity(_ context.Context, c tenant.Claim) (tenant.Identity, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, c)
	if d.panics {
		panic("a bug with a secret in it: hunter2")
	}
	if d.err != nil {
		return tenant.Identity{}, d.err
	}
	t, u := c.Tenant, c.User
	if c.Creds != "" {
		cred, ok := d.creds[c.Creds]
		if !ok {
			return tenant.Identity{}, tenant.NotFound("credential")
		}
		t, u = cred.Tenant, cred.User
	}
	var ca []tenant.Key
	for _, k := range d.keys {
		if k.Kind == tenant.KeyTLSCA && (slices.Contains(c.Certificate.Issuers, k.CA) || slices.Contains(c.Certificate.Issuers, k.CAName)) {
			t, u, ca = k.Tenant, c.Certificate.Names[k.UserField].ID, []tenant.Key{k}
		}
	}
	if c.NKey != "" {
		t = ""
		for _, row := range d.users {
			if row.NKey == c.NKey {
				t, u = row.Tenant, row.ID
			}
		}
	}
	var signers []tenant.Key
	for _, k := range d.keys {
		switch {
		case !c.Foreign:
		case k.Kind == tenant.KeyOIDC && k.Issuer == c.IDToken.Issuer && k.ClientID == c.IDToken.Audience:
			signers = append(signers, k)
			t, u, c.External = k.Tenant, c.IDToken.Names[k.UserClaim].ID, c.IDToken.Names[k.UserClaim].External
		case k.Tenant == t && (k.Kind == tenant.KeyJWKS || k.Kind == tenant.KeyUserToken && k.ID == c.TokenID):
			signers = append(signers, k)
		}
	}
	if c.External != "" {
		u = ""
		for _, row := range d.users {
			if row.Tenant == t && row.ExternalID == c.External {
				u = row.ID
			}
		}
	}
	tt, ok := d.tenants[t]
	if !ok || tt.status == tenant.Deleting {
		return tenant.Identity{}, tenant.NotFound("tenant")
	}
	name := string(t) + "/" + string(u)
	id := tenant.Identity{
		Tenant: t, Account: public(tt.account), Status: tt.status, User: d.users[name],
		Signing:      tenant.SealedKey{Account: public(tt.account), KeyID: public(tt.signing), Purpose: "signing"},
		CredsRevoked: d.revoked[c.Creds], Rooms: d.rooms[name], Restricted: d.limited[name],
	}
	id.Limits, id.Keys = d.limits, append(signers, ca...)
	if len(d.present) > 0 {
		id.Connections = d.present[0]
	}
	if len(d.present) > 1 {
		d.present = d.present[1:]
	}
	if c.TokenID == tt.kid() && !c.Foreign {
		id.TokenKey = tt.tokenPublic()
	}
	return id, nil
}

func (d *directory) Signer(k tenant.SealedKey) (nkeys.KeyPair, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	for _, tt := range d.tenants {
		if public(tt.signing) == k.KeyID {
			return tt.signing, nil
		}
	}
	return nil, tenant.NotFound("key")
}

func (d *directory) Record(s tenant.Session) { d.sessions <- s }
func (d *directory) Refuse(r tenant.Refusal) { d.refusals <- r }

// issueCreds makes a user JWT in an account, AUTH mostly, and the credential's row.
func (d *directory) issueCreds(signer nkeys.KeyPair, account string, t tenant.TenantID, u tenant.UserID) (userJWT string, user nkeys.KeyPair) {
	user = newKey(nkeys.PrefixByteUser)
	c := jwt.NewUserClaims(public(user))
	c.Name, c.IssuerAccount = string(u), account
	c.Tags.Add("tenant:"+string(t), "user:"+string(u))
	c.Pub.Deny.Add(">")
	c.Sub.Deny.Add(">")
	c.AllowedConnectionTypes = jwt.StringList{jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket}
	userJWT = must(c.Encode(signer))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.creds[c.Subject] = tenant.Credential{NKey: c.Subject, Tenant: t, User: u}
	return userJWT, user
}

package tenant

import (
	"crypto/ed25519"
	"time"
)

// A Claim is what a client says it is, before anything is believed.
// Tenant and User are empty where an nkey alone says it, or a token's issuer and audience.
type Claim struct {
	Tenant   TenantID
	User     UserID
	External string       // the user's external id, in place of User
	TokenID  string       // kid of the key that signed the token, when the method is token
	Foreign  bool         // the token is none of Parley's own: a key of the tenant must have signed it
	IDToken  IDTokenClaim // of a foreign token that names no tenant
	Creds    string       // public nkey of the .creds file, when the method is creds
	Token    string       // jti of the token, likewise
	// Certificate finds the tenant by the key of kind tls-ca that issued it.
	Certificate CertificateClaim
	NKey        string   // registered public nkey of the user, when the method is nkey
	Rooms       []RoomID // the working set that the client names; nil: the latest active
}

// An IDTokenClaim finds the tenant by the key of kind oidc that has the issuer and the client,
// and the user by that one of the token's claims which the key names.
type IDTokenClaim struct {
	Issuer, Audience string
	Names            map[string]Handle // by the claim's name
}

// A CertificateClaim is what a client certificate says. The names are by the field of the certificate.
type CertificateClaim struct {
	Issuers []string // of the leaf first: CAIDs
	Names   map[string]Handle
}

// NamesSomebody reports whether there is anything to look up.
func (c Claim) NamesSomebody() bool {
	return c.Tenant != "" || c.Creds != "" || c.NKey != "" || c.IDToken.Issuer != "" || len(c.Certificate.Issuers) > 0
}

// An Identity is everything that one decision of the callout rests on, read at one moment.
type Identity struct {
	Tenant  TenantID
	Account string // public nkey
	Status  Status
	Limits  Limits
	User    User
	// Connections are the user's sessions, counted only where Limits.ConnectionsPerUser is set.
	Connections int64
	Signing     SealedKey         // the account's signing key
	TokenKey    ed25519.PublicKey // of Parley's own token; nil: the tenant has no key of that id
	// Keys are those that a foreign token may have been signed with: of kind user-token the one
	// that it names, also if that was removed; of kind jwks all; of kind oidc the issuer's.
	// Of a client certificate it is the one of kind tls-ca, also if that was removed.
	Keys []Key
	// CredsRevoked is set when the credential of the claim was revoked or is unknown.
	CredsRevoked bool
	// TokenRevoked is set when the token of the claim was revoked by itself.
	TokenRevoked bool
	// Rooms are the listed rooms of the working set: private and shared ones, rooms where the
	// user has other rights than everybody, and, where Restricted, the open rooms he is in.
	Rooms []Membership
	// Restricted: the user is banned from, or only a reader in, some open or announce room,
	// and so loses the wildcards over them.
	Restricted bool
}

// MaxListedRooms is how many rooms one connection carries one by one.
const MaxListedRooms = 50

// TokenLife bounds what a token may live.
const (
	MinTokenLife     = time.Second
	MaxTokenLife     = 24 * time.Hour
	DefaultTokenLife = time.Hour
)

// TokenIssuer is the iss of the tokens that Parley signs.
const TokenIssuer = "parley"

// TokenAudience is the aud of the tokens of a tenant's users.
func TokenAudience(t TenantID) string { return "parley:" + string(t) }

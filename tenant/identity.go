package tenant

import (
	"crypto/ed25519"
	"time"
)

// A Claim is what a client says it is, before anything is believed.
// Tenant and User are empty where an nkey alone says it.
type Claim struct {
	Tenant  TenantID
	User    UserID
	TokenID string   // kid of the key that signed the token, when the method is token
	Creds   string   // public nkey of the .creds file, when the method is creds
	NKey    string   // registered public nkey of the user, when the method is nkey
	Rooms   []RoomID // the working set that the client names; nil: the latest active
}

// NamesSomebody reports whether there is anything to look up.
func (c Claim) NamesSomebody() bool { return c.Tenant != "" || c.Creds != "" || c.NKey != "" }

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
	TokenKey    ed25519.PublicKey // nil: the tenant has no key of that id
	// CredsRevoked is set when the credential of the claim was revoked or is unknown.
	CredsRevoked bool
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

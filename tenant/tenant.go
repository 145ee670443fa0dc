// Package tenant is Parley's domain: tenants, their users, rooms, members and
// credentials, the ids and roles they are named by, and the operations on them.
// It knows no transport, no SQL and no NATS: what it needs of those it asks for
// through the interfaces it declares.
package tenant

import "time"

// A Tenant is one customer of the company that runs Parley. It is one NATS account.
type Tenant struct {
	ID        TenantID  `json:"id"`
	Name      string    `json:"name"`
	Account   string    `json:"account"`  // public nkey, A…
	Timezone  string    `json:"timezone"` // IANA name
	Limits    Limits    `json:"limits"`   // as given; Effective says what holds
	Retention Retention `json:"retention"`
	Status    Status    `json:"status"`
	UserRooms bool      `json:"user_rooms"` // its users may make rooms
	CreatedAt time.Time `json:"created_at"`
}

// Status of a tenant.
type Status string

// The states of a tenant. Only an active tenant's users connect; a deleting one
// is gone for everybody and waits for its streams and account to be removed.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
	Deleting  Status = "deleting"
)

// UserKind tells people from backends.
type UserKind string

// The kinds of users.
const (
	Person  UserKind = "person"
	Backend UserKind = "service"
)

// UserStatus of a user.
type UserStatus string

// The states of a user. A deleted user's row stays, so that history keeps its sender.
const (
	UserActive  UserStatus = "active"
	UserRevoked UserStatus = "revoked"
	UserDeleted UserStatus = "deleted"
)

// A User belongs to one tenant.
type User struct {
	Tenant       TenantID   `json:"-"`
	ID           UserID     `json:"id"`
	Kind         UserKind   `json:"kind"`
	Name         string     `json:"name"`
	ExternalID   string     `json:"external_id,omitempty"`
	Status       UserStatus `json:"status"`
	Reason       string     `json:"reason,omitempty"` // why revoked
	PasswordHash Secret     `json:"-"`                // argon2id in PHC form, or empty
	NKey         string     `json:"nkey,omitempty"`   // public user nkey, U…, or empty
	CreatedAt    time.Time  `json:"created_at"`
	TokensFrom   time.Time  `json:"-"` // tokens that were issued before are refused; zero: before CreatedAt
}

// A Room belongs to one tenant, which hosts it.
type Room struct {
	Tenant      TenantID  `json:"-"`
	ID          RoomID    `json:"id"`                // of a room that another tenant shares: its address
	Host        TenantID  `json:"host,omitempty"`    // the tenant that shares it; empty: the room is the tenant's own
	HostID      RoomID    `json:"-"`                 // its id there
	Address     string    `json:"address,omitempty"` // shared rooms only
	Kind        Kind      `json:"kind"`
	Class       Class     `json:"class"`
	Title       string    `json:"title"`
	State       RoomState `json:"state"`
	SlowSeconds int       `json:"slow_seconds"` // at least between two posts of one user; 0: no slow mode
	History     Reach     `json:"history"`
	Members     int       `json:"members"`
	CreatedAt   time.Time `json:"created_at"`
}

// Reach is how far back a room's members may read.
type Reach string

// The reaches of history.
const (
	ReachAll    Reach = "all"    // since the room was made
	ReachJoined Reach = "joined" // since each joined
)

// RoomState of a room. All but RoomActive close the room's posting subject.
type RoomState string

// The states of a room.
const (
	RoomActive   RoomState = "active"
	RoomFrozen   RoomState = "frozen"
	RoomArchived RoomState = "archived"
	RoomDeleted  RoomState = "deleted" // the id is never used again
)

// A Member is a user's standing in a room.
type Member struct {
	Room     RoomID      `json:"-"`
	User     UserID      `json:"user"`
	Name     string      `json:"name"`
	Role     Role        `json:"role"`
	State    MemberState `json:"state"`
	JoinedAt time.Time   `json:"joined_at"`
	Until    time.Time   `json:"until,omitzero"`   // when a ban or an invitation ends by itself; zero: never
	Reason   string      `json:"reason,omitempty"` // of a ban
	ByHost   bool        `json:"by_host,omitzero"` // of a ban in a shared room: the host's, which the user's own tenant can't end
}

// MemberState tells members from those who are invited or banned.
type MemberState string

// The states of a membership. The row of a banned user is what keeps him out.
const (
	Joined  MemberState = "joined"
	Invited MemberState = "invited"
	Banned  MemberState = "banned"
)

// A Membership is a member's row seen from the user, with what a grant needs of the room.
type Membership struct {
	Room    RoomID      `json:"room"`
	Address string      `json:"address,omitempty"`
	Kind    Kind        `json:"kind"`
	Class   Class       `json:"class"`
	Role    Role        `json:"role"`
	State   MemberState `json:"state"`
	// JoinedAt is not set where a grant is decided, which needs none.
	JoinedAt time.Time `json:"joined_at,omitzero"`
	ByHost   bool      `json:"by_host,omitzero"` // as in Member
}

// A Connection is one open NATS connection of a user, found on the servers.
type Connection struct {
	User    UserID    `json:"user"`
	Method  Method    `json:"method"`
	Address string    `json:"address"` // host:port of the client
	Server  string    `json:"server"`  // the server's id
	CID     uint64    `json:"-"`
	Since   time.Time `json:"since"`
}

// Method is how a connection proved who it is.
type Method string

// The methods of DESIGN.md section 5.
const (
	MethodToken    Method = "token"
	MethodPassword Method = "password"
	MethodNKey     Method = "nkey"
	MethodTLS      Method = "tls"
	MethodService  Method = "service"
	MethodCreds    Method = "creds"
)

// A Session is an admitted connection as the callout knows it: what a server can't tell afterwards.
type Session struct {
	Server  string // server id
	CID     uint64
	Account string
	User    UserID
	Method  Method
	Proof   Proof
	Address string
	Since   time.Time
	// Rooms are those that the connection carries of the ones that are listed; nil: all that
	// the user has. Restricted is his Identity's.
	Rooms      []RoomID
	Restricted bool
}

// A Proof is what a connection was opened with, as far as that can be taken back by itself.
type Proof struct {
	Key   string // id of the tenant's key, or public nkey of the user or his credential; empty: neither
	Token string // jti of the token; empty: none
}

// A Refusal is a connection that was not let in, and why, for the tenant's admins.
// It never holds anything that the client sent as a secret.
type Refusal struct {
	At      time.Time `json:"at"`
	Tenant  TenantID  `json:"-"` // empty: the client named none that exists
	User    string    `json:"user"`
	Method  Method    `json:"method"`
	Address string    `json:"address"`
	Code    string    `json:"code"`             // fixed word, as token_expired
	Reason  string    `json:"reason"`           // a sentence with the remedy
	Cursor  string    `json:"cursor,omitempty"` // its place in the list, for Page.After; set by the store
}

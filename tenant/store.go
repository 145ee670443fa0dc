package tenant

import (
	"context"
	"encoding/json"
	"time"
)

// Reader reads committed records. What does not exist is ErrNotFound.
// Deleted users and rooms do not exist for it, but for UserRow and RoomRow in a Tx.
type Reader interface {
	Tenant(ctx context.Context, t TenantID) (Tenant, error)
	Tenants(ctx context.Context, p Page) ([]Tenant, error)
	User(ctx context.Context, t TenantID, u UserID) (User, error)
	Users(ctx context.Context, t TenantID, p Page) ([]User, error)
	Room(ctx context.Context, t TenantID, r RoomID) (Room, error) // with the count of its members
	Rooms(ctx context.Context, t TenantID, p Page) ([]Room, error)
	Membership(ctx context.Context, t TenantID, r RoomID, u UserID) (Membership, error)
	Members(ctx context.Context, t TenantID, r RoomID, p Page) ([]Member, error)
	Mutes(ctx context.Context, t TenantID, r RoomID, p Page) ([]Mute, error)
	BlockedBetween(ctx context.Context, t TenantID, u, other UserID) (bool, error)        // one blocks the other
	Blocks(ctx context.Context, t TenantID, u UserID) ([]UserID, error)                   // the first 1,000
	Reports(ctx context.Context, t TenantID, state ReportState, p Page) ([]Report, error) // newest first
	AuditTrail(ctx context.Context, t TenantID, p Page) ([]AuditEntry, error)             // newest first
	Holds(ctx context.Context, t TenantID) ([]Hold, error)                                // the tenant's own first
	PersonErasure(ctx context.Context, t TenantID, u UserID) (PersonErasure, error)
	Refusals(ctx context.Context, t TenantID, p Page) ([]Refusal, error)                 // newest first
	Credential(ctx context.Context, t TenantID, nkey string) (Credential, error)         // also a revoked one
	Credentials(ctx context.Context, t TenantID, u UserID, p Page) ([]Credential, error) // likewise
	Keys(ctx context.Context, t TenantID, p Page) ([]Key, error)                         // not the removed ones
	Key(ctx context.Context, t TenantID, id string) (Key, error)                         // likewise
	APIKey(ctx context.Context, id string) (Key, error)                                  // of a tenant that is not deleting; removed keys are not found
	Summary(ctx context.Context, t TenantID) (Summary, error)
	Loads(ctx context.Context, p Page) ([]TenantLoad, error)
	Backlog(ctx context.Context, pushed time.Time) (Backlog, error) // accounts count as behind whose claims are older than pushed
	RoomsOf(ctx context.Context, t TenantID, u UserID, p Page) ([]UserRoom, error)
	ShareReader
}

// Page asks for the items behind the one named After, in the order of their ids. The audit
// trail and refusals come newest first: there After is the Cursor of an entry, which loses
// and repeats none, or a time in RFC 3339, for what is older. Query is a part of an id or
// name; in those two, of actor, action or object, and of user, address or code.
type Page struct {
	After string
	Query string
	Limit int // 1 to 1,000
}

// Store keeps the records.
type Store interface {
	Reader
	// Write runs fn in one transaction that holds the tenant's row, so that the
	// changes of one tenant come one after the other. It may run fn again after a
	// serialization fault, so fn touches nothing but tx. A tenant that is deleting does not exist.
	Write(ctx context.Context, t TenantID, fn func(tx Tx, t Tenant) error) error
	// Create is Write for a tenant that does not exist yet.
	Create(ctx context.Context, fn func(tx Tx) error) error
	// KeyUsed notes when a key was last used.
	KeyUsed(ctx context.Context, id string, at time.Time) error
}

// Tx is one transaction of changes. The rows that it inserts carry their own times.
type Tx interface {
	InsertTenant(ctx context.Context, t Tenant, keys []SealedKey) error // a taken id is ErrConflict
	UpdateTenant(ctx context.Context, t Tenant) error

	UserRow(ctx context.Context, t TenantID, u UserID) (User, error) // deleted ones too
	CountUsers(ctx context.Context, t TenantID) (int64, error)       // not the deleted ones
	PutUser(ctx context.Context, u User) error                       // inserts or replaces; a taken external_id or nkey is ErrConflict
	DeleteUser(ctx context.Context, t TenantID, u UserID) error      // memberships go, credentials are revoked, the row stays as deleted
	InsertCredential(ctx context.Context, c Credential) error
	CountCredentials(ctx context.Context, t TenantID, k CredentialKind) (int, error) // the revoked ones too
	RevokeCredential(ctx context.Context, t TenantID, u UserID, nkey string, at time.Time) (Credential, error)
	RevokeToken(ctx context.Context, t TenantID, u UserID, token string, now, until time.Time) error
	RevokeCredentialsOf(ctx context.Context, t TenantID, key string, at time.Time) ([]Credential, error) // those that came with a key

	RoomRow(ctx context.Context, t TenantID, r RoomID) (Room, error) // deleted ones too
	CountRooms(ctx context.Context, t TenantID) (int64, error)       // not the deleted or direct ones
	InsertRoom(ctx context.Context, r Room) error                    // a taken id is ErrConflict
	UpdateRoom(ctx context.Context, r Room) error                    // settings and state

	Membership(ctx context.Context, t TenantID, r RoomID, u UserID) (Membership, error)
	PutMember(ctx context.Context, t TenantID, m Member) error
	DeleteMember(ctx context.Context, t TenantID, r RoomID, u UserID) error
	// EndMember deletes a ban or an invitation that ends by a time, and returns it; ErrNotFound: there is none.
	EndMember(ctx context.Context, t TenantID, r RoomID, u UserID, until time.Time) (Membership, error)
	OtherOwners(ctx context.Context, t TenantID, r RoomID, u UserID) (int64, error) // of the room, beside the user
	Senior(ctx context.Context, t TenantID, r RoomID, but UserID) (Member, error)   // the moderator who is longest in the room
	OwnedAlone(ctx context.Context, t TenantID, u UserID) ([]RoomID, error)         // rooms whose only owner he is
	CountOwned(ctx context.Context, t TenantID, u UserID) (int64, error)            // rooms that he owns

	InsertKey(ctx context.Context, k Key) error
	IsAccountKey(ctx context.Context, public string) (bool, error)                         // the platform has it
	Key(ctx context.Context, t TenantID, id string) (Key, error)                           // not a removed one
	CountKeys(ctx context.Context, t TenantID, kind KeyKind) (int, error)                  // not the removed ones
	RemoveKey(ctx context.Context, t TenantID, id string, at time.Time) (k Key, err error) // the row stays as removed
	SetKeyEnd(ctx context.Context, t TenantID, id string, at time.Time) error
	PutMute(ctx context.Context, m Mute) error // inserts or replaces
	DeleteMute(ctx context.Context, t TenantID, r RoomID, u UserID) error
	DeleteEndedMutes(ctx context.Context, t TenantID) (int64, error)

	CountPins(ctx context.Context, t TenantID, r RoomID) (int64, error)
	SetPin(ctx context.Context, t TenantID, r RoomID, seq uint64, by UserID, at time.Time, on bool) (changed bool, err error)
	Blocked(ctx context.Context, t TenantID, u, other UserID) (bool, error) // u blocks other
	SetBlock(ctx context.Context, t TenantID, u, blocked UserID, at time.Time, on bool) (changed bool, err error)
	Report(ctx context.Context, t TenantID, id int64) (Report, error)
	CloseReport(ctx context.Context, id int64, c Closing) (closed bool, err error)       // false: another tenant just did
	InsertReport(ctx context.Context, t TenantID, r Report) (fresh bool, err error)      // a second one of the same user is not
	Moderators(ctx context.Context, t TenantID, r RoomID, most int) ([]Moderator, error) // the tenant's, and the host's

	// Announce lets a room tell of a change, in the order of such changes, once it is
	// committed: see PublishEvents.
	Announce(ctx context.Context, t TenantID, r RoomID, e Event) error

	PeopleTx
	ShareTx

	PutHold(ctx context.Context, h Hold) error                               // inserts or replaces
	DeleteHold(ctx context.Context, t TenantID, r RoomID) error              // one that is not there is ErrNotFound
	EraseUser(ctx context.Context, t TenantID, u UserID, name string) error  // of a deleted user: what is left but the id
	PutPersonErasure(ctx context.Context, t TenantID, e PersonErasure) error // begins it, also again

	Audit(ctx context.Context, e AuditEntry) error
	// Enqueue adds a job that runs after the commit, at the earliest at the given time (zero: at once).
	Enqueue(ctx context.Context, j Job, at time.Time) error
}

// A SealedKey is a private key that only the keyring can open.
type SealedKey struct {
	Account string // public nkey of the account it belongs to
	KeyID   string // its own public key
	Purpose string // identity, signing, token or xkey
	Sealed  []byte
	Version int // of the master key
}

// An AuditEntry says who changed what, when, and how it was before and after.
type AuditEntry struct {
	At     time.Time       `json:"at"`
	Tenant TenantID        `json:"-"`
	Actor  string          `json:"actor"`  // operator, operator:<address>, person:<address>, key:<id>, user:<id> or system
	Action string          `json:"action"` // as user.revoke
	Object string          `json:"object"` // as user:alice
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Cursor string          `json:"cursor,omitempty"` // its place in the trail, for Page.After; set by the store
}

// A Job is what must happen after a commit, at least once. Its fields are its arguments, as JSON.
type Job interface{ Kind() string }

// The jobs. Each reads the rows again when it runs, so that a late or doubled one does no harm.
type (
	// PushClaims brings the NATS account of a tenant in line with its rows.
	PushClaims struct {
		Tenant TenantID `json:"tenant"`
	}
	// EnsureStream makes the stream of a tenant's retention class.
	EnsureStream struct {
		Tenant TenantID `json:"tenant"`
		Class  Class    `json:"class"`
	}
	// SweepUser closes the connections of a user that is revoked or deleted.
	SweepUser struct {
		Tenant TenantID `json:"tenant"`
		User   UserID   `json:"user"`
	}
	// RefreshUser makes a user's open connections carry his rights as they are now:
	// by a notice where he gained some, by closing them where he lost some.
	RefreshUser struct {
		Tenant TenantID `json:"tenant"`
		User   UserID   `json:"user"`
		Change Change   `json:"change"`
		Told   int      `json:"told,omitempty"` // how often he was told again
	}
	// EndMutes lets those post again whose mute is over.
	EndMutes struct {
		Tenant TenantID `json:"tenant"`
	}
	// SweepKey closes the connections that were opened with a removed key.
	SweepKey struct {
		Tenant TenantID `json:"tenant"`
		Key    string   `json:"key"`
	}
	// EndKey removes a key that was rotated, once its overlap with the new one is over.
	EndKey struct {
		Tenant TenantID `json:"tenant"`
		Key    string   `json:"key"`
	}
	// EndStanding tidies away a ban or an invitation whose end has come.
	EndStanding struct {
		Tenant TenantID  `json:"tenant"`
		Room   RoomID    `json:"room"`
		User   UserID    `json:"user"`
		Until  time.Time `json:"until"`
	}
	// NotifyUser tells a user something on all his connections.
	NotifyUser struct {
		Tenant TenantID        `json:"tenant"`
		User   UserID          `json:"user"`
		What   string          `json:"what"`
		Notice json.RawMessage `json:"notice"`
	}
	// SweepTenant closes all connections of a tenant that is not active.
	SweepTenant struct {
		Tenant TenantID `json:"tenant"`
	}
	// PublishEvents stores in a room, as messages of sender System, what was announced there.
	PublishEvents struct {
		Tenant TenantID `json:"tenant"`
		Room   RoomID   `json:"room"`
	}
	// SettleShare brings the streams and accounts of a host and a guest in line with their shares.
	SettleShare struct {
		Host  TenantID `json:"host"`
		Guest TenantID `json:"guest,omitempty"` // empty: only the host's rooms changed
	}
	// ExpireShare ends an offer or a share whose time is over.
	ExpireShare struct {
		Share string `json:"share"`
	}
	// CopyShare fills the frozen copy that a guest keeps of a share that has ended.
	CopyShare struct {
		Share string `json:"share"`
	}
	// DropHeld removes the copies that no hold covers any more.
	DropHeld struct {
		Tenant TenantID `json:"tenant"`
	}
	// ErasePerson empties the messages of a user who is erased.
	ErasePerson struct {
		Tenant TenantID `json:"tenant"`
		User   UserID   `json:"user"`
	}
	// DropTenant removes a deleting tenant's streams, account and records.
	DropTenant struct {
		Tenant  TenantID `json:"tenant"`
		Account string   `json:"account"` // the rows of a deleting tenant are found by nobody
	}
)

// Kind names the job in the queue.
func (PushClaims) Kind() string    { return "push_claims" }
func (EnsureStream) Kind() string  { return "ensure_stream" }
func (SweepUser) Kind() string     { return "sweep_user" }
func (RefreshUser) Kind() string   { return "refresh_user" }
func (SweepKey) Kind() string      { return "sweep_key" }
func (EndKey) Kind() string        { return "end_key" }
func (EndStanding) Kind() string   { return "end_standing" }
func (NotifyUser) Kind() string    { return "notify_user" }
func (SweepTenant) Kind() string   { return "sweep_tenant" }
func (EndMutes) Kind() string      { return "end_mutes" }
func (PublishEvents) Kind() string { return "publish_events" }
func (SettleShare) Kind() string   { return "settle_share" }
func (ExpireShare) Kind() string   { return "expire_share" }
func (CopyShare) Kind() string     { return "copy_share" }
func (DropHeld) Kind() string      { return "drop_held" }
func (ErasePerson) Kind() string   { return "erase_person" }
func (DropTenant) Kind() string    { return "drop_tenant" }

// A Change is what happened to a user's rights in one room.
type Change struct {
	Room   RoomID    `json:"room"`
	Lost   bool      `json:"lost"`         // otherwise gained
	By     UserID    `json:"by,omitempty"` // empty: the tenant itself
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"` // connections that began later were decided on the new rows
}

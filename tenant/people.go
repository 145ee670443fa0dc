package tenant

import (
	"context"
	"errors"
	"time"
)

// PeopleReader reads the people of the console. What does not exist is ErrNotFound.
type PeopleReader interface {
	HasOperator(ctx context.Context) (bool, error)
	Profile(ctx context.Context, p PersonID) (Profile, error)
	ProfileByEmail(ctx context.Context, email string) (Profile, error)
	Profiles(ctx context.Context, p Page) ([]Profile, error) // by address
	// Principal finds the login of a secret's hash that is good at a time, and all that the person may do.
	Principal(ctx context.Context, hash []byte, at time.Time) (Principal, error)
	Logins(ctx context.Context, p PersonID, at time.Time) ([]Login, error) // the newest first
	SeatsIn(ctx context.Context, t TenantID) ([]Seat, error)               // by address
	// Link finds a link that can be used at a time by its secret's hash.
	Link(ctx context.Context, hash []byte, at time.Time) (Link, error)
	// Links lists the links that can be used at a time into a tenant, or where t is empty those into none.
	Links(ctx context.Context, t TenantID, at time.Time) ([]Link, error)
	VisitsTo(ctx context.Context, t TenantID, at time.Time) ([]Visit, error)
	Passkeys(ctx context.Context, p PersonID) ([]Passkey, error) // the oldest first
	Passkey(ctx context.Context, credential []byte) (Passkey, error)
	RecoveryCodes(ctx context.Context, p PersonID) (int, error)                            // how many are left
	ProfileByCode(ctx context.Context, email string, recoveryCode []byte) (Profile, error) // by the code's hash
	ProfileByIdentity(ctx context.Context, issuer, subject string) (Profile, error)
	Linked(ctx context.Context, of []PersonID) ([]PersonID, error) // those who have an identity
}

// PeopleTx changes the people of the console, in a transaction.
type PeopleTx interface {
	InsertProfile(ctx context.Context, p Profile) error // a taken address is ErrConflict
	// HoldProfile reads a person and keeps all others from changing them, or how they log in, until the end.
	HoldProfile(ctx context.Context, p PersonID) (Profile, error)
	UpdateProfile(ctx context.Context, p Profile) error // name, password, operator and founder
	PutSeat(ctx context.Context, s Seat) error
	DeleteSeat(ctx context.Context, t TenantID, p PersonID) error
	SeatsIn(ctx context.Context, t TenantID) ([]Seat, error)
	InsertLink(ctx context.Context, l Link) error
	// UseLink takes a link that can be used at a time: of two that ask at once one gets it.
	UseLink(ctx context.Context, hash []byte, at time.Time) (Link, error)
	DeleteLink(ctx context.Context, t TenantID, id string) error // one that was not used
	DeleteLinks(ctx context.Context, k LinkKind) error           // those that were not used
	InsertLogin(ctx context.Context, l Login) error
	HasLogin(ctx context.Context, p PersonID, id string) (bool, error)
	DeleteLogin(ctx context.Context, p PersonID, id string) error
	DeleteLogins(ctx context.Context, p PersonID, but string) error // all but one
	PutVisit(ctx context.Context, v Visit) error
	DeleteVisit(ctx context.Context, p PersonID, t TenantID) error
	InsertChallenge(ctx context.Context, c Challenge, at time.Time) error
	// UseChallenge ends a challenge of a login (empty: of nobody's) that can be answered at a time.
	UseChallenge(ctx context.Context, hash []byte, login string, at time.Time) error
	InsertPasskey(ctx context.Context, p Passkey) error // a credential that is there is ErrConflict
	// UsePasskey notes a signature. A counter that does not go forward is ErrNotFound.
	UsePasskey(ctx context.Context, id string, counter uint32, at time.Time) error
	RenamePasskey(ctx context.Context, p PersonID, id, name string) error
	DeletePasskey(ctx context.Context, p PersonID, id string) error
	PutRecoveryCodes(ctx context.Context, p PersonID, hashes [][]byte, at time.Time) error // in place of all there are
	UseRecoveryCode(ctx context.Context, p PersonID, hash []byte) error
	// InsertIdentity is ErrConflict where the identity, or the person at this issuer, has another.
	InsertIdentity(ctx context.Context, i PersonIdentity) error
	DeleteIdentities(ctx context.Context, p PersonID) error // none is ErrNotFound
	// EndWaysIn removes passkeys, recovery codes and links that were not used, and ends all sessions.
	EndWaysIn(ctx context.Context, p PersonID) error
}

// PeopleStore keeps the people of the console.
type PeopleStore interface {
	PeopleReader
	Store
	OperationsReader
	TouchLogin(ctx context.Context, id string, at time.Time) error
}

// PasswordChecker hashes and checks passwords, with a bound on how many at once.
type PasswordChecker interface {
	Passwords
	// Matches reports whether the hash is the password's. An empty hash matches nothing, and takes as long.
	Matches(ctx context.Context, password, hash Secret) (bool, error)
}

// SignUp says who may become a person of the console.
type SignUp string

// The policies of signing up.
const (
	SignUpOpen   SignUp = "open"   // everybody, and everybody may make tenants
	SignUpInvite SignUp = "invite" // who has a link
	SignUpClosed SignUp = "closed" // nobody but operators, who have a link; links into tenants are for people who are there
)

// PeopleConfig of People. All fields but Now are required.
type PeopleConfig struct {
	Store     PeopleStore
	Service   *Service
	Passwords PasswordChecker
	SignUp    SignUp
	Now       func() time.Time // nil: time.Now
}

// People are the persons who use the console: how they sign up, log in, and come to work for tenants.
type People struct {
	store     PeopleStore
	service   *Service
	passwords PasswordChecker
	signUp    SignUp
	now       func() time.Time
}

// NewPeople returns People over their parts.
func NewPeople(c PeopleConfig) (*People, error) {
	if c.Store == nil || c.Service == nil || c.Passwords == nil {
		return nil, errors.New("tenant: PeopleConfig needs Store, Service and Passwords")
	}
	switch c.SignUp {
	case SignUpOpen, SignUpInvite, SignUpClosed:
	default:
		return nil, errors.New("tenant: SignUp must be open, invite or closed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &People{store: c.Store, service: c.Service, passwords: c.Passwords, signUp: c.SignUp, now: c.Now}, nil
}

func (p *People) clock() time.Time { return p.now().UTC().Truncate(time.Microsecond) }

// SignUp returns who may sign up.
func (p *People) SignUp() SignUp { return p.signUp }

// actorOf is a person as he acts on what is his own.
func actorOf(p Profile) Actor { return Actor{kind: actorPerson, id: p.Email} }

package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Accounts is what the service asks of the control role, which alone opens keys.
type Accounts interface {
	// NewAccount makes the keys of a tenant's account, sealed.
	NewAccount() (account string, keys []SealedKey, err error)
	// Push brings the account on the servers in line with the rows, and returns when a server has it.
	Push(ctx context.Context, t TenantID) error
	// Token signs a JSON Web Token for a user.
	Token(ctx context.Context, t Tenant, u UserID, issued, expires time.Time) (Secret, error)
	// Creds makes the nkey and the .creds file of a user.
	Creds(ctx context.Context, t TenantID, u UserID) (nkey string, file Secret, err error)
	// ServiceCreds makes the nkey and the .creds file of a backend, whom the servers let in without asking.
	ServiceCreds(ctx context.Context, t Tenant, u UserID) (nkey string, file Secret, err error)
	// Notify publishes live.user.<user>.<what> in the account.
	Notify(ctx context.Context, account string, u UserID, what string, notice any) error
	// Kick closes the connections of a user on all nodes and counts them. With a zero before it
	// closes all, also one that is half-way in; else only those that began before that time,
	// since later ones were decided on newer rows.
	Kick(ctx context.Context, account string, u UserID, before time.Time) (closed int, err error)
	// KickProof closes the connections of an account that were opened with a key, with a token, or,
	// where the proof has both, with a token of that key.
	KickProof(ctx context.Context, account string, p Proof) (closed int, err error)
	// Admit ends the effect that Kick has on connections that are half-way in.
	Admit(account string, u UserID)
	// KickAll closes every connection of an account.
	KickAll(ctx context.Context, account string) (closed int, err error)
	// Connections lists the open connections of a user, or of all users where u is empty.
	Connections(ctx context.Context, account string, u UserID) ([]Connection, error)
}

// Streams is what the service asks of the chat role.
type Streams interface {
	// Ensure makes the stream of an account's retention class where it is missing.
	Ensure(ctx context.Context, t Tenant, c Class) error
	// EnsureShared brings the streams of the rooms that a tenant shares in line with the rows.
	EnsureShared(ctx context.Context, host Tenant) error
	// Conform brings the streams that a tenant has in line with its limits and its retention. What
	// it leaves undone the chat role does by itself within seconds.
	Conform(ctx context.Context, t Tenant) error
}

// Passwords hashes passwords, with a bound on how many at once.
type Passwords interface {
	Hash(ctx context.Context, password Secret) (Secret, error)
}

// Config of a Service. Store, Accounts, Streams and Passwords are required.
type Config struct {
	Store     Store
	Accounts  Accounts
	Streams   Streams
	Passwords Passwords
	Now       func() time.Time // nil: time.Now
	// SweepAfter is when the second sweep of a revocation runs: past the servers' auth
	// timeout, when a connection that was half-way in has settled. 0: 3 s.
	SweepAfter time.Duration
	// PrivateURLs lets tenants name addresses of private networks, for keys that are fetched.
	PrivateURLs bool
}

// A Service carries out what operators, tenants and users ask for. Each write is
// one transaction with its audit entry and its jobs; what must be visible at once
// is then also tried at once, and left to the jobs where that fails.
type Service struct {
	store      Store
	accounts   Accounts
	streams    Streams
	passwords  Passwords
	now        func() time.Time
	sweepAfter time.Duration

	privateURLs bool
}

// NewService returns a service over its parts.
func NewService(c Config) (*Service, error) {
	if c.Store == nil || c.Accounts == nil || c.Streams == nil || c.Passwords == nil {
		return nil, errors.New("tenant: Config needs Store, Accounts, Streams and Passwords")
	}
	s := &Service{
		store: c.Store, accounts: c.Accounts, streams: c.Streams, passwords: c.Passwords, now: c.Now, sweepAfter: c.SweepAfter,
		privateURLs: c.PrivateURLs,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.sweepAfter == 0 {
		s.sweepAfter = 3 * time.Second
	}
	return s, nil
}

// clock is the one time of a write: what Postgres can keep, so that an answer equals what is read later.
func (s *Service) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// write runs a change of one tenant that the actor may make as an admin.
func (s *Service) write(ctx context.Context, a Actor, t TenantID, fn func(tx Tx, row Tenant) error) error {
	return s.writeWith(ctx, a, ScopeAdmin, t, fn)
}

// writeWith runs a change of one tenant that the actor may make with a scope.
func (s *Service) writeWith(ctx context.Context, a Actor, scope Scope, t TenantID, fn func(tx Tx, row Tenant) error) error {
	if err := a.Allow(scope, t); err != nil {
		return err
	}
	return s.store.Write(ctx, t, func(tx Tx, row Tenant) error {
		if err := writable(a, row); err != nil {
			return err
		}
		return fn(tx, row)
	})
}

// writable refuses all but the operator's changes to a suspended tenant.
func writable(a Actor, t Tenant) error {
	if t.Status == Suspended && a.kind != actorOperator {
		return Errorf(CodeForbidden, "the tenant is suspended; ask the operator")
	}
	return nil
}

// ensureStream makes a stream that a job makes too, so that a room is usable when the call answers.
func (s *Service) ensureStream(ctx context.Context, t Tenant, c Class) error {
	if err := s.streams.Ensure(ctx, t, c); err != nil {
		return later("the change is kept", err)
	}
	return nil
}

// audit adds an entry to the transaction; before and after may be nil.
func audit(ctx context.Context, tx Tx, a Actor, at time.Time, t TenantID, action, object string, before, after any) error {
	e := AuditEntry{At: at, Tenant: t, Actor: a.String(), Action: action, Object: object}
	var err error
	if e.Before, err = encode(before); err != nil {
		return err
	}
	if e.After, err = encode(after); err != nil {
		return err
	}
	return tx.Audit(ctx, e)
}

func encode(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}

package tenant

import (
	"context"
	"errors"
	"time"
)

// CredentialKind is who checks a credential.
type CredentialKind string

// The kinds of credentials.
const (
	CredentialCreds   CredentialKind = "creds"   // a user of AUTH: the callout
	CredentialService CredentialKind = "service" // a user of the tenant's account: the servers alone, against its claims
)

// A Credential is an nkey that was issued to a user with a JWT, as a .creds file.
type Credential struct {
	NKey      string         `json:"nkey"` // public user nkey, U…
	Tenant    TenantID       `json:"-"`
	User      UserID         `json:"user"`
	Kind      CredentialKind `json:"kind"`
	KeyID     string         `json:"key,omitempty"` // of the key that it came with, where it is a service's
	IssuedAt  time.Time      `json:"issued_at"`
	RevokedAt time.Time      `json:"revoked_at,omitzero"` // zero: it is good
}

// SweepCredential is the job that closes what was opened with a credential that is revoked.
type SweepCredential struct {
	Tenant TenantID `json:"tenant"`
	NKey   string   `json:"nkey"`
}

// Kind names the job in the queue.
func (SweepCredential) Kind() string { return "sweep_credential" }

// Credentials lists the credentials of a user by nkey, the revoked ones among them.
func (s *Service) Credentials(ctx context.Context, a Actor, t TenantID, u UserID, p Page) ([]Credential, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	if _, err := s.store.User(ctx, t, u); err != nil {
		return nil, err
	}
	return s.store.Credentials(ctx, t, u, p)
}

// RevokeCredential ends one credential of a user, and closes what was opened with it. The user
// keeps his others. Revoking again sweeps again.
func (s *Service) RevokeCredential(ctx context.Context, a Actor, t TenantID, u UserID, nkey string) (Revocation, error) {
	begun, now := s.now(), s.clock()
	var row Tenant
	var gone Credential
	err := s.writeWith(ctx, a, ScopeModerate, t, func(tx Tx, r Tenant) error {
		row = r
		var err error
		if gone, err = tx.RevokeCredential(ctx, t, u, nkey, now); err != nil {
			return err
		}
		if err := s.endLater(ctx, tx, gone, now); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "creds.revoke", "user:"+string(u), nil, map[string]string{"nkey": nkey})
	})
	if err != nil {
		return Revocation{}, err
	}
	closed, err := s.end(ctx, row, gone)
	if err != nil {
		return Revocation{}, later("the credential is revoked", err)
	}
	return Revocation{Disconnected: closed, Took: s.now().Sub(begun)}, nil
}

// endLater enqueues what ends credentials after the commit, whatever comes between.
func (s *Service) endLater(ctx context.Context, tx Tx, gone Credential, now time.Time) error {
	if gone.Kind != CredentialCreds {
		if err := tx.Enqueue(ctx, PushClaims{gone.Tenant}, time.Time{}); err != nil {
			return err
		}
	}
	return s.sweepLater(ctx, tx, SweepCredential{gone.Tenant, gone.NKey}, now)
}

// end does at once what endLater enqueued: the servers must know of a credential that they
// let in by themselves before its connections are closed, or it comes back.
func (s *Service) end(ctx context.Context, row Tenant, gone Credential) (int, error) {
	if gone.Kind != CredentialCreds {
		if err := s.accounts.Push(ctx, row.ID); err != nil {
			return 0, err
		}
	}
	return s.kickCredential(ctx, row.Account, gone)
}

// kickCredential closes what was opened with a credential. The servers know a user that they
// let in by themselves by his nkey.
func (s *Service) kickCredential(ctx context.Context, account string, c Credential) (int, error) {
	if c.Kind == CredentialCreds {
		return s.accounts.KickProof(ctx, account, Proof{Key: c.NKey})
	}
	return s.accounts.Kick(ctx, account, UserID(c.NKey), time.Time{})
}

// endCredentialsOf revokes the credentials that came with a key.
func (s *Service) endCredentialsOf(ctx context.Context, tx Tx, k Key, now time.Time) ([]Credential, error) {
	gone, err := tx.RevokeCredentialsOf(ctx, k.Tenant, k.ID, now)
	for _, c := range gone {
		err = errors.Join(err, s.endLater(ctx, tx, c, now))
	}
	return gone, err
}

// SweepCredential closes what is still open of a credential that is revoked.
func (s *Service) SweepCredential(ctx context.Context, j SweepCredential) error {
	t, err := s.store.Tenant(ctx, j.Tenant)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := s.store.Credential(ctx, j.Tenant, j.NKey)
	if errors.Is(err, ErrNotFound) || err == nil && c.RevokedAt.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.kickCredential(ctx, t.Account, c)
	return err
}

package tenant

import (
	"context"
	"errors"
	"time"
)

// UserSpec holds what is said of a user; nil stays as it is, or is empty for a new one.
type UserSpec struct {
	Name       *string
	ExternalID *string
	NKey       *string
	Password   *Secret
}

func (u UserSpec) check() error {
	f := faults{}
	if u.Name != nil {
		checkText(f, "name", *u.Name)
	}
	if u.ExternalID != nil {
		checkText(f, "external_id", *u.ExternalID)
	}
	if u.NKey != nil && *u.NKey != "" {
		checkNKey(f, "nkey", *u.NKey)
	}
	if u.Password != nil && *u.Password != "" {
		checkPassword(f, *u.Password)
	}
	return f.err()
}

func (u UserSpec) apply(row User, hash *Secret) User {
	if u.Name != nil {
		row.Name = *u.Name
	}
	if row.Name == "" {
		row.Name = string(row.ID)
	}
	if u.ExternalID != nil {
		row.ExternalID = *u.ExternalID
	}
	if u.NKey != nil {
		row.NKey = *u.NKey
	}
	if hash != nil {
		row.PasswordHash = *hash
	}
	return row
}

// hash returns nil where the password stays as it is, and an empty hash where it is taken away.
func (s *Service) hash(ctx context.Context, password *Secret) (*Secret, error) {
	if password == nil || *password == "" {
		return password, nil
	}
	h, err := s.passwords.Hash(ctx, *password)
	return &h, err
}

// PutUser makes a user or changes one, and says which it was. A deleted user's id
// starts anew: what was issued to the old one stays refused.
func (s *Service) PutUser(ctx context.Context, a Actor, t TenantID, u UserID, spec UserSpec) (user User, created bool, err error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return User{}, false, err
	}
	if err := spec.check(); err != nil {
		return User{}, false, err
	}
	hash, err := s.hash(ctx, spec.Password)
	if err != nil {
		return User{}, false, err
	}
	now := s.clock()
	var row Tenant
	var before User
	var first bool
	err = s.write(ctx, a, t, func(tx Tx, r Tenant) error {
		row = r
		var err error
		before, err = tx.UserRow(ctx, t, u)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		created = err != nil || before.Status == UserDeleted
		if !created {
			user = spec.apply(before, hash)
			if before.NKey != user.NKey {
				if err := s.changeNKeyLater(ctx, tx, before, now); err != nil {
					return err
				}
			}
			return s.putUser(ctx, tx, a, now, "user.update", before, user)
		}
		if first, err = s.roomForUser(ctx, tx, row); err != nil {
			return err
		}
		user = spec.apply(User{Tenant: t, ID: u, Kind: Person, Status: UserActive, CreatedAt: now}, hash)
		return s.putUser(ctx, tx, a, now, "user.create", nil, user)
	})
	if err != nil {
		return User{}, false, err
	}
	if first {
		err = s.ensureStream(ctx, row, Std) // direct rooms need no making
	}
	if !created && before.NKey != user.NKey {
		err = s.changeNKey(ctx, row, before)
	}
	return user, created, err
}

// changeNKeyLater enqueues what has the servers know that a user has another nkey, and closes what the one
// before opened.
func (s *Service) changeNKeyLater(ctx context.Context, tx Tx, before User, now time.Time) error {
	if before.NKey != "" {
		if err := s.sweepLater(ctx, tx, SweepKey{before.Tenant, before.NKey}, now); err != nil {
			return err
		}
	}
	return tx.Enqueue(ctx, PushClaims{before.Tenant}, time.Time{})
}

// changeNKey does at once what changeNKeyLater enqueued.
func (s *Service) changeNKey(ctx context.Context, row Tenant, before User) error {
	err := s.accounts.Push(ctx, row.ID)
	if before.NKey != "" {
		_, errProof := s.accounts.KickProof(ctx, row.Account, Proof{Key: before.NKey})
		_, errNKey := s.accounts.Kick(ctx, row.Account, UserID(before.NKey), time.Time{})
		err = errors.Join(err, errProof, errNKey)
	}
	if err != nil {
		return later("the nkey is changed", err)
	}
	return nil
}

func (s *Service) roomForUser(ctx context.Context, tx Tx, t Tenant) (first bool, err error) {
	n, err := tx.CountUsers(ctx, t.ID)
	if err != nil {
		return false, err
	}
	if most := t.Limits.Effective(Plan).Users; n >= most {
		return false, Errorf(CodeLimitReached, "the tenant has %d users, which is its limit; delete some or ask the operator for more", most)
	}
	if n > 0 {
		return false, nil
	}
	return true, tx.Enqueue(ctx, EnsureStream{t.ID, Std}, time.Time{})
}

func (s *Service) putUser(ctx context.Context, tx Tx, a Actor, now time.Time, action string, before any, u User) error {
	if err := tx.PutUser(ctx, u); err != nil {
		return err
	}
	return audit(ctx, tx, a, now, u.Tenant, action, "user:"+string(u.ID), before, u)
}

// User returns one user.
func (s *Service) User(ctx context.Context, a Actor, t TenantID, u UserID) (User, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return User{}, err
	}
	return s.store.User(ctx, t, u)
}

// Users lists the users of a tenant by id.
func (s *Service) Users(ctx context.Context, a Actor, t TenantID, p Page) ([]User, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	return s.store.Users(ctx, t, p)
}

// mayList is what every list of a tenant's things asks first.
func (s *Service) mayList(ctx context.Context, a Actor, t TenantID, p Page) error {
	if err := a.Allow(ScopeRead, t); err != nil {
		return err
	}
	if _, err := s.store.Tenant(ctx, t); err != nil {
		return err
	}
	return p.check()
}

// MintToken signs a token for a user to connect with. ttl 0 is DefaultTokenLife.
func (s *Service) MintToken(ctx context.Context, a Actor, t TenantID, u UserID, ttl time.Duration) (Secret, time.Time, error) {
	if err := a.Allow(ScopeChat, t); err != nil {
		return "", time.Time{}, err
	}
	if ttl == 0 {
		ttl = DefaultTokenLife
	}
	now := s.clock()
	expires := now.Add(ttl).Truncate(time.Second) // what a JWT can say
	var row Tenant
	err := s.store.Write(ctx, t, func(tx Tx, r Tenant) error {
		row = r
		if err := s.mayIssue(ctx, tx, a, r, u); err != nil {
			return err
		}
		if ttl < MinTokenLife || ttl > MaxTokenLife {
			return Invalid("ttl_seconds", "must be 1 to 86400")
		}
		return audit(ctx, tx, a, now, t, "token.mint", "user:"+string(u), nil, map[string]time.Time{"expires_at": expires})
	})
	if err != nil {
		return "", time.Time{}, err
	}
	token, err := s.accounts.Token(ctx, row, u, now, expires)
	return token, expires, err
}

// IssueCreds makes a .creds file for a user. It is good until it or the user is revoked.
func (s *Service) IssueCreds(ctx context.Context, a Actor, t TenantID, u UserID) (Secret, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return "", err
	}
	nkey, file, err := s.accounts.Creds(ctx, t, u)
	if err != nil {
		return "", err
	}
	now := s.clock()
	err = s.store.Write(ctx, t, func(tx Tx, row Tenant) error {
		if err := s.mayIssue(ctx, tx, a, row, u); err != nil {
			return err
		}
		if err := tx.InsertCredential(ctx, Credential{NKey: nkey, Tenant: t, User: u, Kind: CredentialCreds, IssuedAt: now}); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "creds.issue", "user:"+string(u), nil, map[string]string{"nkey": nkey})
	})
	if err != nil {
		return "", err
	}
	return file, nil
}

func (s *Service) mayIssue(ctx context.Context, tx Tx, a Actor, row Tenant, u UserID) error {
	if err := writable(a, row); err != nil {
		return err
	}
	user, err := activeUser(ctx, tx, row.ID, u)
	if err != nil {
		return err
	}
	if user.Status != UserActive {
		return Errorf(CodeForbidden, "the user is revoked; restore them first")
	}
	return nil
}

// activeUser finds a user that isn't deleted.
func activeUser(ctx context.Context, tx Tx, t TenantID, u UserID) (User, error) {
	user, err := tx.UserRow(ctx, t, u)
	if err == nil && user.Status == UserDeleted || errors.Is(err, ErrNotFound) {
		return User{}, NotFound("user")
	}
	return user, err
}

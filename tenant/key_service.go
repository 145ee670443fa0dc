package tenant

import (
	"context"
	"errors"
	"time"
)

// serviceKeys are the credentials of backends, whom the servers let in without asking: user
// JWTs of the tenant's account for a user of kind service whose id is the key's name. Two keys
// of one name are the overlap of a rotation.
var serviceKeys = keyRules{
	most: 100,
	check: func(k *KeySpec, f faults) {
		_, err := ParseUserID("name", k.Name)
		f.add(err)
	},
	added: addServiceKey,
}

// maxServiceCredentials is how many a tenant may ever have: the account's claims name each that
// was revoked for as long as its JWT would be good, which is for ever.
const maxServiceCredentials = 2000

// addServiceKey makes the user where there is none, and his credential.
func addServiceKey(ctx context.Context, s *Service, tx Tx, t Tenant, k *Key) (KeySecret, error) {
	u := UserID(k.Name)
	if err := s.ensureBackend(ctx, tx, t, u, k.CreatedAt); err != nil {
		return KeySecret{}, err
	}
	n, err := tx.CountCredentials(ctx, t.ID, CredentialService)
	if err != nil {
		return KeySecret{}, err
	}
	if n >= maxServiceCredentials {
		return KeySecret{}, Errorf(CodeLimitReached, "the tenant was issued %d service credentials, which is the most; ask the operator", n)
	}
	nkey, file, err := s.accounts.ServiceCreds(ctx, t, u)
	if err != nil {
		return KeySecret{}, err
	}
	c := Credential{NKey: nkey, Tenant: t.ID, User: u, Kind: CredentialService, KeyID: k.ID, IssuedAt: k.CreatedAt}
	return KeySecret{Creds: file}, tx.InsertCredential(ctx, c)
}

// ensureBackend finds the backend of an id, or makes it. A person does not become one.
func (s *Service) ensureBackend(ctx context.Context, tx Tx, t Tenant, u UserID, now time.Time) error {
	row, err := tx.UserRow(ctx, t.ID, u)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	case err == nil && row.Status == UserRevoked && row.Kind == Backend:
		return Errorf(CodeForbidden, "the service %s is revoked; restore it first", u)
	case err == nil && row.Status == UserActive && row.Kind == Backend:
		return nil
	case err == nil && row.Status != UserDeleted:
		return &Error{Code: CodeConflict, Message: "name: a person has this id", Fields: map[string]string{"name": "a person has this id"}}
	}
	if _, err := s.roomForUser(ctx, tx, t); err != nil {
		return err
	}
	return tx.PutUser(ctx, User{Tenant: t.ID, ID: u, Kind: Backend, Name: string(u), Status: UserActive, CreatedAt: now})
}

package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

const (
	selectTokenKey = `
SELECT account, key_id, purpose, sealed, key_version FROM account_keys
WHERE account = $1 AND purpose = 'token' ORDER BY created_at DESC, key_id LIMIT 1`
	selectSigningKey = `
SELECT account, key_id, purpose, sealed, key_version FROM account_keys
WHERE account = $1 AND purpose = 'signing' ORDER BY created_at DESC, key_id LIMIT 1`
)

// sealedKey reads the newest key of a tenant's account of the purpose that the query names.
func (a *Accounts) sealedKey(ctx context.Context, query string, t tenant.Tenant) (k tenant.SealedKey, err error) {
	err = a.pool.QueryRow(ctx, query, t.Account).Scan(&k.Account, &k.KeyID, &k.Purpose, &k.Sealed, &k.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		err = tenant.NotFound("key of the account")
	}
	return k, err
}

// Token signs a JSON Web Token for a user under his tenant's key.
func (a *Accounts) Token(ctx context.Context, t tenant.Tenant, u tenant.UserID, issued, expires time.Time) (tenant.Secret, error) {
	k, err := a.sealedKey(ctx, selectTokenKey, t)
	if err != nil {
		return "", fmt.Errorf("issue token of tenant %s: %w", t.ID, err)
	}
	token, err := a.keys.Token(k, t.ID, u, issued, expires)
	if err != nil {
		return "", fmt.Errorf("issue token of tenant %s: %w", t.ID, err)
	}
	return token, nil
}

// Creds makes a user of AUTH who is known to the callout by his tags: a server that lets him
// that far has checked his signature. The file is the only place where his seed is.
func (a *Accounts) Creds(_ context.Context, t tenant.TenantID, u tenant.UserID) (string, tenant.Secret, error) {
	nkey, file, err := issue(a.authSigner, func(public string) *jwt.UserClaims {
		c := deniedUser(public, a.facts.auth.id)
		c.Name = string(u)
		c.Tags.Add("tenant:"+string(t), "user:"+string(u))
		return c
	})
	if err != nil {
		return "", "", fmt.Errorf("issue credentials of user %s: %w", u, err)
	}
	return nkey, file, nil
}

// issue makes a user's key and the .creds file of the claims on it.
func issue(signer nkeys.KeyPair, claims func(public string) *jwt.UserClaims) (string, tenant.Secret, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", "", err
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil {
		return "", "", err
	}
	text, err := claims(public).Encode(signer)
	if err != nil {
		return "", "", err
	}
	seed, err := pair.Seed()
	if err != nil {
		return "", "", err
	}
	file, err := jwt.FormatUserConfig(text, seed)
	return public, tenant.Secret(file), err
}

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

const selectTokenKey = `
SELECT account, key_id, purpose, sealed, key_version FROM account_keys
WHERE account = $1 AND purpose = 'token' ORDER BY created_at DESC, key_id LIMIT 1`

// Token signs a JSON Web Token for a user under his tenant's key.
func (a *Accounts) Token(ctx context.Context, t tenant.Tenant, u tenant.UserID, issued, expires time.Time) (tenant.Secret, error) {
	var k tenant.SealedKey
	err := a.pool.QueryRow(ctx, selectTokenKey, t.Account).Scan(&k.Account, &k.KeyID, &k.Purpose, &k.Sealed, &k.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("issue token of tenant %s: %w", t.ID, tenant.NotFound("token key"))
	}
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
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", "", fmt.Errorf("issue credentials of user %s: %w", u, err)
	}
	defer pair.Wipe()
	nkey, file, err := a.credsFile(pair, t, u)
	if err != nil {
		return "", "", fmt.Errorf("issue credentials of user %s: %w", u, err)
	}
	return nkey, file, nil
}

func (a *Accounts) credsFile(pair nkeys.KeyPair, t tenant.TenantID, u tenant.UserID) (string, tenant.Secret, error) {
	public, err := pair.PublicKey()
	if err != nil {
		return "", "", err
	}
	c := deniedUser(public, a.facts.auth.id)
	c.Name = string(u)
	c.Tags.Add("tenant:"+string(t), "user:"+string(u))
	text, err := c.Encode(a.authSigner)
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

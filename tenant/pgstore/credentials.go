package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlInsertCredential = `
INSERT INTO credentials (nkey, tenant_id, user_id, kind, key_id, issued_at) VALUES ($1, $2, $3, $4, nullif($5, ''), $6)`

// InsertCredential notes a credential that is about to be handed out.
func (x tx) InsertCredential(ctx context.Context, c tenant.Credential) error {
	_, err := exec(ctx, x.q, sqlInsertCredential, c.NKey, c.Tenant, c.User, c.Kind, c.KeyID, c.IssuedAt)
	return wrap(err, "insert", "credential", string(c.Tenant), string(c.User), c.NKey)
}

const sqlCountCredentials = `SELECT count(*) FROM credentials WHERE tenant_id = $1 AND kind = $2`

// CountCredentials counts the credentials of a kind, the revoked ones among them.
func (x tx) CountCredentials(ctx context.Context, t tenant.TenantID, k tenant.CredentialKind) (int, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int], sqlCountCredentials, t, k)
	return n, wrap(err, "count", "credentials", string(t), string(k))
}

const sqlCredential = `
SELECT nkey, tenant_id, user_id, kind, coalesce(key_id, ''), issued_at, revoked_at
FROM credentials WHERE tenant_id = $1 AND nkey = $2`

// Credential returns a credential, also one that is revoked.
func (s *Store) Credential(ctx context.Context, t tenant.TenantID, nkey string) (tenant.Credential, error) {
	row, err := one(ctx, s.pool, scanCredential, sqlCredential, t, nkey)
	return row, wrap(err, "read", "credential", string(t), nkey)
}

const sqlCredentials = `
SELECT nkey, tenant_id, user_id, kind, coalesce(key_id, ''), issued_at, revoked_at
FROM credentials WHERE tenant_id = $1 AND user_id = $2 AND nkey > $3 AND nkey ILIKE $4 ORDER BY nkey LIMIT $5`

// Credentials lists the credentials of a user by nkey, the revoked ones among them.
func (s *Store) Credentials(ctx context.Context, t tenant.TenantID, u tenant.UserID, p tenant.Page) ([]tenant.Credential, error) {
	rows, err := list(ctx, s.pool, scanCredential, sqlCredentials, t, u, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "credentials", string(t), string(u), p.After)
}

const sqlRevokeCredential = `
UPDATE credentials SET revoked_at = coalesce(revoked_at, $4) WHERE tenant_id = $1 AND user_id = $2 AND nkey = $3
RETURNING nkey, tenant_id, user_id, kind, coalesce(key_id, ''), issued_at, revoked_at`

// RevokeCredential ends a credential; one that is revoked stays so.
func (x tx) RevokeCredential(ctx context.Context, t tenant.TenantID, u tenant.UserID, nkey string, at time.Time) (tenant.Credential, error) {
	row, err := one(ctx, x.q, scanCredential, sqlRevokeCredential, t, u, nkey, at)
	return row, wrap(err, "revoke", "credential", string(t), string(u), nkey)
}

const sqlRevokeCredentialsOf = `
UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND key_id = $2 AND revoked_at IS NULL
RETURNING nkey, tenant_id, user_id, kind, coalesce(key_id, ''), issued_at, revoked_at`

// RevokeCredentialsOf ends the credentials that came with a key.
func (x tx) RevokeCredentialsOf(ctx context.Context, t tenant.TenantID, key string, at time.Time) ([]tenant.Credential, error) {
	rows, err := list(ctx, x.q, scanCredential, sqlRevokeCredentialsOf, t, key, at)
	return rows, wrap(err, "revoke the credentials of", "key", string(t), key)
}

func scanCredential(row pgx.CollectableRow) (c tenant.Credential, err error) {
	var revoked *time.Time
	err = row.Scan(&c.NKey, &c.Tenant, &c.User, &c.Kind, &c.KeyID, &c.IssuedAt, &revoked)
	c.IssuedAt, c.RevokedAt = c.IssuedAt.UTC(), utc(revoked)
	return c, err
}

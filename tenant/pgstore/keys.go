package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlAPIKey = `
SELECT k.key_id, k.tenant_id, k.kind, k.name, k.scopes, k.details, k.hash, k.created_at, k.last_used_at, k.ends_at, k.removed_at
FROM keys k JOIN tenants t ON t.tenant_id = k.tenant_id AND t.status <> 'deleting'
WHERE k.key_id = $1 AND k.kind = 'api' AND k.removed_at IS NULL`

// APIKey returns an API key that is good.
func (s *Store) APIKey(ctx context.Context, id string) (tenant.Key, error) {
	row, err := one(ctx, s.pool, scanKey, sqlAPIKey, id)
	return row, wrap(err, "read", "API key", id)
}

const sqlKeys = `
SELECT key_id, tenant_id, kind, name, scopes, details, hash, created_at, last_used_at, ends_at, removed_at
FROM keys
WHERE tenant_id = $1 AND removed_at IS NULL AND key_id > $2 AND (key_id ILIKE $3 OR name ILIKE $3)
ORDER BY key_id LIMIT $4`

// Keys lists the good keys of a tenant by id.
func (s *Store) Keys(ctx context.Context, t tenant.TenantID, p tenant.Page) ([]tenant.Key, error) {
	rows, err := list(ctx, s.pool, scanKey, sqlKeys, t, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "keys", string(t), p.After)
}

// Key returns a key that is good.
func (s *Store) Key(ctx context.Context, t tenant.TenantID, id string) (tenant.Key, error) {
	row, err := one(ctx, s.pool, scanKey, sqlKey, t, id)
	return row, wrap(err, "read", "key", string(t), id)
}

const sqlKeyUsed = `UPDATE keys SET last_used_at = $2 WHERE key_id = $1 AND (last_used_at IS NULL OR last_used_at < $2)`

// KeyUsed notes when a key was last used.
func (s *Store) KeyUsed(ctx context.Context, id string, at time.Time) error {
	_, err := exec(ctx, s.pool, sqlKeyUsed, id, at)
	return wrap(err, "note the use of", "key", id)
}

const sqlInsertKey = `
INSERT INTO keys (key_id, tenant_id, kind, name, scopes, details, hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// InsertKey adds a key.
func (x tx) InsertKey(ctx context.Context, k tenant.Key) error {
	scopes := k.Scopes
	if scopes == nil {
		scopes = []tenant.Scope{}
	}
	_, err := exec(ctx, x.q, sqlInsertKey, k.ID, k.Tenant, k.Kind, k.Name, scopes, k.KeyDetails, k.Hash, k.CreatedAt)
	return wrap(err, "insert", "key", string(k.Tenant), k.ID)
}

const sqlIsAccountKey = `SELECT EXISTS (SELECT FROM account_keys WHERE key_id = $1) OR EXISTS (SELECT FROM accounts WHERE account = $1)`

// IsAccountKey reports whether a public key is an account's, or signs for one.
func (x tx) IsAccountKey(ctx context.Context, public string) (bool, error) {
	ours, err := one(ctx, x.q, pgx.RowTo[bool], sqlIsAccountKey, public)
	return ours, wrap(err, "look for", "account key", public)
}

const sqlKey = `
SELECT key_id, tenant_id, kind, name, scopes, details, hash, created_at, last_used_at, ends_at, removed_at
FROM keys WHERE tenant_id = $1 AND key_id = $2 AND removed_at IS NULL`

// Key returns a key that is good.
func (x tx) Key(ctx context.Context, t tenant.TenantID, id string) (tenant.Key, error) {
	row, err := one(ctx, x.q, scanKey, sqlKey, t, id)
	return row, wrap(err, "read", "key", string(t), id)
}

const sqlCountKeys = `SELECT count(*) FROM keys WHERE tenant_id = $1 AND kind = $2 AND removed_at IS NULL`

// CountKeys counts the good keys of a kind.
func (x tx) CountKeys(ctx context.Context, t tenant.TenantID, kind tenant.KeyKind) (int, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int], sqlCountKeys, t, kind)
	return n, wrap(err, "count", "keys", string(t), string(kind))
}

const sqlSetKeyEnd = `UPDATE keys SET ends_at = $3 WHERE tenant_id = $1 AND key_id = $2`

// SetKeyEnd says when a key is to end.
func (x tx) SetKeyEnd(ctx context.Context, t tenant.TenantID, id string, at time.Time) error {
	_, err := exec(ctx, x.q, sqlSetKeyEnd, t, id, at)
	return wrap(err, "end", "key", string(t), id)
}

const sqlRemoveKey = `
UPDATE keys SET removed_at = $3 WHERE tenant_id = $1 AND key_id = $2 AND removed_at IS NULL
RETURNING key_id, tenant_id, kind, name, scopes, details, hash, created_at, last_used_at, ends_at, removed_at`

// RemoveKey ends a key. Its row stays, for the reason of what it is refused by.
func (x tx) RemoveKey(ctx context.Context, t tenant.TenantID, id string, at time.Time) (tenant.Key, error) {
	row, err := one(ctx, x.q, scanKey, sqlRemoveKey, t, id, at)
	return row, wrap(err, "remove", "key", string(t), id)
}

func scanKey(row pgx.CollectableRow) (k tenant.Key, err error) {
	var used, ends, removed *time.Time
	err = row.Scan(&k.ID, &k.Tenant, &k.Kind, &k.Name, &k.Scopes, &k.KeyDetails, &k.Hash, &k.CreatedAt, &used, &ends, &removed)
	k.CreatedAt, k.LastUsed, k.EndsAt, k.RemovedAt = k.CreatedAt.UTC(), utc(used), utc(ends), utc(removed)
	return k, err
}

package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlAPIKey = `
SELECT k.key_id, k.tenant_id, k.name, k.hash, k.scopes, k.created_at
FROM api_keys k JOIN tenants t ON t.tenant_id = k.tenant_id AND t.status <> 'deleting'
WHERE k.key_id = $1 AND k.revoked_at IS NULL`

// APIKey returns a key that is good.
func (s *Store) APIKey(ctx context.Context, id string) (tenant.APIKey, error) {
	row, err := one(ctx, s.pool, scanAPIKey, sqlAPIKey, id)
	return row, wrap(err, "read", "API key", id)
}

const sqlInsertAPIKey = `
INSERT INTO api_keys (key_id, tenant_id, name, hash, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6)`

// InsertAPIKey adds a key.
func (x tx) InsertAPIKey(ctx context.Context, k tenant.APIKey) error {
	_, err := exec(ctx, x.q, sqlInsertAPIKey, k.ID, k.Tenant, k.Name, k.Hash, k.Scopes, k.CreatedAt)
	return wrap(err, "insert", "API key", string(k.Tenant), k.ID)
}

func scanAPIKey(row pgx.CollectableRow) (k tenant.APIKey, err error) {
	err = row.Scan(&k.ID, &k.Tenant, &k.Name, &k.Hash, &k.Scopes, &k.CreatedAt)
	k.CreatedAt = k.CreatedAt.UTC()
	return k, err
}

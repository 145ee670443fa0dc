package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlTenant = `
SELECT tenant_id, name, account, timezone, limits, retention, status, user_rooms, created_at
FROM tenants WHERE tenant_id = $1 AND status <> 'deleting'`

// Tenant returns a tenant. One that is deleting does not exist.
func (s *Store) Tenant(ctx context.Context, t tenant.TenantID) (tenant.Tenant, error) {
	row, err := one(ctx, s.pool, scanTenant, sqlTenant, t)
	return row, wrap(err, "read", "tenant", string(t))
}

const sqlTenants = `
SELECT tenant_id, name, account, timezone, limits, retention, status, user_rooms, created_at
FROM tenants
WHERE status <> 'deleting' AND tenant_id > $1 AND (tenant_id ILIKE $2 OR name ILIKE $2)
ORDER BY tenant_id LIMIT $3`

// Tenants lists tenants by id.
func (s *Store) Tenants(ctx context.Context, p tenant.Page) ([]tenant.Tenant, error) {
	rows, err := list(ctx, s.pool, scanTenant, sqlTenants, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "tenants", p.After)
}

const (
	sqlInsertTenant = `
INSERT INTO tenants (tenant_id, name, account, timezone, limits, retention, status, user_rooms, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

	sqlInsertAccount = `INSERT INTO accounts (account, tenant_id) VALUES ($1, $2)`

	sqlInsertAccountKey = `
INSERT INTO account_keys (key_id, account, purpose, sealed, key_version, created_at)
VALUES ($1, $2, $3, $4, $5, $6)`
)

// InsertTenant adds a tenant with its account and the account's keys.
func (x tx) InsertTenant(ctx context.Context, t tenant.Tenant, keys []tenant.SealedKey) error {
	_, err := exec(ctx, x.q, sqlInsertTenant, t.ID, t.Name, t.Account, t.Timezone, t.Limits, t.Retention, t.Status, t.UserRooms, t.CreatedAt)
	if err != nil {
		return wrap(err, "insert", "tenant", string(t.ID))
	}
	if _, err := exec(ctx, x.q, sqlInsertAccount, t.Account, t.ID); err != nil {
		return wrap(err, "insert", "account", t.Account)
	}
	for _, k := range keys {
		_, err := exec(ctx, x.q, sqlInsertAccountKey, k.KeyID, k.Account, k.Purpose, k.Sealed, k.Version, t.CreatedAt)
		if err != nil {
			return wrap(err, "insert", "account key", k.KeyID)
		}
	}
	return nil
}

const sqlUpdateTenant = `
UPDATE tenants SET name = $2, timezone = $3, limits = $4, retention = $5, status = $6, user_rooms = $7 WHERE tenant_id = $1`

// UpdateTenant replaces what may change of a tenant.
func (x tx) UpdateTenant(ctx context.Context, t tenant.Tenant) error {
	err := mustChange(ctx, x.q, sqlUpdateTenant, t.ID, t.Name, t.Timezone, t.Limits, t.Retention, t.Status, t.UserRooms)
	return wrap(err, "update", "tenant", string(t.ID))
}

func scanTenant(row pgx.CollectableRow) (t tenant.Tenant, err error) {
	err = row.Scan(&t.ID, &t.Name, &t.Account, &t.Timezone, &t.Limits, &t.Retention, &t.Status, &t.UserRooms, &t.CreatedAt)
	t.CreatedAt = t.CreatedAt.UTC()
	return t, err
}

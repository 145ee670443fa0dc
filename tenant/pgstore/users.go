package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlUser = `
SELECT tenant_id, user_id, kind, name, external_id, status, reason, password_hash, nkey, created_at,
  coalesce(tokens_from, created_at)
FROM users WHERE tenant_id = $1 AND user_id = $2`

// User returns a user that isn't deleted.
func (s *Store) User(ctx context.Context, t tenant.TenantID, u tenant.UserID) (tenant.User, error) {
	row, err := one(ctx, s.pool, scanUser, sqlUser, t, u)
	if err == nil && row.Status == tenant.UserDeleted {
		row, err = tenant.User{}, pgx.ErrNoRows
	}
	return row, wrap(err, "read", "user", string(t), string(u))
}

// UserRow returns a user, also a deleted one.
func (x tx) UserRow(ctx context.Context, t tenant.TenantID, u tenant.UserID) (tenant.User, error) {
	row, err := one(ctx, x.q, scanUser, sqlUser, t, u)
	return row, wrap(err, "read", "user", string(t), string(u))
}

const sqlUsers = `
SELECT tenant_id, user_id, kind, name, external_id, status, reason, password_hash, nkey, created_at,
  coalesce(tokens_from, created_at)
FROM users
WHERE tenant_id = $1 AND status <> 'deleted' AND user_id > $2 AND (user_id ILIKE $3 OR name ILIKE $3)
ORDER BY user_id LIMIT $4`

// Users lists the users of a tenant by id.
func (s *Store) Users(ctx context.Context, t tenant.TenantID, p tenant.Page) ([]tenant.User, error) {
	rows, err := list(ctx, s.pool, scanUser, sqlUsers, t, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "users", string(t), p.After)
}

const sqlCountUsers = `SELECT count(*) FROM users WHERE tenant_id = $1 AND status <> 'deleted'`

// CountUsers counts the users that aren't deleted.
func (x tx) CountUsers(ctx context.Context, t tenant.TenantID) (int64, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int64], sqlCountUsers, t)
	return n, wrap(err, "count", "users", string(t))
}

const sqlPutUser = `
INSERT INTO users (tenant_id, user_id, kind, name, external_id, status, reason, password_hash, nkey, created_at, tokens_from)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET
  kind = EXCLUDED.kind, name = EXCLUDED.name, external_id = EXCLUDED.external_id, status = EXCLUDED.status,
  reason = EXCLUDED.reason, password_hash = EXCLUDED.password_hash, nkey = EXCLUDED.nkey, created_at = EXCLUDED.created_at,
  tokens_from = EXCLUDED.tokens_from`

// PutUser inserts or replaces a user.
func (x tx) PutUser(ctx context.Context, u tenant.User) error {
	from := u.TokensFrom
	if from.IsZero() {
		from = u.CreatedAt
	}
	// The hash is revealed, or the driver would store how a Secret prints.
	_, err := exec(ctx, x.q, sqlPutUser, u.Tenant, u.ID, u.Kind, u.Name, u.ExternalID, u.Status, u.Reason,
		u.PasswordHash.Reveal(), u.NKey, u.CreatedAt, from)
	return wrap(err, "put", "user", string(u.Tenant), string(u.ID))
}

// The statements see the same rows, and none touches what another does.
const sqlDeleteUser = `
WITH left_rooms AS (
  DELETE FROM members WHERE tenant_id = $1 AND user_id = $2
), unmuted AS (
  DELETE FROM mutes WHERE tenant_id = $1 AND user_id = $2
), revoked AS (
  UPDATE credentials SET revoked_at = now() WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL
)
UPDATE users SET status = 'deleted', external_id = '', reason = '', password_hash = '', nkey = ''
WHERE tenant_id = $1 AND user_id = $2 AND status <> 'deleted'`

// DeleteUser takes all from a user but his name, which history shows.
func (x tx) DeleteUser(ctx context.Context, t tenant.TenantID, u tenant.UserID) error {
	err := mustChange(ctx, x.q, sqlDeleteUser, t, u)
	return wrap(err, "delete", "user", string(t), string(u))
}

func scanUser(row pgx.CollectableRow) (u tenant.User, err error) {
	err = row.Scan(&u.Tenant, &u.ID, &u.Kind, &u.Name, &u.ExternalID, &u.Status, &u.Reason, &u.PasswordHash, &u.NKey, &u.CreatedAt, &u.TokensFrom)
	u.CreatedAt, u.TokensFrom = u.CreatedAt.UTC(), u.TokensFrom.UTC()
	return u, err
}

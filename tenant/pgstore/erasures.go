package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// The statements see the same rows, and none touches what another does.
const sqlEraseUser = `
WITH seen AS (
  DELETE FROM presence WHERE tenant_id = $1 AND user_id = $2
), read AS (
  DELETE FROM read_positions WHERE tenant_id = $1 AND user_id = $2
), refused AS (
  DELETE FROM refusals WHERE tenant_id = $1 AND user_id = $2
)
UPDATE users SET name = $3 WHERE tenant_id = $1 AND user_id = $2 AND status = 'deleted'`

// EraseUser takes from a deleted user what deleting left: his name and where he was.
func (x tx) EraseUser(ctx context.Context, t tenant.TenantID, u tenant.UserID, name string) error {
	return wrap(mustChange(ctx, x.q, sqlEraseUser, t, u, name), "erase", "user", string(t), string(u))
}

const sqlPutPersonErasure = `
INSERT INTO person_erasures (tenant_id, user_id, begun_at) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET begun_at = excluded.begun_at, finished_at = NULL`

// PutPersonErasure begins an erasure.
func (x tx) PutPersonErasure(ctx context.Context, t tenant.TenantID, e tenant.PersonErasure) error {
	_, err := exec(ctx, x.q, sqlPutPersonErasure, t, e.User, e.BegunAt)
	return wrap(err, "begin", "erasure", string(t), string(e.User))
}

const sqlPersonErasure = `
SELECT user_id, messages, begun_at, finished_at FROM person_erasures WHERE tenant_id = $1 AND user_id = $2`

// PersonErasure returns how far an erasure is.
func (s *Store) PersonErasure(ctx context.Context, t tenant.TenantID, u tenant.UserID) (tenant.PersonErasure, error) {
	e, err := one(ctx, s.pool, scanErasure, sqlPersonErasure, t, u)
	return e, wrap(err, "read", "erasure", string(t), string(u))
}

func scanErasure(row pgx.CollectableRow) (e tenant.PersonErasure, err error) {
	var finished *time.Time
	err = row.Scan(&e.User, &e.Messages, &e.BegunAt, &finished)
	e.BegunAt, e.FinishedAt = e.BegunAt.UTC(), utc(finished)
	return e, err
}

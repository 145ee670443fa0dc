package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// What is named is enough to begin with; the console's pages have all of it.
const sqlBacklog = `
SELECT (SELECT count(*) FROM accounts WHERE name IS DISTINCT FROM 'OPERATOR'),
  ARRAY(SELECT coalesce(tenant_id, name) FROM accounts WHERE name IS DISTINCT FROM 'OPERATOR' AND iat <> pushed_iat AND iat < extract(epoch FROM $1::timestamptz) ORDER BY 1 LIMIT 10),
  ARRAY(SELECT kind || ': ' || coalesce(errors[array_upper(errors, 1)] ->> 'error', 'no reason is known') FROM river_job WHERE state IN ('retryable', 'discarded') ORDER BY id DESC LIMIT 3),
  (SELECT count(*) FROM river_job WHERE state IN ('retryable', 'discarded')),
  (SELECT count(*) FROM replayed_revocations WHERE replayed_at > $1::timestamptz - interval '7 days'), (SELECT max(replayed_at) FROM replayed_revocations),
  to_timestamp((SELECT coalesce(max(iat), 0) FROM accounts))`

// Backlog tells what the rows ask for and is not done.
func (s *Store) Backlog(ctx context.Context, pushed time.Time) (tenant.Backlog, error) {
	row, err := one(ctx, s.pool, scanBacklog, sqlBacklog, pushed)
	return row, wrap(err, "read", "backlog")
}

func scanBacklog(row pgx.CollectableRow) (b tenant.Backlog, err error) {
	var found *time.Time
	err = row.Scan(&b.Accounts, &b.Behind, &b.Failing, &b.Failed, &b.Forgotten, &found, &b.Newest)
	b.Found = utc(found)
	return b, err
}

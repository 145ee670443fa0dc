package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"parley/tenant"
)

const sqlQueuedJobs = `
SELECT id, kind, state::text, attempt, max_attempts, scheduled_at, args::text, coalesce(errors[array_upper(errors, 1)] ->> 'error', '')
FROM river_job WHERE state NOT IN ('completed', 'cancelled')
ORDER BY state IN ('retryable', 'discarded') DESC, id DESC LIMIT $1`

// QueuedJobs lists jobs that are not done, those that failed first.
func (s *Store) QueuedJobs(ctx context.Context, limit int) ([]tenant.QueuedJob, error) {
	rows, err := list(ctx, s.pool, scanQueuedJob, sqlQueuedJobs, limit)
	return rows, wrap(err, "list", "jobs")
}

func scanQueuedJob(row pgx.CollectableRow) (j tenant.QueuedJob, err error) {
	err = row.Scan(&j.ID, &j.Kind, &j.State, &j.Attempt, &j.Most, &j.At, &j.Args, &j.LastFail)
	return j, err
}

// RetryJob has a job run again at once.
func (s *Store) RetryJob(ctx context.Context, id int64) error {
	ctx, cancel := bound(ctx)
	defer cancel()
	_, err := s.jobs.JobRetry(ctx, id)
	if errors.Is(err, rivertype.ErrNotFound) {
		return tenant.NotFound("job")
	}
	return wrap(err, "retry", "job")
}

const sqlAccountStates = `
SELECT coalesce(tenant_id, ''), coalesce(name, ''), account, iat, pushed_iat
FROM accounts WHERE name IS DISTINCT FROM 'OPERATOR' ORDER BY iat = pushed_iat, tenant_id NULLS FIRST, name LIMIT $1`

// AccountStates lists accounts, which the operator's own key is none of, those first that the servers don't have as they shall be.
func (s *Store) AccountStates(ctx context.Context, limit int) ([]tenant.AccountState, error) {
	rows, err := list(ctx, s.pool, scanAccountState, sqlAccountStates, limit)
	return rows, wrap(err, "list", "accounts")
}

func scanAccountState(row pgx.CollectableRow) (a tenant.AccountState, err error) {
	err = row.Scan(&a.Tenant, &a.Name, &a.Account, &a.Wanted, &a.Pushed)
	return a, err
}

package pgstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"parley/tenant"
)

// tx is a transaction of changes.
type tx struct {
	q    pgx.Tx
	jobs *river.Client[pgx.Tx]
}

const sqlLockTenant = `
SELECT tenant_id, name, account, timezone, limits, retention, status, user_rooms, created_at
FROM tenants WHERE tenant_id = $1 AND status <> 'deleting'
FOR NO KEY UPDATE`

// Write runs fn in a transaction that holds the tenant's row.
func (s *Store) Write(ctx context.Context, t tenant.TenantID, fn func(tenant.Tx, tenant.Tenant) error) error {
	return s.inTx(ctx, string(t), func(x tx) error {
		row, err := one(ctx, x.q, scanTenant, sqlLockTenant, t)
		if err != nil {
			return wrap(err, "lock", "tenant", string(t))
		}
		return fn(x, row)
	})
}

// Create runs fn in a transaction that holds nothing yet.
func (s *Store) Create(ctx context.Context, fn func(tenant.Tx) error) error {
	return s.inTx(ctx, "new", func(x tx) error { return fn(x) })
}

// A transaction that Postgres has ended in favour of another is tried so often.
const maxTries = 5

// inTx is the one place where transactions begin, end and are run again. key names the tenant in errors.
func (s *Store) inTx(ctx context.Context, key string, fn func(tx) error) error {
	for try := 1; ; try++ {
		err := s.try(ctx, key, fn)
		var f *fault
		if err == nil || try == maxTries || !errors.As(err, &f) || !f.again {
			return err
		}
		// Apart by chance, or two that met in a deadlock would meet again.
		pause := time.NewTimer(rand.N(time.Duration(try) * 10 * time.Millisecond)) //nolint:gosec // no secret
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

func (s *Store) try(ctx context.Context, key string, fn func(tx) error) error {
	q, err := s.begin(ctx)
	if err != nil {
		return wrap(err, "begin a change of", "tenant", key)
	}
	defer rollback(ctx, q)
	if err := fn(tx{q: q, jobs: s.jobs}); err != nil {
		return err
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	return wrap(q.Commit(ctx), "commit a change of", "tenant", key)
}

func (s *Store) begin(ctx context.Context) (pgx.Tx, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	return s.pool.Begin(ctx)
}

// rollback gives the connection back in whatever way the transaction ended, fn's panic
// among them; after a commit it does nothing. Where it fails, the driver closes the
// connection, and the server ends the transaction.
func rollback(ctx context.Context, q pgx.Tx) {
	ctx, cancel := bound(context.WithoutCancel(ctx))
	defer cancel()
	_ = q.Rollback(ctx)
}

// Package pgstore keeps the domain's records in Postgres: it is tenant.Store in
// hand-written SQL, the callout's one query, and the log of refusals. Driver errors end
// here. It decides nothing about who may do what, opens no keys and knows no transport.
package pgstore

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"parley/tenant"
)

// Config of a Store.
type Config struct {
	Pool   *pgxpool.Pool // required; the migrated database. The caller closes it.
	Logger *slog.Logger  // nil: slog.Default
}

// A Store keeps the records. All its methods may be called at once.
type Store struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	jobs *river.Client[pgx.Tx]

	refusals chan tenant.Refusal
	dropped  atomic.Uint64
}

// New returns a store over a pool. It does not connect.
func New(c Config) (*Store, error) {
	if c.Pool == nil {
		return nil, errors.New("pgstore: Config needs a Pool")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	jobs, err := river.NewClient(riverpgxv5.New(c.Pool), &river.Config{Logger: c.Logger})
	if err != nil {
		return nil, errors.Join(errors.New("pgstore: make the queue's client"), err)
	}
	return &Store{pool: c.Pool, log: c.Logger, jobs: jobs, refusals: make(chan tenant.Refusal, refusalQueue)}, nil
}

// patience is how long a statement may take, the wait for a connection and for locks
// among it, where the caller has set no deadline.
const patience = 5 * time.Second

func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, patience)
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// one reads the one row of a query; pgx.ErrNoRows where there is none.
func one[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		var none T
		return none, err
	}
	return pgx.CollectOneRow(rows, scan)
}

// list reads all rows of a query, which bounds them itself.
func list[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// exec runs a statement and counts the rows that it changed.
func exec(ctx context.Context, q querier, sql string, args ...any) (int64, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return 0, err
	}
	rows.Close()
	return rows.CommandTag().RowsAffected(), rows.Err()
}

// mustChange runs a statement that changes one row; pgx.ErrNoRows where it found none.
func mustChange(ctx context.Context, q querier, sql string, args ...any) error {
	n, err := exec(ctx, q, sql, args...)
	if err == nil && n == 0 {
		return pgx.ErrNoRows
	}
	return err
}

// utc is a time that may be absent.
func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

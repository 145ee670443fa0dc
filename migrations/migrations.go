// Package migrations holds the database's schema as numbered SQL and brings a database up
// to it, River's tables too. Old code must run on the next schema. It runs no other query,
// and there is no way down: a backup is.
package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// FS holds the migrations, in goose's form.
//
//go:embed *.sql
var FS embed.FS

// ErrNewerSchema says that a newer Parley has been at the database, and what to do.
var ErrNewerSchema = errors.New("the data folder was written by a newer Parley: " +
	"run that version or a newer one, or restore a backup that this version made")

// Up brings the database to the schema of this binary. Of several that start at once, one
// does the work and the others wait until it is done. A database whose schema is newer than this
// binary's is left as it is: the error is then ErrNewerSchema. ctx bounds waiting and work.
func Up(ctx context.Context, pool *pgxpool.Pool) error {
	unlock, err := lock(ctx, pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("locking the schema: %w", err)
	}
	return errors.Join(up(ctx, pool), unlock())
}

func up(ctx context.Context, pool *pgxpool.Pool) (err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	own, err := goose.NewProvider(goose.DialectPostgres, db, FS)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	// River's migrator else writes to stdout.
	river, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("reading River's migrations: %w", err)
	}
	if err := refuseNewer(ctx, pool, own, river); err != nil {
		return err
	}
	if _, err := own.Up(ctx); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrating River's tables: %w", err)
	}
	return nil
}

const (
	sqlExists       = `SELECT to_regclass($1) IS NOT NULL`
	sqlVersion      = `SELECT coalesce(max(version_id), 0) FROM goose_db_version`
	sqlRiverVersion = `SELECT coalesce(max(version), 0) FROM river_migration`
)

// refuseNewer looks before anything is written: goose and River both pass over versions
// that they don't know.
func refuseNewer(ctx context.Context, pool *pgxpool.Pool, own *goose.Provider, river *rivermigrate.Migrator[pgx.Tx]) error {
	sources, rivers := own.ListSources(), river.AllVersions()
	for _, v := range []struct {
		what, table, sql string
		newest           int64
	}{
		{"schema", "goose_db_version", sqlVersion, sources[len(sources)-1].Version},
		{"job queue's schema", "river_migration", sqlRiverVersion, int64(rivers[len(rivers)-1].Version)},
	} {
		got, err := version(ctx, pool, v.table, v.sql)
		if err != nil {
			return fmt.Errorf("reading the version of the %s: %w", v.what, err)
		}
		if got > v.newest {
			return fmt.Errorf("the %s has version %d and this binary knows up to %d: %w", v.what, got, v.newest, ErrNewerSchema)
		}
	}
	return nil
}

// version is 0 where the table does not exist.
func version(ctx context.Context, pool *pgxpool.Pool, table, sql string) (v int64, err error) {
	var exists bool
	if err := pool.QueryRow(ctx, sqlExists, table).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	return v, pool.QueryRow(ctx, sql).Scan(&v)
}

// lockKey is the advisory lock of this package: "parley" and a number, as bytes.
const lockKey int64 = 0x7061726c65790001

const sqlLock = `SELECT pg_try_advisory_lock($1)`

// lock holds one lock around goose's work and River's, on a connection of its own, so that
// a pool of one connection is enough. goose's locker would cover only goose and
// looks again only each five seconds. The lock is tried and not waited for in SQL: a waiting
// statement has a snapshot, for whose end CREATE INDEX CONCURRENTLY would wait for ever.
func lock(ctx context.Context, config *pgx.ConnConfig) (unlock func() error, err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	unlock = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return conn.Close(ctx) // the session's end is the lock's
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var mine bool
		if err := conn.QueryRow(ctx, sqlLock, lockKey).Scan(&mine); err != nil {
			return nil, errors.Join(err, unlock())
		}
		if mine {
			return unlock, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), unlock())
		}
	}
}

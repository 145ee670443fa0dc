package migrations_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"parley/internal/pgtest"
	"parley/migrations"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func newPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1 // the least that Up must do with
	pool, err := pgxpool.NewWithConfig(testContext(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func up(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	if err := migrations.Up(testContext(t), pool); err != nil {
		t.Fatalf("Up: %v", err)
	}
}

// history is what was applied, in order.
func history(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(testContext(t), `
		SELECT 'parley ' || version_id FROM (SELECT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY id) g
		UNION ALL SELECT 'river ' || version FROM (SELECT version FROM river_migration ORDER BY version) r`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func count(t *testing.T, pool *pgxpool.Pool, sql string) (n int) {
	t.Helper()
	if err := pool.QueryRow(testContext(t), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func TestFromZero(t *testing.T) {
	t.Parallel()
	pool := newPool(t, pgtest.NewEmptyURL(t))
	up(t, pool)
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if got := count(t, pool, `SELECT count(*) FROM goose_db_version WHERE version_id > 0`); got != len(files) {
		t.Errorf("applied: got %d, want %d", got, len(files))
	}
	for _, table := range []string{"tenants", "messages", "river_job"} {
		if got := count(t, pool, `SELECT count(*) FROM `+table); got != 0 {
			t.Errorf("%s: got %d rows, want 0", table, got)
		}
	}
}

func TestTwice(t *testing.T) {
	t.Parallel()
	pool := newPool(t, pgtest.NewEmptyURL(t))
	up(t, pool)
	want := history(t, pool)
	up(t, pool)
	if got := history(t, pool); len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFourStartersAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.NewEmptyURL(t)
	want := history(t, pgtest.NewPool(t))
	const starters = 4
	errs := make(chan error, starters)
	for range starters {
		pool := newPool(t, url)
		go func() { errs <- migrations.Up(testContext(t), pool) }()
	}
	for range starters {
		if err := <-errs; err != nil {
			t.Errorf("Up: %v", err)
		}
	}
	if got := history(t, newPool(t, url)); len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, newer, undo string }{
		{
			"parley",
			`INSERT INTO goose_db_version (version_id, is_applied) VALUES (90000, true)`,
			`DELETE FROM goose_db_version WHERE version_id = 90000`,
		},
		{
			"river",
			`INSERT INTO river_migration (line, version) VALUES ('main', 90000)`,
			`DELETE FROM river_migration WHERE version = 90000`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.NewPool(t)
			ctx := testContext(t)
			if _, err := pool.Exec(ctx, c.newer); err != nil {
				t.Fatal(err)
			}
			want := history(t, pool)
			if err := migrations.Up(ctx, pool); !errors.Is(err, migrations.ErrNewerSchema) {
				t.Errorf("newer: got %v, want %v", err, migrations.ErrNewerSchema)
			}
			if got := history(t, pool); len(got) != len(want) {
				t.Errorf("after the refusal: got %v, want %v", got, want)
			}
			if _, err := pool.Exec(ctx, c.undo); err != nil {
				t.Fatal(err)
			}
			up(t, pool)
		})
	}
}

// TestWaitEnds: a starter does not wait beyond its context for one that holds the lock.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	pool := newPool(t, pgtest.NewEmptyURL(t))
	ctx := testContext(t)
	holder, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(ctx, `SELECT pg_advisory_lock(x'7061726c65790001'::bigint)`); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := migrations.Up(short, pool); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("held: got %v, want %v", err, context.DeadlineExceeded)
	}
	if err := holder.Close(ctx); err != nil {
		t.Fatal(err)
	}
	up(t, pool)
}

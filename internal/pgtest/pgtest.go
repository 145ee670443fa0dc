// Package pgtest gives each test a database of its own, of the newest schema, on a real
// PostgreSQL server: a private one of the test binary, or the one of TEST_DATABASE_URL, whose
// role must be allowed to make databases. It is for tests only.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"
)

// patience is how long a step may take on a busy machine.
const patience = 2 * time.Minute

// Main runs the tests, stops the server and exits. It fails a package whose tests pass but
// leave goroutines behind.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest: the tests passed, but:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// NewPool returns a pool on a new database of the newest schema. Both go when the test ends.
func NewPool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	url := NewURL(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	return pool
}

// NewURL returns the address of a new database of the newest schema. It is dropped when the
// test ends, whoever is still connected.
func NewURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, true)
}

// NewEmptyURL is NewURL without a schema.
func NewEmptyURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, false)
}

// Names can't be parameters of these; they are made by newName. With fsync off, copying the
// template's files is the fastest: 90 ms.
const (
	sqlCreate = `CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy`
	sqlDrop   = `DROP DATABASE IF EXISTS %s WITH (FORCE)`
)

func newDatabase(t testing.TB, migrated bool) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := shared.started(ctx)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name, template := newName(), "template0"
	if migrated {
		template = c.template
	}
	if err := c.exec(ctx, fmt.Sprintf(sqlCreate, name, template)); err != nil {
		t.Fatalf("pgtest: making a database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.exec(ctx, fmt.Sprintf(sqlDrop, name)); err != nil {
			t.Errorf("pgtest: dropping the database: %v", err)
		}
	})
	return c.url(name)
}

func newName() string { return "parley_test_" + strings.ToLower(rand.Text()) }

// closePool says which test kept a connection, where a plain Close would hang for ever.
func closePool(t testing.TB, pool *pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		pool.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Errorf("pgtest: %d connections were not given back to the pool", pool.Stat().AcquiredConns())
	}
}

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"parley/internal/embedpg"
	"parley/migrations"
)

// shared is the one server of the test binary: tests get at it through nothing but their
// testing.TB, so that it can't be a field of anything.
var shared launcher

// A launcher starts the cluster when the first test asks for a database.
type launcher struct {
	mu      sync.Mutex
	cluster *cluster
	err     error // of the one start; each test says it
}

// A cluster is a PostgreSQL server and the database that all others are copies of.
type cluster struct {
	base     *url.URL
	template string
	server   *embedpg.Server // nil: TEST_DATABASE_URL's
}

func (l *launcher) started(ctx context.Context) (*cluster, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cluster == nil && l.err == nil {
		l.cluster, l.err = newCluster(ctx)
	}
	return l.cluster, l.err
}

func (l *launcher) stop() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := l.cluster.stop(ctx)
	l.cluster, l.err = nil, errors.New("the server was stopped: the tests are over")
	return err
}

func newCluster(ctx context.Context) (_ *cluster, err error) {
	c := &cluster{template: newName()}
	address := os.Getenv("TEST_DATABASE_URL")
	if address == "" {
		if c.server, err = private(ctx); err != nil {
			return nil, err
		}
		address = c.server.URL()
	}
	if c.base, err = url.Parse(address); err != nil || c.base.Scheme != "postgres" && c.base.Scheme != "postgresql" {
		return nil, errors.New("TEST_DATABASE_URL is no address of the form postgres://user:password@host/database")
	}
	if err := c.makeTemplate(ctx); err != nil {
		return nil, errors.Join(err, c.stop(ctx))
	}
	return c, nil
}

// folderPrefix begins the names of the private servers' folders.
const folderPrefix = "parley-pgtest-"

// private starts a server that dies with the test binary, even where that is killed.
func private(ctx context.Context) (*embedpg.Server, error) {
	removeLeft(os.TempDir())
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, err
	}
	s, err := embedpg.Start(ctx, embedpg.Config{Dir: dir, Volatile: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// removeLeft removes the folders of test binaries that were killed: a folder that nobody
// has locked, and that is too old to be one that is just being made.
func removeLeft(temp string) {
	dirs, _ := filepath.Glob(filepath.Join(temp, folderPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < 2*patience {
			continue
		}
		f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			// Housekeeping: what can't be removed does this run no harm.
			_ = os.RemoveAll(dir)
		}
		_ = f.Close()
	}
}

func (c *cluster) makeTemplate(ctx context.Context) error {
	if err := c.exec(ctx, fmt.Sprintf(sqlCreate, c.template, "template0")); err != nil {
		return fmt.Errorf("making the template: %w", err)
	}
	pool, err := pgxpool.New(ctx, c.url(c.template))
	if err != nil {
		return err
	}
	// A database can't be copied while somebody is connected to it.
	defer pool.Close()
	return migrations.Up(ctx, pool)
}

// stop drops what is left on a server that stays, and stops one that does not.
func (c *cluster) stop(ctx context.Context) error {
	if c.server == nil {
		return c.exec(ctx, fmt.Sprintf(sqlDrop, c.template))
	}
	return errors.Join(c.server.Stop(ctx), os.RemoveAll(c.server.Dir()))
}

// url is the address of a database of the server.
func (c *cluster) url(name string) string {
	u := *c.base
	u.Path = "/" + name
	return u.String()
}

// exec runs one statement on a connection of its own: they are few, and tests run in parallel.
func (c *cluster) exec(ctx context.Context, sql string) (err error) {
	conn, err := pgx.Connect(ctx, c.base.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

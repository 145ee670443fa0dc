package embedpg_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"parley/internal/embedpg"
)

func TestFreshStart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := start(t, embedpg.Config{Dir: filepath.Join(dir, "db")})
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "200",
		"listen_addresses": "", "server_encoding": "UTF8", "TimeZone": "UTC", "data_checksums": "on",
		"log_error_verbosity": "terse",
	} {
		if got := query[string](t, s.URL(), "SELECT current_setting('"+setting+"')"); got != want {
			t.Errorf("%s: got %q, want %q", setting, got, want)
		}
	}
	if got := query[string](t, s.URL(), "SELECT current_user || '@' || current_database()"); got != "parley@parley" {
		t.Errorf("got %s, want parley@parley", got)
	}
	for _, name := range []string{"data", "run"} {
		info, err := os.Stat(filepath.Join(dir, "db", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o700 {
			t.Errorf("mode of %s: got %o, want 700", name, got)
		}
	}
}

func TestStopIsSafeTwice(t *testing.T) {
	t.Parallel()
	dir := used(t)
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	pid := serverPid(t, dir)
	stop(t, s)
	if alive(pid) {
		t.Error("the server runs after Stop")
	}
	stop(t, s)
	if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("pid file after Stop: got %v, want none", err)
	}
}

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	dir := used(t)
	s := start(t, embedpg.Config{Dir: dir})
	exec1(t, s.URL(), "CREATE TABLE kept (v int); INSERT INTO kept VALUES (42)")
	stop(t, s)
	s = start(t, embedpg.Config{Dir: dir})
	if got := query[int](t, s.URL(), "SELECT v FROM kept"); got != 42 {
		t.Errorf("got %d, want 42", got)
	}
}

func TestStopWithOpenTransaction(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	s := start(t, embedpg.Config{Dir: used(t), Volatile: true})
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "BEGIN; CREATE TABLE half (v int)"); err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	if err := conn.Ping(ctx); err == nil {
		t.Error("the connection works after Stop, want an error")
	}
	_ = conn.Close(ctx)
}

func TestStopAborts(t *testing.T) {
	t.Parallel()
	dir := used(t)
	s := start(t, embedpg.Config{Dir: dir})
	exec1(t, s.URL(), "CREATE TABLE kept (v int); INSERT INTO kept VALUES (7)")
	pid := serverPid(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Stop: got %v, want nil or %v", err, context.Canceled)
	}
	if alive(pid) {
		t.Error("the server runs after Stop")
	}
	stop(t, s)
	s = start(t, embedpg.Config{Dir: dir})
	if got := query[int](t, s.URL(), "SELECT v FROM kept"); got != 7 {
		t.Errorf("got %d, want 7", got)
	}
}

func TestFolderInUse(t *testing.T) {
	t.Parallel()
	dir := used(t)
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	if _, err := embedpg.Start(testContext(t), embedpg.Config{Dir: dir, Volatile: true}); !errors.Is(err, embedpg.ErrInUse) {
		t.Errorf("second Start: got %v, want %v", err, embedpg.ErrInUse)
	}
	if got := query[int](t, s.URL(), "SELECT 1"); got != 1 {
		t.Errorf("the first server: got %d, want 1", got)
	}
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), strings.Repeat("long/", 20), "a folder, with \"quotes\" and 100%")
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	if got := query[int](t, s.URL(), "SELECT 1"); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
	config, err := pgx.ParseConfig(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("mode of %s: got %o, want 700", config.Host, got)
	}
	stop(t, s)
	if _, err := os.Stat(config.Host); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket folder after Stop: got %v, want none", err)
	}
}

func TestOddPath(t *testing.T) {
	t.Parallel()
	s := start(t, embedpg.Config{Dir: filepath.Join(folder(t), "a, \"b\" 5% ü"), Volatile: true})
	if got := query[int](t, s.URL(), "SELECT 1"); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

func TestNoBinaries(t *testing.T) {
	t.Setenv("PG_BIN", t.TempDir())
	_, err := embedpg.Start(testContext(t), embedpg.Config{Dir: folder(t)})
	if !errors.Is(err, embedpg.ErrNoBinaries) {
		t.Fatalf("got %v, want %v", err, embedpg.ErrNoBinaries)
	}
	for _, want := range []string{"apt-get install postgresql", "--database-url", "PG_BIN"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to name %s", err, want)
		}
	}
}

func TestBrokenData(t *testing.T) {
	t.Parallel()
	dir := used(t)
	if err := os.Remove(filepath.Join(dir, "data", "global", "pg_control")); err != nil {
		t.Fatal(err)
	}
	_, err := embedpg.Start(testContext(t), embedpg.Config{Dir: dir, Volatile: true})
	if err == nil || !strings.Contains(err.Error(), "could not find the database system") && !strings.Contains(err.Error(), "pg_control") {
		t.Errorf("got %v, want what postgres said", err)
	}
}

func TestOtherVersion(t *testing.T) {
	t.Parallel()
	dir := used(t)
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedpg.Start(testContext(t), embedpg.Config{Dir: dir, Volatile: true})
	if err == nil || !strings.Contains(err.Error(), "install postgresql-9") {
		t.Errorf("got %v, want it to name postgresql-9", err)
	}
}

func TestClosedFolder(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(folder(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := embedpg.Start(testContext(t), embedpg.Config{Dir: filepath.Join(closed, "db"), Volatile: true})
	if os.Geteuid() != 0 { // an ordinary user's server is that user
		if err != nil {
			t.Fatalf("got %v, want a server", err)
		}
		stop(t, s)
		return
	}
	if err == nil {
		stop(t, s)
		t.Fatal("got a server, want an error")
	}
	if !strings.Contains(err.Error(), "may not enter "+closed) {
		t.Errorf("got %q, want it to name %s", err, closed)
	}
	if err := os.Chmod(closed, 0o711); err != nil {
		t.Fatal(err)
	}
	start(t, embedpg.Config{Dir: filepath.Join(closed, "db"), Volatile: true})
}

func TestNothingSecretInLog(t *testing.T) {
	t.Parallel()
	dir := used(t)
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	exec1(t, s.URL(), "CREATE TABLE hashes (v text PRIMARY KEY CHECK (v <> 'other'))")
	const secret = "argon2id-of-somebody"
	_, err := tryQuery[string](testContext(t), s.URL(),
		"INSERT INTO hashes VALUES ('"+secret+"'); INSERT INTO hashes VALUES ('"+secret+"') RETURNING v")
	if err == nil {
		t.Fatal("got no error, want a duplicate key")
	}
	stop(t, s)
	text, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("duplicate key")) {
		t.Errorf("got a log without the error:\n%s", text)
	}
	if bytes.Contains(text, []byte(secret)) {
		t.Errorf("got the value in the log:\n%s", text)
	}
}

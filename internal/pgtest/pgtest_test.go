package pgtest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/internal/pgtest"
)

// helper tells a copy of the test binary to be one that is killed in the middle of a test.
const helper = "PGTEST_TEST_HELPER"

func TestMain(m *testing.M) { pgtest.Main(m) }

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestEachTestHasItsOwn(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	a, b := pgtest.NewPool(t), pgtest.NewPool(t)
	if _, err := a.Exec(ctx, `INSERT INTO projector_epoch (one, epoch) VALUES (true, 9) ON CONFLICT (one) DO UPDATE SET epoch = 9`); err != nil {
		t.Fatal(err)
	}
	var got int
	if err := b.QueryRow(ctx, `SELECT epoch FROM projector_epoch`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != 0 {
		t.Errorf("got %d, want 0: the other test's row", got)
	}
}

// TestDroppedInUse: a test that leaves a connection open does not keep its database.
func TestDroppedInUse(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	var url string
	t.Run("one that leaves a connection", func(t *testing.T) {
		url = pgtest.NewURL(t)
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Ping(ctx); err != nil {
			t.Errorf("Ping: got %v, want nil", err)
		}
	})
	if conn, err := pgx.Connect(ctx, url); err == nil {
		t.Error("got a connection, want none: the test is over")
		_ = conn.Close(ctx)
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	for _, c := range []struct {
		name, url string
		want      bool
	}{{"empty", pgtest.NewEmptyURL(t), false}, {"migrated", pgtest.NewURL(t), true}} {
		conn, err := pgx.Connect(ctx, c.url)
		if err != nil {
			t.Fatal(err)
		}
		var got bool
		if err := conn.QueryRow(ctx, `SELECT to_regclass('tenants') IS NOT NULL`).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s: tenants exist: got %t, want %t", c.name, got, c.want)
		}
		if err := conn.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHelper is, in a copy of the binary, the test that is killed; else it only looks at a database.
func TestHelper(t *testing.T) {
	pool := pgtest.NewPool(t)
	var data string
	if err := pool.QueryRow(testContext(t), `SELECT current_setting('data_directory')`).Scan(&data); err != nil {
		t.Fatal(err)
	}
	if os.Getenv(helper) != "" {
		fmt.Fprintln(os.Stdout, "data="+data)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

func TestServerDiesWithTheBinary(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelper$")
	// Its own server, whatever this run uses.
	cmd.Env = append(os.Environ(), helper+"=1", "TEST_DATABASE_URL=")
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	data := ""
	for lines := bufio.NewScanner(out); data == "" && lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), "data="); ok {
			data = after
		}
	}
	if data == "" {
		t.Fatal("the copy did not say where its server is")
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(data)) })
	pidFile, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(pidFile), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); runs(pid); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("process %d runs a minute after its parent was killed", pid)
		}
	}
}

// runs is false also for a zombie, whose command line is empty.
func runs(pid int) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && len(line) > 0
}

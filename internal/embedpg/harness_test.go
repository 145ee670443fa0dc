package embedpg_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"parley/internal/embedpg"
)

// helperDir tells a copy of the test binary to be a parent that will be killed.
const helperDir = "EMBEDPG_TEST_HELPER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		os.Exit(helper(dir))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(templateDir)
		os.Exit(code)
	}))
}

// template is a folder of a server that was started once and stopped: copying it takes a
// tenth of the time of a first start.
var template = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "embedpg-template")
	if err != nil {
		return "", err
	}
	templateDir = dir
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := embedpg.Start(ctx, embedpg.Config{Dir: dir, Volatile: true})
	if err != nil {
		return "", err
	}
	return dir, s.Stop(ctx)
})

// templateDir is what TestMain removes; empty: no test needed it.
var templateDir string

// used is a folder of its own that a server was started in before.
func used(t *testing.T) string {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatalf("making the template: %v", err)
	}
	dir := folder(t)
	if out, err := exec.Command("cp", "-a", filepath.Join(from, "data"), dir).CombinedOutput(); err != nil {
		t.Fatalf("copying the template: %v: %s", err, out)
	}
	return dir
}

// helper starts a server, prints one line, and stays until it is killed or its stdin ends.
func helper(dir string) int {
	s, err := embedpg.Start(context.Background(), embedpg.Config{Dir: dir, Volatile: true})
	if err != nil {
		io.WriteString(os.Stdout, "error: "+err.Error()+"\n")
		return 1
	}
	io.WriteString(os.Stdout, s.URL()+"\n")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// folder is one that the server's user can enter and whose path is short: t.TempDir is neither.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "embedpg") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, cfg embedpg.Config) *embedpg.Server {
	t.Helper()
	s, err := embedpg.Start(testContext(t), cfg)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *embedpg.Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	query[int](t, url, sql+"; SELECT 1")
}

// query returns the one value of the last statement of sql.
func query[T any](t *testing.T, url, sql string) T {
	t.Helper()
	v, err := tryQuery[T](testContext(t), url, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func tryQuery[T any](ctx context.Context, url, sql string) (v T, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	i := strings.LastIndex(sql, ";")
	if i >= 0 {
		if _, err := conn.Exec(ctx, sql[:i]); err != nil {
			return v, err
		}
	}
	return v, conn.QueryRow(ctx, sql[i+1:]).Scan(&v)
}

// eventually polls until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func serverPid(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// alive reports whether a process runs that has not only left a zombie.
func alive(pid int) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && len(line) > 0
}

// TestStopWithOpenTransaction: a client in the middle of something does not hold the stop up.
// TestStopAborts: where the deadline is short, the server is aborted, and nothing committed is lost.
// logLines collects a JSON log.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestStopDuringRestart: Stop does not wait for a server that is down, nor leave one that comes up.
// parent is a process that started a server and can be killed.
func parent(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
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
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "postgres://") {
		t.Fatalf("helper: got %q, %v, want a URL", line, err)
	}
	return cmd, strings.TrimSpace(line)
}

// TestKilledWhileStarting: the server must hear of its parent's death from its first moment on,
// also where the parent is a shell's background job, which ignores SIGINT.
// servers are the process ids of the servers of a folder, those without a pid file too.
// TestStartRightAfterKill does not wait until the old server has ended.
// TestOrphanIsStopped: a server that no parent's death ends is found by its pid file.
// adopt runs a command as the user that a folder belongs to, until it ends, or this process.
// TestForeignPid: after a restart of a container the old pid belongs to some other program.
// TestClosedFolder: as root the server runs as another user, who must reach the data.
// TestNothingSecretInLog: a failing statement's values stay out of the log.

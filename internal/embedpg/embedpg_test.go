package embedpg_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
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
		if dir, err := template(); err == nil {
			os.RemoveAll(dir)
		}
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := embedpg.Start(ctx, embedpg.Config{Dir: dir, Volatile: true})
	if err != nil {
		return "", err
	}
	return dir, s.Stop(ctx)
})

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

// folder is one that the server's user can enter and whose path is short.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "embedpg")
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

// TestStopWithOpenTransaction: a client in the middle of something does not hold the stop up.
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

// TestStopAborts: where the deadline is short, the server is aborted, and nothing committed is lost.
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

func TestKilledServerIsRestarted(t *testing.T) {
	t.Parallel()
	dir := used(t)
	var lines logLines
	s := start(t, embedpg.Config{Dir: dir, Logger: slog.New(slog.NewJSONHandler(&lines, nil))})
	exec1(t, s.URL(), "CREATE TABLE kept (v int); INSERT INTO kept VALUES (1)")
	for range 3 { // the pause grows, and stays bounded
		before := serverPid(t, dir)
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a new server answers", func() bool {
			n, err := tryQuery[int](testContext(t), s.URL(), "SELECT v FROM kept")
			return err == nil && n == 1 && serverPid(t, dir) != before
		})
	}
	for _, want := range []string{"postgres ended, restarting it", "postgres restarted"} {
		eventually(t, want, func() bool { return strings.Count(lines.String(), want) == 3 })
	}
}

// TestStopDuringRestart: Stop does not wait for a server that is down, nor leave one that comes up.
func TestStopDuringRestart(t *testing.T) {
	t.Parallel()
	dir := used(t)
	var lines logLines
	s := start(t, embedpg.Config{Dir: dir, Volatile: true, Logger: slog.New(slog.NewJSONHandler(&lines, nil))})
	if err := syscall.Kill(serverPid(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the death is seen", func() bool { return strings.Contains(lines.String(), "restarting it") })
	stop(t, s)
	start(t, embedpg.Config{Dir: dir, Volatile: true})
}

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
func TestKilledWhileStarting(t *testing.T) {
	t.Parallel()
	dir := used(t)
	cmd := exec.Command("sh", "-c", `trap "" INT; exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a server starts", func() bool { return len(servers(t, dir)) > 0 })
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, "the server ends with its parent", func() bool { return len(servers(t, dir)) == 0 })
}

// servers are the process ids of the servers of a folder, those without a pid file too.
func servers(t *testing.T, dir string) (pids []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte("\x00-D\x00"+filepath.Join(dir, "data")+"\x00")) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func TestKilledParentLeavesNoServer(t *testing.T) {
	t.Parallel()
	dir := used(t)
	cmd, url := parent(t, dir)
	exec1(t, url, "CREATE TABLE kept (v int); INSERT INTO kept VALUES (9)")
	pid := serverPid(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server ends with its parent", func() bool { return !alive(pid) })
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	if got := query[int](t, s.URL(), "SELECT v FROM kept"); got != 9 {
		t.Errorf("got %d, want 9", got)
	}
}

// TestStartRightAfterKill does not wait until the old server has ended.
func TestStartRightAfterKill(t *testing.T) {
	t.Parallel()
	dir := used(t)
	cmd, url := parent(t, dir)
	exec1(t, url, "CREATE TABLE kept (v int); INSERT INTO kept VALUES (9)")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	if got := query[int](t, s.URL(), "SELECT v FROM kept"); got != 9 {
		t.Errorf("got %d, want 9", got)
	}
}

// TestOrphanIsStopped: a server that no parent's death ends is found by its pid file.
func TestOrphanIsStopped(t *testing.T) {
	t.Parallel()
	dir := used(t)
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	exec1(t, s.URL(), "CREATE TABLE kept (v int); INSERT INTO kept VALUES (9)")
	cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(serverPid(t, dir)) + "/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
	stop(t, s)

	ended := adopt(t, exec.Command(args[0], args[1:]...), filepath.Join(dir, "data"))
	eventually(t, "the orphan answers", func() bool {
		_, err := tryQuery[int](testContext(t), s.URL(), "SELECT v FROM kept")
		return err == nil
	})

	var lines logLines
	s = start(t, embedpg.Config{Dir: dir, Volatile: true, Logger: slog.New(slog.NewJSONHandler(&lines, nil))})
	if err := <-ended; err != nil {
		t.Errorf("the orphan: got %v, want an orderly end", err)
	}
	if got := query[int](t, s.URL(), "SELECT v FROM kept"); got != 9 {
		t.Errorf("got %d, want 9", got)
	}
	if want := "left behind"; !strings.Contains(lines.String(), want) {
		t.Errorf("log: got %q, want %q in it", lines.String(), want)
	}
}

// adopt runs a command as the user that a folder belongs to, until it ends, or this process.
func adopt(t *testing.T, cmd *exec.Cmd, dir string) (ended chan error) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != os.Geteuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: st.Uid, Gid: st.Gid}
	}
	ended = make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		ended <- cmd.Run()
	}()
	return ended
}

func TestKilledWithAllItsServers(t *testing.T) {
	t.Parallel()
	dir := used(t)
	cmd, url := parent(t, dir)
	exec1(t, url, "CREATE TABLE kept (v int); INSERT INTO kept VALUES (9)")
	pid := serverPid(t, dir)
	if err := errors.Join(syscall.Kill(pid, syscall.SIGKILL), cmd.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	if got := query[int](t, s.URL(), "SELECT v FROM kept"); got != 9 {
		t.Errorf("got %d, want 9", got)
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

// TestForeignPid: after a restart of a container the old pid belongs to some other program.
func TestForeignPid(t *testing.T) {
	t.Parallel()
	dir := used(t)
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	})
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	stale := append([]byte(strconv.Itoa(other.Process.Pid)+"\n"), rest...)
	for _, name := range []string{pidFile, filepath.Join(dir, "run", ".s.PGSQL.5432.lock")} {
		if err := os.WriteFile(name, stale, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, embedpg.Config{Dir: dir, Volatile: true})
	if !alive(other.Process.Pid) {
		t.Error("the other program was stopped, want it left alone")
	}
}

func TestCutOffFirstStart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := start(t, embedpg.Config{Dir: dir, Volatile: true})
	if got := query[int](t, s.URL(), "SELECT 1"); got != 1 {
		t.Errorf("got %d, want 1", got)
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

// TestClosedFolder: as root the server runs as another user, who must reach the data.
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

// TestNothingSecretInLog: a failing statement's values stay out of the log.
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

package embedpg_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"parley/internal/embedpg"
)

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

package embedpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errNoPid says that there is no pid file, or only a part of one.
var errNoPid = errors.New("no pid file")

// pidFile is what PostgreSQL writes into postmaster.pid.
type pidFile struct {
	pid    int
	status string // starting, stopping, ready or standby
}

func readPidFile(path string) (pidFile, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return pidFile{}, errNoPid
	}
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(text), "\n")
	pid, err := strconv.Atoi(lines[0])
	if err != nil || pid <= 0 {
		return pidFile{}, errNoPid
	}
	f := pidFile{pid: pid}
	if len(lines) >= 8 {
		f.status = strings.TrimSpace(lines[7])
	}
	return f, nil
}

// How long an orphan has for each way of stopping before the next one is tried.
const (
	orphanFast      = 10 * time.Second
	orphanImmediate = 6 * time.Second // PostgreSQL kills its own children after five
	orphanKill      = 5 * time.Second
)

// stopOrphan stops a server that runs on the data folder though its parent is gone. It must
// be called under the folder's lock, or it would stop a server that is somebody's.
func stopOrphan(ctx context.Context, data, pidPath string) (found bool, err error) {
	f, err := readPidFile(pidPath)
	if errors.Is(err, errNoPid) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// The handle is taken before the look at the command line, so that both are of one process.
	p, err := os.FindProcess(f.pid)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, p.Release()) }()
	if !serves(f.pid, data) {
		return false, dropForeignPid(p, pidPath)
	}
	for _, step := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{syscall.SIGINT, orphanFast}, {syscall.SIGQUIT, orphanImmediate}, {syscall.SIGKILL, orphanKill}} {
		if err := p.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return true, fmt.Errorf("stopping the postgres of process id %d that was left behind: %w", f.pid, err)
		}
		gone, err := waitGone(ctx, f.pid, data, step.patience)
		if gone || err != nil {
			return true, err
		}
	}
	return true, fmt.Errorf("the postgres of process id %d that was left behind does not end", f.pid)
}

// dropForeignPid removes a pid file whose number another program has by now (after a restart
// of a container it always has): PostgreSQL would take that for a running server. Where the
// number is free, the file stays, since PostgreSQL finds by it what children of a killed
// server still run.
func dropForeignPid(p *os.Process, pidPath string) error {
	if err := p.Signal(syscall.Signal(0)); errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return os.Remove(pidPath)
}

// serves reports whether the process is a PostgreSQL server on the data folder.
// The server's own children write other titles over their command lines.
func serves(pid int, data string) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return false // gone, or a zombie, whose command line is empty
	}
	var args []string
	for _, a := range bytes.Split(line, []byte{0}) {
		args = append(args, string(a))
	}
	i := slices.Index(args, "-D")
	return filepath.Base(args[0]) == "postgres" && i > 0 && i+1 < len(args) && args[i+1] == data
}

func waitGone(ctx context.Context, pid int, data string, patience time.Duration) (bool, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(patience)
	defer end.Stop()
	for serves(pid, data) {
		select {
		case <-tick.C:
		case <-end.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return true, nil
}

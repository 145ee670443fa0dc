package embedpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// command prepares a program of PostgreSQL. It gets none of this process's environment but
// what finds libraries: a master key may stand there, and the server's user may read his
// own environment; PGPORT or PGOPTIONS would change what the server does.
func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C.UTF-8", "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	for _, key := range []string{"LD_LIBRARY_PATH", "TMPDIR"} {
		if v, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: s.owner.credential(),
		// SIGINT is PostgreSQL's fast shutdown.
		Pdeathsig: syscall.SIGINT,
		// Else a ^C would reach the server before parley has drained.
		Setpgid: true,
	}
	return cmd
}

// run runs a command to its end; its error has the last words of its stderr.
func run(cmd *exec.Cmd) error {
	var words bytes.Buffer
	cmd.Stderr = &words
	cmd.WaitDelay = 5 * time.Second // children of a killed initdb may hold stderr
	p, err := launch(cmd, nil)
	if err != nil {
		return err
	}
	if <-p.done; p.err != nil {
		return exitError(p.err, words.String())
	}
	return nil
}

func exitError(err error, words string) error {
	if words = strings.TrimSpace(words); words == "" {
		return err
	}
	const most = 1000
	if len(words) > most {
		words = "…" + words[len(words)-most:]
	}
	return fmt.Errorf("%w: %s", err, words)
}

// A process is a started child. err may be read when done is closed.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// hearInterrupts lets children of this process get SIGINT. A shell starts background jobs with it
// ignored, children inherit that, and the signal of a parent's death would be lost on a
// server that is just starting. For this process it changes nothing: nobody reads the channel.
func hearInterrupts() {
	if signal.Ignored(syscall.SIGINT) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	}
}

// launch starts cmd and waits for it in a goroutine that keeps its thread: the kernel sends the
// parent-death signal when the THREAD that forked ends, and Go ends threads at will.
// Where output is not nil, stderr and stdout go there until the process is gone.
func launch(cmd *exec.Cmd, output io.Writer) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	drain, err := p.pipe(output)
	if err != nil {
		return nil, err
	}
	hearInterrupts()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		drain()
		close(p.done)
	}()
	return p, <-started
}

// pipe connects the child to output and returns what ends the copying after the child's end.
func (p *process) pipe(output io.Writer) (drain func(), err error) {
	if output == nil {
		return func() {}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		// It ends with the child or by the deadline below: neither is news.
		_, _ = io.Copy(output, r)
	}()
	return func() {
		_ = w.Close()
		// The server's own children may hold the pipe for a moment after it was killed.
		_ = r.SetReadDeadline(time.Now().Add(time.Second))
		<-copied
		_ = r.Close()
	}, nil
}

func (p *process) signal(sig syscall.Signal) {
	// The one error is that it has ended, which is what done tells.
	_ = p.cmd.Process.Signal(sig)
}

// waitReady returns nil when the server takes connections. PostgreSQL says so in the
// eighth line of its pid file, which is what pg_ctl reads too.
func (p *process) waitReady(ctx context.Context, pidFile string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := readPidFile(pidFile)
		switch {
		case err == nil && f.pid == p.cmd.Process.Pid && f.status == "ready":
			return nil
		case err != nil && !errors.Is(err, errNoPid):
			return err
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("it ended before it was ready: %w", errEnded(p.err))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

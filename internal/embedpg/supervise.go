package embedpg

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Bounds of the pause before a restart. It doubles while the server does not stay up.
const (
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
	// staysUp is how long a server must have run for its next death to count as the first.
	staysUp = time.Minute
)

// firstTries is how often a first start is tried: children of a server that was killed
// may hold its shared memory for a moment, and PostgreSQL refuses to start until they end.
const firstTries = 4

// firstLaunch brings the data folder and the server up, up to where it takes connections.
func (s *Server) firstLaunch(ctx context.Context) (*process, error) {
	if err := makeSocketDir(s.places.socketDir, s.owner); err != nil {
		return nil, err
	}
	if err := s.checkBinaries(ctx); err != nil {
		return nil, err
	}
	if err := s.makeData(func(dir string) error { return s.initialise(ctx, dir) }); err != nil {
		return nil, err
	}
	for try, pause := 1, minPause; ; try, pause = try+1, pause*2 {
		p, err := s.launchReady(ctx)
		if err == nil || try == firstTries || ctx.Err() != nil {
			return p, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

// launchReady starts the server and waits until it is ready. After an error no server runs.
func (s *Server) launchReady(ctx context.Context) (*process, error) {
	p, err := s.launchServer(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.waitReady(ctx, s.places.pidFile()); err != nil {
		p.signal(syscall.SIGQUIT)
		<-p.done
		return nil, exitError(err, s.logFile.sinceMark())
	}
	return p, nil
}

// launchServer starts the server, where nothing is in its way any more, and makes it the
// one that Stop signals. It does not wait until the server is ready.
func (s *Server) launchServer(ctx context.Context) (*process, error) {
	found, err := stopOrphan(ctx, s.places.data(), s.places.pidFile())
	if err != nil {
		return nil, err
	}
	if found {
		s.log.WarnContext(ctx, "stopped a postgres that was left behind", "dir", s.places.dir)
	}
	if err := clearSocket(s.places.socketDir); err != nil {
		return nil, err
	}
	s.logFile.mark()
	// Its life is not bound to ctx: it ends by Stop or with this process.
	cmd := s.command(context.WithoutCancel(ctx), s.bin.postgres, s.settings()...)
	p, err := launch(cmd, s.logFile)
	if err != nil {
		return nil, fmt.Errorf("running %s: %w", s.bin.postgres, err)
	}
	s.mu.Lock()
	s.current = p
	s.mu.Unlock()
	return p, nil
}

// supervise restarts the server each time it dies, until Stop.
func (s *Server) supervise(p *process) {
	defer close(s.stopped)
	defer s.release()
	pause, since := minPause, time.Now()
	for {
		select {
		case <-p.done:
		case <-s.life.Done():
			p.signal(syscall.SIGINT)
			<-p.done
			return
		}
		if time.Since(since) > staysUp {
			pause = minPause
		}
		s.log.Error("postgres ended, restarting it", "error", errEnded(p.err), "pause", pause, "log", s.places.log())
		if p = s.relaunch(&pause); p == nil {
			return
		}
		since = time.Now()
		s.log.Info("postgres restarted", "dir", s.places.dir)
	}
}

// relaunch starts the server after a pause, again and again until it is ready, and doubles
// the pause each time. nil: Stop came first, and no server runs.
func (s *Server) relaunch(pause *time.Duration) *process {
	for {
		select {
		case <-time.After(*pause):
		case <-s.life.Done():
			return nil
		}
		*pause = min(2**pause, maxPause)
		p, err := s.launchReady(s.life)
		if err == nil {
			return p
		}
		if s.life.Err() != nil {
			return nil
		}
		s.log.Error("postgres did not start, trying again", "error", err, "pause", *pause)
	}
}

// errEnded is the cause of an end that nobody asked for; an orderly one has none of its own.
func errEnded(err error) error {
	if err == nil {
		return errors.New("somebody stopped it")
	}
	return err
}

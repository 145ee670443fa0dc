// Package embedpg runs a private PostgreSQL server as a child of this process, for
// deployments of one machine and for tests. It looks for the server's binaries, makes
// the data folder, starts the server again when it dies and never leaves it behind.
// It knows no schema, opens no connection and listens on no network.
//
// It runs on Linux only: parent-death signals and /proc are what keeps it free of orphans.
package embedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Config says where the server lives.
type Config struct {
	// Dir is the folder for data, socket and log. It is made if absent. Where this process
	// is root, the user that the server runs as must be able to enter all folders above it.
	Dir string
	// Logger gets the restarts. Nil: slog.Default.
	Logger *slog.Logger
	// Volatile trades durability for speed: a crash of the machine loses the data. For tests.
	Volatile bool
}

// A Server is a running PostgreSQL server and the goroutine that restarts it.
type Server struct {
	log      *slog.Logger
	bin      binaries
	owner    *owner
	places   places
	volatile bool
	lock     *os.File
	logFile  *logFile

	life    context.Context // ended by the first Stop
	end     context.CancelFunc
	stopped chan struct{} // closed when the server and its supervisor are gone

	mu      sync.Mutex
	current *process
}

// Names of the one role and the one database.
const (
	role     = "parley"
	database = "parley"
)

// Start makes the data folder if there is none, stops a server that an earlier process
// left behind, and returns when the server takes connections. It fails with ErrNoBinaries
// where PostgreSQL is not installed and with ErrInUse where another process runs on Dir.
// ctx bounds the start only.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s, err := prepare(cfg)
	if err != nil {
		return nil, fmt.Errorf("preparing postgres in %s: %w", cfg.Dir, err)
	}
	p, err := s.firstLaunch(ctx)
	if err != nil {
		s.release()
		return nil, fmt.Errorf("starting postgres in %s: %w", s.places.dir, err)
	}
	go s.supervise(p)
	return s, nil
}

func prepare(cfg Config) (_ *Server, err error) {
	s := &Server{log: cfg.Logger, volatile: cfg.Volatile, stopped: make(chan struct{})}
	s.life, s.end = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.places, err = newPlaces(cfg.Dir); err != nil {
		return nil, err
	}
	major, err := s.places.dataMajor()
	if err != nil {
		return nil, err
	}
	if s.bin, err = defaultFinder().find(major); err != nil {
		return nil, err
	}
	if s.owner, err = dropTo(os.Geteuid()); err != nil {
		return nil, err
	}
	if err := s.owner.letIn(s.places.dir); err != nil {
		return nil, err
	}
	if s.lock, err = lockFolder(s.places.lock()); err != nil {
		return nil, err
	}
	if s.logFile, err = openLog(s.places.log()); err != nil {
		return nil, errors.Join(err, unlockFolder(s.lock))
	}
	return s, nil
}

// release gives back what prepare took.
func (s *Server) release() {
	s.end()
	s.logFile.close()
	if filepath.Dir(s.places.socketDir) != s.places.dir {
		// A temporary folder; where it is not empty, something worse was reported already.
		_ = os.Remove(s.places.socketDir)
	}
	// The process's end unlocks it too; an error leaves nothing to do.
	_ = unlockFolder(s.lock)
}

// URL is the address of the server's database, in the form that pgx parses.
func (s *Server) URL() string {
	query := url.Values{"host": {s.places.socketDir}, "port": {port}, "sslmode": {"disable"}}.Encode()
	u := url.URL{
		Scheme: "postgres",
		User:   url.User(role),
		Path:   "/" + database,
		// In these addresses, as libpq defines them, a plus is a plus.
		RawQuery: strings.ReplaceAll(query, "+", "%20"),
	}
	return u.String()
}

// Dir is the folder that the server lives in, absolute and free of symbolic links.
func (s *Server) Dir() string { return s.places.dir }

// Time limits of Stop.
const (
	defaultStop = 30 * time.Second // where ctx has no deadline
	quitMargin  = 5 * time.Second  // before the deadline, at most half of what is left
)

// Stop shuts the server down and returns when it is gone. It rolls open transactions back
// at once; where that is not over shortly before the deadline of ctx, it aborts the
// server, which costs the next start a crash recovery and no committed data. It may be
// called more than once; each call waits.
func (s *Server) Stop(ctx context.Context) error {
	s.end()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultStop)
		defer cancel()
	}
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	patience, cancel := context.WithTimeout(ctx, left-min(quitMargin, left/2))
	defer cancel()

	if s.waitStopped(patience) {
		return nil
	}
	s.signal(syscall.SIGQUIT)
	if s.waitStopped(ctx) {
		return nil
	}
	s.signal(syscall.SIGKILL)
	<-s.stopped
	return fmt.Errorf("stopping postgres in %s: killed it: %w", s.places.dir, ctx.Err())
}

// waitStopped reports whether the server is gone, by the end of ctx at the latest.
func (s *Server) waitStopped(ctx context.Context) bool {
	select {
	case <-s.stopped:
		return true
	case <-ctx.Done():
	}
	select {
	case <-s.stopped: // both at once
		return true
	default:
		return false
	}
}

// signal tells the running server, if there is one.
func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	p := s.current
	s.mu.Unlock()
	if p != nil {
		p.signal(sig)
	}
}

// socketName is the file that a server on port makes in its socket folder.
const (
	port       = "5432"
	socketName = ".s.PGSQL." + port
)

// wayThrough is the mode of the folder that holds all: the server's user must pass through
// it, and what it holds is closed itself.
const wayThrough = 0o711

// places are the paths of one server.
type places struct {
	dir       string // of everything; belongs to this process
	socketDir string // 0700, belongs to the server
}

func newPlaces(dir string) (places, error) {
	if dir == "" {
		return places{}, errors.New("no folder given")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return places{}, err
	}
	if err := os.MkdirAll(abs, wayThrough); err != nil {
		return places{}, err
	}
	// The path is compared with the command lines of running servers, so it must have one form.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return places{}, err
	}
	socketDir, err := chooseSocketDir(abs, os.TempDir())
	return places{dir: abs, socketDir: socketDir}, err
}

func (p places) data() string    { return filepath.Join(p.dir, "data") }
func (p places) newData() string { return filepath.Join(p.dir, "data.new") }
func (p places) lock() string    { return filepath.Join(p.dir, "lock") }
func (p places) log() string     { return filepath.Join(p.dir, "postgres.log") }
func (p places) pidFile() string { return filepath.Join(p.data(), "postmaster.pid") }

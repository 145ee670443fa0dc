package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrNoBinaries says that PostgreSQL's server is not installed, and what to do.
var ErrNoBinaries = errors.New("PostgreSQL's server binaries (initdb, postgres) were not found: " +
	"install them with `apt-get install postgresql`, name their folder in $PG_BIN, " +
	"or use a server of your own with --database-url")

// binaries are the two programs of one installation.
type binaries struct {
	postgres, initdb string
}

func inFolder(dir string) (binaries, bool) {
	b := binaries{postgres: filepath.Join(dir, "postgres"), initdb: filepath.Join(dir, "initdb")}
	return b, executable(b.postgres) && executable(b.initdb)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// A finder looks for binaries in the order of its fields.
type finder struct {
	pgBin string   // $PG_BIN: where set, the only place
	path  []string // the folders of $PATH
	lib   string   // Debian's folder of one folder for each major version
}

func defaultFinder() finder {
	return finder{
		pgBin: os.Getenv("PG_BIN"),
		path:  filepath.SplitList(os.Getenv("PATH")),
		lib:   "/usr/lib/postgresql",
	}
}

// find returns the binaries for a data folder of a major version; 0: there is no data yet.
func (f finder) find(major int) (binaries, error) {
	if f.pgBin != "" {
		b, ok := inFolder(f.pgBin)
		if !ok {
			return binaries{}, fmt.Errorf("$PG_BIN is %s: %w", f.pgBin, ErrNoBinaries)
		}
		return b, nil
	}
	for _, dir := range f.path {
		if !filepath.IsAbs(dir) {
			continue // what a relative entry means depends on where parley was started
		}
		if b, ok := inFolder(dir); ok {
			return b, nil
		}
	}
	return f.inLib(major)
}

// inLib prefers the version that wrote the data: a newer one, installed beside it by an
// upgrade of the system, can't read it.
func (f finder) inLib(major int) (binaries, error) {
	entries, err := os.ReadDir(f.lib)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return binaries{}, err
	}
	var best binaries
	highest := -1
	for _, e := range entries {
		version, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, ok := inFolder(filepath.Join(f.lib, e.Name(), "bin"))
		if !ok {
			continue
		}
		if version == major {
			return b, nil
		}
		if version > highest {
			best, highest = b, version
		}
	}
	if highest < 0 {
		return binaries{}, ErrNoBinaries
	}
	return best, nil
}

// dataMajor is the major version that wrote the data folder; 0: there is none.
func (p places) dataMajor() (int, error) {
	path := filepath.Join(p.data(), "PG_VERSION")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", path, err)
	}
	return major, nil
}

// minMajor is the oldest version that the settings and Parley's SQL are tried with.
const minMajor = 15

var majorInVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// checkBinaries runs the server as the user it will run as, which proves that this user can
// enter the data folder and execute the program, and that the program fits the data.
func (s *Server) checkBinaries(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var out strings.Builder
	cmd := s.command(ctx, s.bin.postgres, "--version")
	cmd.Dir = s.places.socketDir
	cmd.Stdout = &out
	if err := run(cmd); err != nil {
		if culprit := s.owner.cannotEnter(s.places.socketDir, filepath.Dir(s.bin.postgres)); culprit != "" {
			return fmt.Errorf("user %s, which the database runs as, may not enter %s: choose a data folder outside of it "+
				"(as /var/lib/parley), or run `chmod o+x %[2]s`", s.owner.name, culprit)
		}
		return fmt.Errorf("running %s --version: %w", s.bin.postgres, err)
	}
	m := majorInVersion.FindStringSubmatch(out.String())
	if m == nil {
		return fmt.Errorf("%s --version: got %q, want PostgreSQL's version", s.bin.postgres, out.String())
	}
	return s.checkMajor(m[1])
}

func (s *Server) checkMajor(version string) error {
	have, err := strconv.Atoi(version)
	if err != nil {
		return err
	}
	wrote, err := s.places.dataMajor()
	switch {
	case err != nil:
		return err
	case wrote != 0 && wrote != have:
		return fmt.Errorf("the data was written by PostgreSQL %d and %s is of version %d: install postgresql-%[1]d, "+
			"or move the data with pg_upgrade", wrote, s.bin.postgres, have)
	case have < minMajor:
		return fmt.Errorf("%s is of version %d: version %d or newer is needed", s.bin.postgres, have, minMajor)
	}
	return nil
}

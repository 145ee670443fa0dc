package embedpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxSocketPath is what the kernel's 108 bytes of sun_path leave, less a margin for the lock file's suffix.
const maxSocketPath = 99

// chooseSocketDir is a folder inside dir where its path fits a socket's address, else
// one under temp that is named after dir, so that each start on dir finds the same.
func chooseSocketDir(dir, temp string) (string, error) {
	inside := filepath.Join(dir, "run")
	if fits(inside) {
		return inside, nil
	}
	sum := sha256.Sum256([]byte(dir))
	short := filepath.Join(temp, "parley-pg-"+hex.EncodeToString(sum[:8]))
	if !fits(short) {
		return "", fmt.Errorf("the paths of %s and of %s are no good for a unix socket: "+
			"choose a data folder or a TMPDIR of at most %d bytes and without a comma", inside, short, maxSocketPath-len("/"+socketName))
	}
	return short, nil
}

// fits is false also where clients would take the path for a list of hosts.
func fits(dir string) bool {
	return len(filepath.Join(dir, socketName)) <= maxSocketPath && !strings.Contains(dir, ",")
}

// makeSocketDir makes the folder that alone keeps other users of the machine from the
// server, since the server trusts whoever reaches its socket. A folder that somebody
// else made, in a temporary folder open to all, is refused.
func makeSocketDir(dir string, o *owner) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return o.own(dir)
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != os.Geteuid() && (!o.drop || st.Uid != o.uid) {
		return fmt.Errorf("%s exists and belongs to another user: remove it", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // G302: a folder needs x
		return err
	}
	return o.own(dir)
}

// clearSocket removes what a killed server left: its lock names a process id that may by now
// be anybody's, for which PostgreSQL would refuse to start. Call it only when no server runs.
func clearSocket(dir string) error {
	for _, name := range []string{socketName, socketName + ".lock"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

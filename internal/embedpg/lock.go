package embedpg

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrInUse says that another process runs a server on the same folder.
var ErrInUse = errors.New("another process runs its database in this folder: stop it, or choose another data folder")

// lockFolder keeps two processes from taking each other's server for an orphan. The kernel
// drops the lock with the process, however it ends; the file is not inherited by the server.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
	}
	return f, nil
}

// unlockFolder says it in so many words: closing alone would leave the lock to a child that
// this process is just forking, until its exec closes the file there too.
func unlockFolder(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

package embedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// An owner is the user that the server runs as and that owns its data. PostgreSQL refuses
// to run as root, so root drops to another user; anybody else stays what he is, and only the
// name is set.
type owner struct {
	name string
	uid  uint32
	gid  uint32
	drop bool
}

// dropTo chooses the owner for a process of an effective user id.
func dropTo(euid int) (*owner, error) {
	if euid != 0 {
		return &owner{name: strconv.Itoa(euid)}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if errors.As(err, new(user.UnknownUserError)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		return &owner{name: name, uid: uint32(uid), gid: uint32(gid), drop: true}, errors.Join(errUID, errGID)
	}
	return nil, errors.New("PostgreSQL does not run as root and there is no user postgres or nobody: " +
		"run parley as an ordinary user, or make one with `adduser --system postgres`")
}

// credential is nil where the server runs as this process does.
func (o *owner) credential() *syscall.Credential {
	if !o.drop {
		return nil
	}
	return &syscall.Credential{Uid: o.uid, Gid: o.gid}
}

// own gives a file or folder to the owner, not following a link.
func (o *owner) own(path string) error {
	if !o.drop {
		return nil
	}
	return os.Lchown(path, int(o.uid), int(o.gid))
}

// letIn opens the way through a folder of this process to the server's user, where a strict umask closed it.
func (o *owner) letIn(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || !o.drop || info.Mode()&0o011 == 0o011 {
		return err
	}
	return os.Chmod(dir, info.Mode().Perm()|0o011)
}

// ownTree gives a whole folder to the owner, where its top is not his already: a restored
// backup is root's, and one made before PostgreSQL was installed is nobody's.
func (o *owner) ownTree(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !o.drop || ok && st.Uid == o.uid {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return o.own(path)
	})
}

// cannotEnter names the first folder on the way to one of paths that the owner may not pass,
// as far as the permission bits tell; "": none.
func (o *owner) cannotEnter(paths ...string) string {
	if !o.drop {
		return ""
	}
	for _, path := range paths {
		for _, dir := range parents(path) {
			info, err := os.Stat(dir)
			if err != nil {
				return dir
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok && !o.mayEnter(info.Mode(), st.Uid, st.Gid) {
				return dir
			}
		}
	}
	return ""
}

func (o *owner) mayEnter(mode fs.FileMode, uid, gid uint32) bool {
	switch {
	case uid == o.uid:
		return mode&0o100 != 0
	case gid == o.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// parents are the folders of a path, outermost first, with the path itself.
func parents(path string) []string {
	if parent := filepath.Dir(path); parent != path {
		return append(parents(parent), path)
	}
	return []string{path}
}

// makeData makes the data folder, if there is none, so that it appears complete or not at all.
func (s *Server) makeData(initialise func(dir string) error) error {
	data, half := s.places.data(), s.places.newData()
	if err := os.RemoveAll(half); err != nil { // of a start that was cut off
		return err
	}
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return s.owner.ownTree(data)
	}
	if _, err := os.Lstat(data); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists and is no database: move it away", data)
	}
	if err := os.Mkdir(half, 0o700); err != nil {
		return err
	}
	if err := s.owner.own(half); err != nil {
		return err
	}
	if err := initialise(half); err != nil {
		return err
	}
	if err := os.Rename(half, data); err != nil {
		return err
	}
	return syncFolder(s.places.dir)
}

// syncFolder makes a rename in dir outlive a power cut.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

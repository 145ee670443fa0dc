package embedpg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install makes a folder with what looks like PostgreSQL's programs.
func install(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFinder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	empty := filepath.Join(root, "empty")
	own := install(t, filepath.Join(root, "own"))
	path := install(t, filepath.Join(root, "path"))
	lib := filepath.Join(root, "lib")
	v9 := install(t, filepath.Join(lib, "9", "bin"))
	v15 := install(t, filepath.Join(lib, "15", "bin"))
	install(t, filepath.Join(lib, "not-a-version", "bin"))
	if err := os.MkdirAll(filepath.Join(lib, "17", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		f     finder
		major int
		want  string // "": ErrNoBinaries
	}{
		{"PG_BIN before all", finder{own, []string{path}, lib}, 0, own},
		{"PG_BIN without programs", finder{empty, []string{path}, lib}, 0, ""},
		{"PATH before lib", finder{"", []string{empty, path}, lib}, 0, path},
		{"PATH, relative", finder{"", []string{"path", "."}, empty}, 0, ""},
		{"the highest, by number", finder{"", nil, lib}, 0, v15},
		{"the data's version", finder{"", nil, lib}, 9, v9},
		{"a version that is not there", finder{"", nil, lib}, 16, v15},
		{"nothing", finder{"", []string{empty}, empty}, 0, ""},
	} {
		got, err := c.f.find(c.major)
		switch {
		case c.want == "" && !errors.Is(err, ErrNoBinaries):
			t.Errorf("%s: got %v, want %v", c.name, err, ErrNoBinaries)
		case c.want != "" && (err != nil || got.initdb != filepath.Join(c.want, "initdb")):
			t.Errorf("%s: got %s, %v, want those in %s", c.name, got.initdb, err, c.want)
		}
	}
}

func TestSocketDir(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("x", 90)
	if got, err := chooseSocketDir("/var/lib/parley", "/tmp"); err != nil || got != "/var/lib/parley/run" {
		t.Errorf("short: got %s, %v, want /var/lib/parley/run", got, err)
	}
	got, err := chooseSocketDir(long, "/tmp")
	if err != nil || filepath.Dir(got) != "/tmp" {
		t.Errorf("long: got %s, %v, want a folder in /tmp", got, err)
	}
	if again, _ := chooseSocketDir(long, "/tmp"); again != got {
		t.Errorf("long, again: got %s, want %s", again, got)
	}
	if other, _ := chooseSocketDir(long+"y", "/tmp"); other == got {
		t.Errorf("another folder: got %s too", other)
	}
	if got, err := chooseSocketDir("/a,b", "/tmp"); err != nil || filepath.Dir(got) != "/tmp" {
		t.Errorf("comma: got %s, %v, want a folder in /tmp", got, err)
	}
	if _, err := chooseSocketDir(long, long); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("long everywhere: got %v, want it to name TMPDIR", err)
	}
}

// TestSocketDirOfAnother: in a temporary folder somebody may have made the name before us.
func TestSocketDirOfAnother(t *testing.T) {
	t.Parallel()
	me := &owner{name: "me", uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine")
	if err := os.Mkdir(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := makeSocketDir(mine, me); err != nil {
		t.Errorf("mine: got %v, want nil", err)
	}
	if info, err := os.Stat(mine); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mine: got %v, %v, want mode 700", info.Mode(), err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(mine, link); err != nil {
		t.Fatal(err)
	}
	if err := makeSocketDir(link, me); err == nil {
		t.Error("a link: got nil, want an error")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeSocketDir(file, me); err == nil {
		t.Error("a file: got nil, want an error")
	}
	if os.Geteuid() != 0 {
		return
	}
	theirs := filepath.Join(dir, "theirs")
	if err := errors.Join(os.Mkdir(theirs, 0o700), os.Chown(theirs, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	if err := makeSocketDir(theirs, me); err == nil {
		t.Error("another user's: got nil, want an error")
	}
}

func TestMayEnter(t *testing.T) {
	t.Parallel()
	o := &owner{uid: 100, gid: 200}
	for _, c := range []struct {
		mode     os.FileMode
		uid, gid uint32
		want     bool
	}{
		{0o711, 0, 0, true},
		{0o700, 0, 0, false},
		{0o710, 0, 200, true},
		{0o701, 0, 200, false}, // the group's bits hold for its members, not the others'
		{0o100, 100, 0, true},
		{0o077, 100, 0, false},
	} {
		if got := o.mayEnter(c.mode, c.uid, c.gid); got != c.want {
			t.Errorf("%o of %d:%d: got %t, want %t", c.mode, c.uid, c.gid, got, c.want)
		}
	}
}

func TestLogStaysSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 1023) + "\n")
	for range 5 * maxLog / len(line) {
		if n, err := l.Write(line); n != len(line) || err != nil {
			t.Fatalf("Write: got %d, %v, want %d, nil", n, err, len(line))
		}
	}
	l.Write([]byte("the end\n"))
	if got := l.sinceMark(); len(got) != maxWords || !strings.HasSuffix(got, "the end\n") {
		t.Errorf("words: got %d bytes that end in %q, want %d", len(got), got[len(got)-10:], maxWords)
	}
	l.close()
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxLog {
			t.Errorf("%s: got %d bytes, want at most %d", name, info.Size(), maxLog)
		}
	}
	if names, _ := filepath.Glob(path + "*"); len(names) != 2 {
		t.Errorf("got %v, want two files", names)
	}
}

func TestPidFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "postmaster.pid")
	for _, c := range []struct {
		text string
		want pidFile
		err  error
	}{
		{"", pidFile{}, errNoPid},
		{"0\n", pidFile{}, errNoPid},
		{"-7\n", pidFile{}, errNoPid},
		{"12\n/data\n1\n5432\n", pidFile{pid: 12}, nil},
		{"12\n/data\n1\n5432\n/run\n\n 1 2\nready   \n", pidFile{pid: 12, status: "ready"}, nil},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readPidFile(path); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q: got %v, %v, want %v, %v", c.text, got, err, c.want, c.err)
		}
	}
	if _, err := readPidFile(path + ".none"); !errors.Is(err, errNoPid) {
		t.Errorf("no file: got %v, want %v", err, errNoPid)
	}
}

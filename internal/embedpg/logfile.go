package embedpg

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// maxLog bounds the log's file; one older file of the same size is kept beside it.
const maxLog = 1 << 20

// maxWords is how much of what the server said last is kept for error messages.
const maxWords = 2000

// A logFile is where the server's output goes.
type logFile struct {
	path string

	mu    sync.Mutex
	file  *os.File // nil: a full disk or the like; tried again at the next write
	size  int64
	words []byte
}

func openLog(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.open()
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write never fails: the copying would end, the pipe fill up, and the server stand still
// for the sake of its log.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.words = append(l.words, p...)
	if over := len(l.words) - maxWords; over > 0 {
		l.words = append(l.words[:0], l.words[over:]...)
	}
	if l.size+int64(len(p)) > maxLog {
		l.rotate()
	}
	if l.file == nil && l.open() != nil {
		return len(p), nil
	}
	n, _ := l.file.Write(p)
	l.size += int64(n)
	return len(p), nil
}

func (l *logFile) rotate() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
	if err := os.Rename(l.path, l.path+".1"); err == nil || errors.Is(err, fs.ErrNotExist) {
		l.size = 0
	}
}

// mark forgets what the server said before.
func (l *logFile) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.words = nil
}

// sinceMark is the end of what the server said since mark.
func (l *logFile) sinceMark() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.words)
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}

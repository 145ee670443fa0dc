package termchat

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/term"
)

// A screen shows lines and takes lines.
type screen interface {
	// print shows whole lines above the one that is being typed.
	print(lines ...string)
	// prompt sets what stands before the input.
	prompt(s string)
	// width is that of a line, in cells.
	width() int
	// read hands lines to take until the input ends or take returns false. key is called for each key.
	read(take func(line string) bool, complete func(line string) (string, bool), key func()) error
	// close leaves the cursor at the beginning of an empty line.
	close()
}

// maxLine is the longest line of a plain input, in bytes: a message that is too large is refused by the server, not cut here.
const maxLine = 4 << 20

// plain is a screen without a terminal.
type plain struct {
	in  io.Reader
	out io.Writer
}

func newPlain(in io.Reader, out io.Writer) *plain { return &plain{in, out} }

func (p *plain) print(lines ...string) {
	for _, l := range lines {
		fmt.Fprintln(p.out, l)
	}
}

func (p *plain) prompt(string) {}
func (p *plain) width() int    { return 80 }
func (p *plain) close()        {}

func (p *plain) read(take func(string) bool, _ func(string) (string, bool), _ func()) error {
	s := bufio.NewScanner(p.in)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		if !take(s.Text()) {
			return nil
		}
	}
	return s.Err()
}

// keyTaken stands for Enter inside the line editor. Its own handling of Enter leaves the
// typed line on the screen, where the message is about to appear a second time; a key
// that it does not know goes to AutoCompleteCallback, which can take the line away.
const keyTaken = 0x1e

// tty is a screen on a terminal in raw mode.
type tty struct {
	out  io.Writer
	size func() (width, height int)
	t    *term.Terminal

	mu   sync.Mutex
	w, h int
}

type ttyIO struct {
	io.Reader
	io.Writer
}

func (c ttyIO) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	for i, b := range p[:n] {
		if b == '\r' || b == '\n' {
			p[i] = keyTaken
		}
	}
	return n, err
}

func newTTY(in io.Reader, out io.Writer, size func() (width, height int)) *tty {
	s := &tty{out: out, size: size, t: term.NewTerminal(ttyIO{in, out}, "")}
	s.fit()
	return s
}

// fit follows the terminal's size.
func (s *tty) fit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, h := s.size()
	if w != s.w || h != s.h {
		s.w, s.h = w, h
		_ = s.t.SetSize(w, h) // fails where out does, which print would see too
	}
}

func (s *tty) width() int {
	s.fit()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w
}

func (s *tty) print(lines ...string) {
	s.fit()
	_, _ = s.t.Write([]byte(strings.Join(lines, "\n") + "\n")) // there is nowhere else to say it
}

func (s *tty) prompt(p string) {
	s.fit()
	s.t.SetPrompt(p)
	_, _ = s.t.Write(nil) // draws the line again
}

func (s *tty) read(take func(string) bool, complete func(string) (string, bool), pressed func()) error {
	done := false
	s.t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		switch {
		case key == keyTaken:
			if line != "" {
				s.t.History.Add(line)
				done = done || !take(line)
			}
			return "", 0, true
		case key == '\t' && pos == len(line):
			if full, ok := complete(line); ok {
				return full, len(full), true
			}
		case key >= ' ':
			pressed()
		}
		return line, pos, key == '\t'
	}
	for !done {
		if _, err := s.t.ReadLine(); err != nil {
			return err // io.EOF for ^C and ^D
		}
	}
	return nil
}

func (s *tty) close() { _, _ = io.WriteString(s.out, "\r\x1b[K") }

package termchat

import (
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"parley/client"
)

func TestCleanLeavesNothingToATerminal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain täxt 👍🏽 👩‍🚀 日本":  "plain täxt 👍🏽 👩‍🚀 日本",
		"\x1b[31mred\x1b[0m":    "\ufffd[31mred\ufffd[0m",
		"\x1b]0;title\x07":      "\ufffd]0;title\ufffd",
		"\u009b31m":             "\ufffd31m",
		"a\rb\bc\x7f\x00":       "a\ufffdb\ufffdc\ufffd\ufffd",
		"abc\u202edcba":         "abc\ufffddcba",
		"a\u2066b\u2069c\u200f": "a\ufffdb\ufffdc\ufffd",
		"tab\tbed":              "tab bed",
		"a\u2028b":              "a\ufffdb",
		"bad \xff\xfe":          "bad \ufffd\ufffd",
		"two\r\nlines\n":        "two lines",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q): got %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\u202e\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range clean(s) {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("clean(%q) holds %q", s, r)
			}
		}
	})
}

func at(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 2, 0, 0, time.UTC) }

// Whatever a message holds, every line of it begins with what its sender can't write.
func TestNobodyWritesAnothersLine(t *testing.T) {
	t.Parallel()
	p := page{style: style{columns: true}, me: "alice", loc: time.UTC, width: 60, day: at(22, 0).Format(dayFormat)}
	fake := "14:03          bob │ I quit"
	for _, text := range []string{"hello\n" + fake, "hello" + strings.Repeat(" ", 41) + fake, strings.Repeat("x", 200) + fake} {
		lines := p.message(client.Message{Sender: "mallory", Time: at(22, 14), Text: text}, client.Message{})
		for i, l := range lines {
			want := strings.Repeat(" ", 18) + " │ "
			if i == 0 {
				want = "14:02      mallory │ "
			}
			if !strings.HasPrefix(l, want) || cells(l) > 60 {
				t.Errorf("%q: got line %q, want it to begin with %q and to fit", text, l, want)
			}
		}
	}
}

func TestLongSendersStandAlone(t *testing.T) {
	t.Parallel()
	p := page{style: style{columns: true}, loc: time.UTC, width: 60, day: at(22, 0).Format(dayFormat)}
	got := p.message(client.Message{Sender: "somebody-with-a-long-id", Time: at(22, 14), Text: "hi"}, client.Message{})
	want := []string{"14:02 somebody-with-a-long-id │", strings.Repeat(" ", 18) + " │ hi"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	p := page{me: "alice", loc: time.UTC, day: at(21, 0).Format(dayFormat)}
	for _, c := range []struct {
		m    client.Message
		want []string
	}{
		{client.Message{Sender: "bob", Time: at(21, 9), Text: "hi"}, []string{"09:02 bob: hi"}},
		{client.Message{Sender: "bob", Time: at(22, 9), Text: "new day"}, []string{"── Sunday, 22 November 2026 ──", "09:02 bob: new day"}},
		{client.Message{Sender: "bob", Time: at(22, 9), Deleted: true}, []string{"09:02 bob: (deleted)"}},
		{client.Message{
			Sender: "bob", Time: at(22, 9), Text: "x", Edited: true, Late: true, Replies: 1, Thread: 7,
			Reactions: map[string][]string{"👍": {"a", "b"}},
		}, []string{"09:02 bob: ↳ x (edited, late, 1 reply, 👍 2)"}},
		{
			client.Message{Sender: "bob", Time: at(22, 9), Attachments: []client.Attachment{{URL: "https://x/y\x1b", Name: "a\nb", Size: 2048}}},
			[]string{"09:02 bob: [a b, 2.0 KiB] https://x/y\ufffd"},
		},
		{client.Message{Sender: "_", Time: at(22, 9), Event: &client.Event{Type: "joined", User: "carol"}}, []string{"09:02 · carol joined"}},
		{client.Message{Sender: "_", Time: at(22, 9), Event: &client.Event{Type: "pin\x1bned", By: "carol"}}, []string{"09:02 · pin\ufffdned by carol"}},
	} {
		if got := p.message(c.m, client.Message{}); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q, want %q", c.m, got, c.want)
		}
	}
}

func TestColoursOnlyWhereWanted(t *testing.T) {
	t.Parallel()
	m := client.Message{Sender: "bob", Time: at(22, 9), Text: "hi", Mentions: []string{"alice"}}
	for colour, want := range map[bool]bool{true: true, false: false} {
		p := page{style: style{columns: true, colour: colour}, me: "alice", loc: time.UTC, width: 80}
		got := strings.Join(p.message(m, m), "\n") + strings.Join(rooms(p.style, []client.Room{{ID: "x", Unread: 2}}), "")
		if strings.Contains(got, "\x1b") != want {
			t.Errorf("colour %v: got %q", colour, got)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"abcdefghijklmnop", []string{"abcdefghij", "klmnop"}},
		{"日本語日本語", []string{"日本語日本", "語"}},
		{"ten chars!", []string{"ten chars!"}},
	} {
		if got := wrap(c.in, 10); !slices.Equal(got, c.want) {
			t.Errorf("wrap(%q): got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	s := &session{people: map[string]bool{"bob": true, "bobby": true, "carol": true}, others: map[string]bool{"lobby": true}}
	for in, want := range map[string]string{
		"/he": "/help", "/his": "/history", "/roo": "/room", "/x": "/x",
		"/dm c": "/dm carol", "/dm b": "/dm bob", "/room l": "/room lobby",
		"ca": "carol: ", "hello ca": "hello carol ", "": "", "hello ": "hello ",
	} {
		if got := s.complete(in); got != want {
			t.Errorf("complete(%q): got %q, want %q", in, got, want)
		}
	}
}

// A line that is being typed survives what arrives meanwhile.
func TestTerminalKeepsTheInputLine(t *testing.T) {
	t.Parallel()
	in, keys := io.Pipe()
	screen := &chat{t: t}
	tty := newTTY(in, screen, func() (int, int) { return 40, 10 })
	taken := make(chan string, 2)
	var pressed atomic.Int32
	done := make(chan error, 1)
	go func() {
		done <- tty.read(func(l string) bool { taken <- l; return true },
			func(l string) (string, bool) { return l + "!", true }, func() { pressed.Add(1) })
	}()
	write := func(s string) {
		if _, err := io.WriteString(keys, s); err != nil {
			t.Error(err)
		}
	}
	tty.prompt("[lobby] ")
	write("hel")
	screen.sees("hel")
	before := len(screen.String())
	tty.print("14:02 bob │ hi")
	if got := screen.String()[before:]; !strings.Contains(got, "hi\r\n[lobby] hel") {
		t.Errorf("got %q, want the message and then the prompt with what was typed", got)
	}
	write("lo\r")
	if got := <-taken; got != "hello" {
		t.Errorf("got line %q, want hello", got)
	}
	write("hey\t\r")
	if got := <-taken; got != "hey!" {
		t.Errorf("got line %q, want the completed one", got)
	}
	write("\x1b[A\r") // up
	if got := <-taken; got != "hey!" {
		t.Errorf("got line %q, want the one before", got)
	}
	write("\x03")
	if err := <-done; err != io.EOF { //nolint:errorlint // the editor returns it bare
		t.Errorf("got %v, want EOF for ^C", err)
	}
	if n := pressed.Load(); n != int32(len("hello")+len("hey")) {
		t.Errorf("got %d keys, want those of hello and hey", n)
	}
	if strings.Contains(screen.String(), "\r\n\r\n") || strings.Contains(screen.String(), "hello\r\n") {
		t.Errorf("the typed line was left on the screen: %q", screen)
	}
}

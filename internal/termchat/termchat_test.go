package termchat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/client"
	"parley/internal/chattest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A chat is a run with a script's input and a look at its output.
type chat struct {
	t    *testing.T
	in   *io.PipeWriter
	done chan error

	mu  sync.Mutex
	out bytes.Buffer
}

func (c *chat) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *chat) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

func (c *chat) sees(want string) {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			c.t.Logf("no %q in:\n%s", want, c)
		}
	}()
	chattest.Eventually(c.t, "the output holds "+want, func() bool { return strings.Contains(c.String(), want) })
}

func (c *chat) types(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatalf("type %q: %v", line, err)
	}
}

// ends closes the input and returns what Run does.
func (c *chat) ends() error {
	c.t.Helper()
	c.in.Close()
	return c.returns()
}

func (c *chat) returns() error {
	c.t.Helper()
	select {
	case err := <-c.done:
		return err
	case <-time.After(30 * time.Second):
		c.t.Fatalf("Run goes on; output:\n%s", c)
		return nil
	}
}

func connect(t *testing.T, s *chattest.Server, user string) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, client.Options{URL: s.URL(), User: user, Token: client.StaticToken(user), Name: user})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func start(t *testing.T, s *chattest.Server, user, room string) *chat {
	t.Helper()
	r, w := io.Pipe()
	c := &chat{t: t, in: w, done: make(chan error, 1)}
	cfg := Config{Client: connect(t, s, user), Room: room, In: r, Out: c, Location: time.UTC}
	go func() { c.done <- Run(context.Background(), cfg) }()
	t.Cleanup(func() { w.Close() })
	return c
}

func TestTalk(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.Say("lobby", "bob", "good morning")
	alice := start(t, s, "alice", "lobby")
	alice.sees("You are Alice (alice) at acme")
	alice.sees("── lobby · The lobby ──")
	alice.sees(" bob: good morning\n")
	alice.types("hello bob\r")
	alice.sees(" alice: hello bob\n")
	alice.types("//not a command")
	alice.sees(" alice: /not a command\n")
	last := s.Say("lobby", "bob", "two\nlines")
	alice.sees(" bob: two\n      | lines\n")
	s.Eventually("it is marked as read", func() bool { return s.ReadPosition("lobby", "alice") == last })
	if err := alice.ends(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if n := strings.Count(alice.String(), "hello bob"); n != 1 {
		t.Errorf("hello bob stands there %d times, want once:\n%s", n, alice)
	}
}

// A script that posts and ends has posted, in order, and shows it.
func TestScript(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	var script, want strings.Builder
	for i := range 30 {
		fmt.Fprintf(&script, "line %d\n", i)
		fmt.Fprintf(&want, "alice: line %d\n", i)
	}
	var out bytes.Buffer
	cfg := Config{Client: connect(t, s, "alice"), Room: "lobby", In: strings.NewReader(script.String()), Out: &out}
	if err := Run(context.Background(), cfg); err != nil {
		t.Fatalf("Run: %v", err)
	}
	got := regexp.MustCompile(`(?m)^\d\d:\d\d `).ReplaceAllString(out.String(), "")
	if !strings.HasSuffix(got, want.String()) {
		t.Errorf("got:\n%s\nwant it to end with:\n%s", got, want.String())
	}
	if n := s.Stored(); n != 30 {
		t.Errorf("stream holds %d messages, want 30", n)
	}
}

func TestScriptFails(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.AddRoom(chattest.Room{ID: "news", Kind: "announce"})
	for _, c := range []struct{ room, script, want string }{
		{"nowhere", "", "nowhere"},
		{"news", "hello\n", "not sent"},
		{"lobby", "/room nowhere\nnot for the lobby\n", "nowhere"},
	} {
		var out bytes.Buffer
		err := Run(context.Background(), Config{Client: connect(t, s, "alice"), Room: c.room, In: strings.NewReader(c.script), Out: &out})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("room %s, script %q: got %v, want an error with %q", c.room, c.script, err, c.want)
		}
	}
	if n := s.Stored(); n != 0 {
		t.Errorf("stream holds %d messages, want none", n)
	}
}

func TestUnreadLine(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.AddRoom(chattest.Room{ID: "plans", Kind: "private", Title: "Plans", Members: []string{"alice", "bob"}})
	s.Say("plans", "bob", "old")
	first := start(t, s, "alice", "plans")
	first.sees("bob: old")
	if err := first.ends(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s.Say("plans", "bob", fmt.Sprintf("new %d", i))
	}
	second := start(t, s, "alice", "")
	second.sees("plans  private       3 new  Plans")
	second.types("/room plans")
	second.sees("new 2")
	if err := second.ends(); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)^..:.. bob: old\n── 3 new since \d\d:\d\d ──\n..:.. bob: new 0$`)
	if !want.MatchString(second.String()) {
		t.Errorf("got:\n%s\nwant the unread line behind old", second)
	}
	third := start(t, s, "alice", "plans")
	third.sees("new 2")
	if strings.Contains(third.String(), "new since") {
		t.Errorf("all was read, but got:\n%s", third)
	}
	if err := third.ends(); err != nil {
		t.Fatal(err)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.AddRoom(chattest.Room{ID: "town", Kind: "open", Title: "Town hall"})
	for i := range 120 {
		s.Say("lobby", "bob", fmt.Sprintf("number %d.", i))
	}
	alice := start(t, s, "alice", "")
	alice.sees("You are in no room yet")
	alice.types("anybody?")
	alice.sees("✗ not sent: no room is open")
	alice.types("/who")
	alice.sees("✗ no room is open")
	alice.types("/rooms town")
	alice.sees("town  open")
	alice.types("/join town")
	alice.sees("── town · Town hall ──")
	alice.types("/who")
	alice.sees("alice         member")
	alice.types("/room lobby")
	alice.sees("number 119.")
	if strings.Contains(alice.String(), "number 69.") || !strings.Contains(alice.String(), "number 70.") {
		t.Errorf("want the last 50, got:\n%s", alice)
	}
	alice.types("/history")
	alice.sees("older messages end here, /history shows more")
	alice.types("/history")
	alice.sees("number 0.")
	alice.types("/history")
	alice.sees("Nothing was said before that")
	alice.types("/dm bob")
	alice.sees("── @bob ──")
	alice.types("psst")
	alice.sees("alice: psst")
	s.Notify("alice", "unread", map[string]any{"room": "lobby", "unread": 2, "last": 1})
	alice.sees("· 2 new in lobby")
	s.Notify("alice", "invited", map[string]any{"room": "plans", "by": "carol"})
	alice.sees("· carol invites you to plans: /join plans")
	s.Notify("alice", "refused", map[string]any{"room": "lobby", "seq": 1, "code": "room_closed"})
	alice.sees("does not count: room_closed")
	for range 2 {
		s.Notify("alice", "removed", map[string]any{"room": "plans", "by": "carol", "reason": "spam"})
	}
	s.Notify("alice", "mention", map[string]any{"room": "lobby", "seq": 1, "by": "carol"})
	alice.sees("· carol mentioned you in lobby")
	if n := strings.Count(alice.String(), "· carol took rights in plans away from you: spam"); n != 1 {
		t.Errorf("the removal was told %d times, want once:\n%s", n, alice)
	}
	alice.types("/dance")
	alice.sees("✗ there is no /dance")
	alice.types("/help")
	alice.sees("/leave          leave this room")
	alice.types("/room town")
	alice.types("/leave")
	alice.sees("you left @bob") // what is typed means the room that is open
	alice.types("/quit")
	if err := alice.returns(); err == nil || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("got %v, want to be told of the message that was not sent", err)
	}
}

func TestRevokedEndsWithTheReason(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := start(t, s, "alice", "lobby")
	alice.sees("lobby")
	s.Refuse("alice", true)
	s.Notify("alice", "revoked", map[string]string{"reason": "left \x1b[2Jthe company"})
	err := alice.returns()
	var revoked *client.RevokedError
	if !errors.As(err, &revoked) {
		t.Errorf("got %v, want a RevokedError", err)
	}
	alice.sees("✗ you were revoked: left \ufffd[2Jthe company")
}

func TestConnectionLostAndBack(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := start(t, s, "alice", "lobby")
	alice.sees("lobby")
	s.Stop()
	alice.sees("· connection lost, reconnecting…")
	alice.types("typed while offline")
	alice.sees("· this waits for the connection: typed while offline")
	s.Run()
	alice.sees("· connected again")
	alice.sees("alice: typed while offline")
	s.Refuse("alice", true)
	s.Kick("alice")
	alice.sees("does not let you in any more")
	s.Refuse("alice", false)
	if err := alice.ends(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	c := &chat{t: t}
	go func() {
		done <- Run(ctx, Config{Client: connect(t, s, "alice"), Room: "lobby", In: r, Out: c})
	}()
	c.sees("lobby")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

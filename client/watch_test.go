package client

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/chattest"
	"parley/tenant"
)

// A watching is a client that watches the lobby, whose clock goes on where the test says so.
type watching struct {
	t     *testing.T
	s     *chattest.Server
	c     *Client
	waits chan time.Duration // how long each wait for the next question is to be
	clock chan time.Time     // ends the wait
	told  chan string        // pictures: alice+ is there, bob- is not
	ended chan error
	stop  context.CancelFunc

	mu    sync.Mutex
	users map[string]any // the answer of the service
	asked int
}

func newWatching(t *testing.T, picture string) *watching {
	t.Helper()
	w := &watching{
		t: t, s: chattest.Start(t), waits: make(chan time.Duration, 100), clock: make(chan time.Time), told: make(chan string, 100), ended: make(chan error, 1),
	}
	w.answers(picture)
	w.s.Hook(func(op, _ string) map[string]any {
		if op != "presence" {
			return nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked++
		return w.users
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	var err error
	if w.c, err = Connect(ctx, Options{URL: w.s.URL(), User: "alice", Name: "alice", Token: StaticToken("alice")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.c.Close)
	w.c.after = func(d time.Duration) <-chan time.Time {
		w.waits <- d
		return w.clock
	}
	room, err := w.c.Room(ctx, "lobby")
	if err != nil {
		t.Fatal(err)
	}
	ctx, w.stop = context.WithCancel(t.Context())
	go func() {
		w.ended <- w.c.WatchPresence(ctx, room, func(users []Presence) { w.told <- pictureOf(users) })
	}()
	return w
}

func pictureOf(users []Presence) string {
	var all []string
	for _, p := range users {
		all = append(all, p.User+map[bool]string{true: "+", false: "-"}[p.Online])
	}
	return strings.Join(all, " ")
}

// usersOf reads what pictureOf writes, as JSON has it.
func usersOf(picture string) []any {
	all := []any{}
	for p := range strings.FieldsSeq(picture) {
		all = append(all, map[string]any{"user": p[:len(p)-1], "online": p[len(p)-1] == '+'})
	}
	return all
}

// answers is what the service says from now on: a picture, or the code of a refusal.
func (w *watching) answers(said string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users = map[string]any{"users": usersOf(said), "watch_seconds": 120}; !strings.ContainsAny(said, "+-") {
		w.users = map[string]any{"ok": false, "code": said, "message": said}
	}
}

func (w *watching) wantTold(want string) {
	w.t.Helper()
	select {
	case got := <-w.told:
		if got != want {
			w.t.Errorf("got %q, want %q", got, want)
		}
	case <-time.After(time.Minute):
		w.t.Fatalf("nothing told, want %q", want)
	}
}

// wantWait waits until the service was asked so often, and nothing happens before the clock goes on.
func (w *watching) wantWait(asked int, want time.Duration) {
	w.t.Helper()
	select {
	case got := <-w.waits:
		w.mu.Lock()
		defer w.mu.Unlock()
		if got != want || w.asked != asked {
			w.t.Errorf("got a wait of %s after %d questions, want %s after %d", got, w.asked, want, asked)
		}
	case <-time.After(time.Minute):
		w.t.Fatal("no wait")
	}
}

func TestAWatchGoesOnForAsLongAsSomebodyLooks(t *testing.T) {
	t.Parallel()
	w := newWatching(t, "alice- bob-") // of himself it knows better
	w.wantTold("alice+ bob-")
	w.wantWait(1, 90*time.Second)
	w.s.Notify("alice", "presence", map[string]any{"users": usersOf("zed+")}) // whom another watch is about
	w.s.Notify("alice", "presence", map[string]any{"users": usersOf("bob+")})
	w.wantTold("alice+ bob+")

	w.answers("alice+ bob+")
	w.clock <- time.Time{} // the same again tells nothing
	w.wantWait(2, 90*time.Second)
	w.answers("alice+ carol-")
	w.clock <- time.Time{}
	w.wantTold("alice+ carol-")
	w.wantWait(3, 90*time.Second)

	w.answers("alice+ carol+")
	w.s.Kick("alice") // a new connection asks at once
	w.wantTold("alice+ carol+")
	w.wantWait(4, 90*time.Second)

	w.answers("unavailable")
	w.clock <- time.Time{}
	w.wantWait(5, 5*time.Second)
	w.answers("alice+ carol-")
	w.clock <- time.Time{}
	w.wantTold("alice+ carol-")
	w.wantWait(6, 90*time.Second)

	w.stop()
	if err := <-w.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if w.asked != 6 || len(w.told) > 0 {
		t.Errorf("asked %d times, told %d more, want 6 and none", w.asked, len(w.told))
	}
}

func TestAWatchEndsWithTheRoomOrTheClient(t *testing.T) {
	t.Parallel()
	w := newWatching(t, "alice+")
	w.wantTold("alice+")
	w.wantWait(1, 90*time.Second)
	w.answers("not_found")
	w.clock <- time.Time{}
	var refused *Error
	if err := <-w.ended; !errors.As(err, &refused) || refused.Code != tenant.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
	w = newWatching(t, "alice+")
	w.wantTold("alice+")
	w.c.Close()
	if err := <-w.ended; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if err := w.c.WatchPresence(t.Context(), Room{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("of a closed client: got %v, want ErrClosed", err)
	}
}

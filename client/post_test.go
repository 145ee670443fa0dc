package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/client"
	"parley/internal/chattest"
)

func TestPostIsStoredOnce(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	lobby := room(t, alice, "lobby")
	d := client.Draft{Text: "hello", ID: "id-of-the-caller"}
	first, err := alice.Post(within(t), lobby, d)
	if err != nil || first.Duplicate || first.Seq == 0 {
		t.Fatalf("got %+v, %v", first, err)
	}
	second, err := alice.Post(within(t), lobby, d)
	if err != nil || !second.Duplicate || second.Seq != first.Seq {
		t.Errorf("got %+v, %v, want a duplicate of %d", second, err, first.Seq)
	}
	third, err := alice.Post(within(t), lobby, client.Draft{Text: "hello"})
	if err != nil || third.Duplicate || third.Seq != first.Seq+1 {
		t.Errorf("got %+v, %v, want a message of its own", third, err)
	}
	if n := s.Stored(); n != 2 {
		t.Errorf("stream holds %d messages, want 2", n)
	}
}

// The first attempt is stored, but its acknowledgement gets lost: the answer to the
// second says so, and the message is there once.
func TestPostIsRetriedUnderTheSameID(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	proxy := chattest.Cut(t, s)
	alice := connect(t, s, "alice", func(o *client.Options) { o.URL = proxy.URL })
	lobby := room(t, alice, "lobby")
	proxy.SwallowNext()
	ack, err := alice.Post(within(t), lobby, client.Draft{Text: "hello"})
	if err != nil || !ack.Duplicate {
		t.Errorf("got %+v, %v, want the acknowledgement of a duplicate", ack, err)
	}
	if n := s.Stored(); n != 1 {
		t.Errorf("stream holds %d messages, want 1", n)
	}
}

func TestPostWaitsForTheServer(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	lobby := room(t, alice, "lobby")
	s.Stop()
	done := make(chan error, 1)
	go func() {
		_, err := alice.Post(within(t), lobby, client.Draft{Text: "hello"})
		done <- err
	}()
	until(t, alice, client.Reconnecting)
	s.Run()
	if err := <-done; err != nil {
		t.Errorf("Post: %v", err)
	}
	if n := s.Stored(); n != 1 {
		t.Errorf("stream holds %d messages, want 1", n)
	}
}

func TestPostEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	lobby := room(t, alice, "lobby")
	s.Stop()
	until(t, alice, client.Reconnecting)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := alice.Post(ctx, lobby, client.Draft{Text: "hello"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}
	s.Run()
}

func TestPostErrorsAreTyped(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.AddRoom(chattest.Room{ID: "news", Kind: "announce"})
	s.AddRoom(chattest.Room{ID: "town", Kind: "open"})
	s.AddRoom(chattest.Room{ID: "plans", Kind: "private", Members: []string{"alice"}})
	alice, bob := connect(t, s, "alice"), connect(t, s, "bob")
	lobby, town, news, plans := room(t, alice, "lobby"), room(t, alice, "town"), room(t, alice, "news"), room(t, alice, "plans")
	post := func(c *client.Client, r client.Room, text string) error {
		_, err := c.Post(within(t), r, client.Draft{Text: text})
		return err
	}
	for _, r := range []client.Room{lobby, town, plans} {
		if err := post(alice, r, "fine"); err != nil {
			t.Errorf("Post in %s: %v", r.ID, err)
		}
	}
	before := s.Stored()
	wantCode(t, post(alice, news, "not mine to say"), "forbidden")
	wantCode(t, post(bob, plans, "no member"), "forbidden")
	wantCode(t, post(alice, lobby, strings.Repeat("x", 65<<10)), "too_large")
	wantCode(t, post(alice, lobby, strings.Repeat("x", 2<<20)), "too_large")
	wantCode(t, post(alice, client.Room{ID: "lobby"}, "no place"), "invalid")
	wantCode(t, post(alice, client.Room{ID: "lobby", Kind: "shared", Class: "std"}, "not yet"), "invalid")
	wantCode(t, post(alice, client.Room{ID: "lobby", Kind: "open", Class: "day"}, "no stream"), "unavailable")
	s.Freeze("town")
	err := post(alice, town, "too late")
	wantCode(t, err, "forbidden")
	if err == nil || !strings.Contains(err.Error(), "frozen") || !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("got %v, want it to say frozen and to wrap the violation", err)
	}
	if n := s.Stored(); n != before {
		t.Errorf("stream holds %d messages, want %d", n, before)
	}
	s.Limit()
	wantCode(t, post(alice, lobby, "one too many"), "limit_reached")
}

func TestPostOpensRoomsOutsideTheWorkingSet(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.AddRoom(chattest.Room{ID: "plans", Kind: "private", Members: []string{"alice"}})
	alice := connect(t, s, "alice", func(o *client.Options) { o.Rooms = []string{} })
	if _, err := alice.Post(within(t), room(t, alice, "plans"), client.Draft{Text: "hello"}); err != nil {
		t.Errorf("Post: %v", err)
	}
	if got := s.Logins("alice"); len(got) != 2 || got[0] != "alice;rooms=" || got[1] != "alice;rooms=plans" {
		t.Errorf("got logins %q", got)
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice, bob := connect(t, s, "alice"), connect(t, s, "bob")
	lobby := room(t, alice, "lobby")
	ctx, cancel := context.WithCancel(within(t))
	signals, err := alice.Signals(ctx, lobby)
	if err != nil {
		t.Fatal(err)
	}
	subscribed(t, alice)
	for _, junk := range []string{`{"ok":true}`, `{"typing":true,"seq":1}`, `{"typing":"yes"}`, `{}`, `null`, `{"typing":true} x`} {
		s.Publish(&nats.Msg{Subject: "sig.std.open.lobby.bob", Data: []byte(junk)})
	}
	if err := bob.Typing(lobby, true); err != nil {
		t.Fatal(err)
	}
	if got := <-signals; got != (client.Signal{User: "bob", Typing: true}) {
		t.Errorf("got %+v, want bob typing", got)
	}
	if got := alice.Stats().Junk; got != 6 {
		t.Errorf("got %d junk, want 6", got)
	}
	cancel()
	for range signals {
	}
}

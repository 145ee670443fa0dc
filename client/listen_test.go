package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/client"
	"parley/internal/chattest"
)

// Half of the messages are there before, the others come while the listener joins.
func TestListenJoinsHistoryAndLive(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	for run := range 10 {
		id := fmt.Sprintf("room%d", run)
		s.AddRoom(chattest.Room{ID: id, Kind: "open"})
		const n = 600 // several pages
		r := room(t, alice, id)
		var half, all sync.WaitGroup
		half.Add(1)
		all.Go(func() {
			for i := range n {
				s.Say(id, "bob", fmt.Sprint(i))
				if i == n/2+run*10 {
					half.Done()
				}
			}
		})
		half.Wait()
		l := listen(t, alice, r)
		wantNumbered(t, next(t, l, n), n)
		all.Wait()
	}
}

// A message that only the second read finds is delivered, once, and marked.
func TestSecondReadFindsWhatLiveMissed(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	first := s.Say("lobby", "bob", "0")
	s.Say("lobby", "bob", "missed")
	alice := connect(t, s, "alice")
	lobby := room(t, alice, "lobby")
	var reads atomic.Int32
	s.Hook(func(op, _ string) map[string]any {
		if op != "missed" || reads.Add(1) > 1 {
			return nil
		}
		// As if the second message had come in the milliseconds that a cluster's subscription can miss.
		messages := []any{map[string]any{"seq": first, "sender": "bob", "time": time.Now(), "text": "0"}}
		return map[string]any{"rooms": []any{map[string]any{"room": "lobby", "messages": messages, "more": false}}}
	})
	l := listen(t, alice, lobby)
	if got := next(t, l, 1); got[0].Text != "0" {
		t.Fatalf("got %q first, want 0", got[0].Text)
	}
	s.Say("lobby", "bob", "live")
	got := next(t, l, 2)
	if got[0].Text != "live" || got[0].Late || got[1].Text != "missed" || !got[1].Late {
		t.Errorf("got %+v, want live and then missed, late", got)
	}
	if n := reads.Load(); n < 2 {
		t.Errorf("history was read %d times, want 2", n)
	}
}

func TestListenFillsTheGapOfARestart(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	l := listen(t, alice, room(t, alice, "lobby"))
	n := 0
	say := func(k int) {
		for range k {
			s.Say("lobby", "bob", fmt.Sprint(n))
			n++
		}
	}
	say(3)
	got := next(t, l, 3)
	for range 3 {
		// Alice is kept out while the others are back and talk.
		s.Refuse("alice", true)
		s.Stop()
		s.Run()
		until(t, alice, client.Refused)
		say(5)
		s.Refuse("alice", false)
		until(t, alice, client.Connected)
		say(5)
		got = append(got, next(t, l, 10)...)
	}
	wantNumbered(t, got, n)
}

func TestListenSurvivesManyReconnectionsUnderLoad(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	l := listen(t, alice, room(t, alice, "lobby"))
	const n = 2000
	var all sync.WaitGroup
	all.Go(func() {
		for i := range n {
			s.Say("lobby", "bob", fmt.Sprint(i))
			if i%250 == 100 {
				s.Kick("alice")
			}
			if i%250 == 200 {
				s.Notify("alice", "rights", map[string]any{"rooms": []string{"lobby"}})
			}
		}
	})
	wantNumbered(t, next(t, l, n), n)
	all.Wait()
	if alice.Stats().Reconnects == 0 {
		t.Error("got no reconnection, want some")
	}
}

// More comes than is held while nobody reads.
func TestSlowReaderLosesNothing(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice, bob := connect(t, s, "alice"), connect(t, s, "bob")
	l := listen(t, alice, room(t, alice, "lobby"))
	s.Say("lobby", "bob", "0")
	got := next(t, l, 1)
	const n = 6000
	lobby := room(t, bob, "lobby")
	for i := 1; i < n; i++ {
		if i%500 != 0 { // fast, then make sure that it is stored
			s.Publish(&nats.Msg{Subject: "chat.std.open.lobby.bob", Data: fmt.Appendf(nil, `{"text":"%d"}`, i)})
			continue
		}
		if _, err := bob.Post(within(t), lobby, client.Draft{Text: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	s.Eventually("all is stored", func() bool { return s.Stored() == n })
	got = append(got, next(t, l, n-1)...)
	for i, m := range got {
		if i > 0 && m.Seq <= got[i-1].Seq {
			t.Fatalf("message %d has seq %d behind %d", i, m.Seq, got[i-1].Seq)
		}
	}
}

func TestLiveGoesOnWithoutHistory(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	lobby := room(t, alice, "lobby")
	s.Say("lobby", "bob", "before")
	var down atomic.Bool
	down.Store(true)
	s.Hook(func(op, _ string) map[string]any {
		if op == "missed" && down.Load() {
			return map[string]any{"ok": false, "code": "unavailable", "message": "no database"}
		}
		return nil
	})
	l := listen(t, alice, lobby)
	subscribed(t, alice)
	s.Say("lobby", "bob", "live")
	if got := next(t, l, 1)[0]; got.Text != "live" {
		t.Fatalf("got %q, want live", got.Text)
	}
	down.Store(false)
	if got := next(t, l, 1)[0]; got.Text != "before" || !got.Late {
		t.Errorf("got %+v, want before, late", got)
	}
}

// What is posted or sent to the room in ways that no honest client uses is dropped and
// counted, beside one message that is delivered.
func TestJunkIsDroppedAndCounted(t *testing.T) { // IDN-04
	t.Parallel()
	s := chattest.Start(t)
	s.AddRoom(chattest.Room{ID: "alice.bob", Kind: "direct", Members: []string{"alice", "bob"}})
	alice := connect(t, s, "alice")
	l := listen(t, alice, room(t, alice, "lobby"))
	subscribed(t, alice)
	full := func() nats.Header {
		return nats.Header{
			"Nats-Stream": {"std"}, "Nats-Subject": {"chat.std.open.lobby.bob"},
			"Nats-Sequence": {"1"}, "Nats-Time-Stamp": {time.Now().Format(time.RFC3339Nano)},
		}
	}
	without := func(key string) nats.Header { h := full(); h.Del(key); return h }
	with := func(key string, v ...string) nats.Header { h := full(); h[key] = v; return h }
	text := []byte(`{"text":"junk"}`)
	live := "live.std.open.lobby.bob"
	junk := []*nats.Msg{
		{Subject: live, Data: text},
		{Subject: live, Data: []byte(`{"stream":"std","seq":7}`)}, // an acknowledgement aimed here
		{Subject: live, Data: text, Header: without("Nats-Stream")},
		{Subject: live, Data: text, Header: without("Nats-Subject")},
		{Subject: live, Data: text, Header: without("Nats-Sequence")},
		{Subject: live, Data: text, Header: without("Nats-Time-Stamp")},
		{Subject: live, Data: text, Header: with("Nats-Sequence", "999999", "1")},
		{Subject: live, Data: text, Header: with("Nats-Sequence", "-1")},
		{Subject: live, Data: text, Header: with("Nats-Sequence", "0")},
		{Subject: live, Data: text, Header: with("Nats-Time-Stamp", "yesterday")},
		{Subject: "live.std.open.lobby.Bob", Data: text, Header: full()},
		{Subject: live, Data: nil, Header: full()},
		{Subject: live, Data: []byte("null"), Header: full()},
		{Subject: live, Data: []byte(`{"text":5}`), Header: full()},
		{Subject: live, Data: []byte(`{"text":"a"} {}`), Header: full()},
		{Subject: live, Data: []byte("{\"text\":\"\xff\"}"), Header: full()},
		{Subject: live, Data: []byte(`{"text":""}`), Header: full()},
		{Subject: live, Data: []byte(`{"attachments":[{"url":"javascript:alert(1)"}]}`), Header: full()},
		{Subject: live, Data: []byte(`{"text":` + strings.Repeat("[", 20000)), Header: full()},
		{Subject: "live.std.open.lobby._", Data: text, Header: full()}, // no event
	}
	for _, m := range junk {
		s.Publish(m)
	}
	for _, key := range []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"} {
		s.Store("lobby", "mallory", text, nats.Header{key: {"forged"}}) // the server adds its own behind
	}
	want := uint64(len(junk) + 4)
	s.Say("lobby", "bob", "real")
	if got := next(t, l, 1)[0]; got.Text != "real" || got.Sender != "bob" {
		t.Errorf("got %+v, want bob's real", got)
	}
	s.Eventually("all junk is counted", func() bool { return alice.Stats().Junk == want })

	dm := listen(t, alice, room(t, alice, "alice.bob"))
	subscribed(t, alice)
	s.Publish(&nats.Msg{Subject: "live.std.direct.alice.bob.mallory", Data: text, Header: full()})
	s.Say("alice.bob", "bob", "psst")
	if got := next(t, dm, 1)[0]; got.Text != "psst" {
		t.Errorf("got %+v, want psst", got)
	}
	if got := alice.Stats().Junk; got != want+1 {
		t.Errorf("got %d junk, want %d", got, want+1)
	}
}

// subscribed returns when the server has the client's subscriptions: it takes them before what comes behind.
func subscribed(t *testing.T, c *client.Client) {
	t.Helper()
	if _, err := c.WhoAmI(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestListenNeedsTheRoom(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.AddRoom(chattest.Room{ID: "plans", Kind: "private", Members: []string{"alice", "bob"}})
	alice, bob := connect(t, s, "alice"), connect(t, s, "bob")
	r := room(t, alice, "plans")
	l, twin := listen(t, alice, r), listen(t, bob, r)
	s.Say("plans", "bob", "hello")
	next(t, l, 1)
	next(t, twin, 1)

	s.AddRoom(chattest.Room{ID: "plans", Kind: "private", Members: []string{"bob"}})
	s.Kick("alice")
	s.Eventually("alice is back", func() bool { return len(s.Logins("alice")) >= 2 })
	s.Say("plans", "bob", "without alice")
	for m := range l.Messages() {
		t.Errorf("got %q after the room was lost", m.Text)
	}
	var e *client.Error
	if !errors.As(l.Err(), &e) || e.Code != "forbidden" && e.Code != "not_found" {
		t.Errorf("got %v, want forbidden or not_found", l.Err())
	}
	if got := next(t, twin, 1)[0]; got.Text != "without alice" {
		t.Errorf("got %q, want the member to read on", got.Text)
	}
}

// A room outside of the working set is opened by reconnecting with it.
func TestListenOpensRoomsOutsideTheWorkingSet(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	for _, id := range []string{"one", "two"} {
		s.AddRoom(chattest.Room{ID: id, Kind: "private", Members: []string{"alice", "bob"}})
	}
	alice := connect(t, s, "alice", func(o *client.Options) { o.Rooms = []string{"one"} })
	one := listen(t, alice, room(t, alice, "one"))
	two := listen(t, alice, room(t, alice, "two"))
	s.Eventually("alice asks for both", func() bool {
		all := s.Logins("alice")
		return all[len(all)-1] == "alice;rooms=two,one"
	})
	s.Say("one", "bob", "in one")
	s.Say("two", "bob", "in two")
	if a, b := next(t, one, 1)[0].Text, next(t, two, 1)[0].Text; a != "in one" || b != "in two" {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestListenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	ctx, cancel := context.WithCancel(context.Background())
	l, err := alice.Listen(ctx, room(t, alice, "lobby"), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Say("lobby", "bob", "unread")
	cancel()
	for range l.Messages() {
	}
	if !errors.Is(l.Err(), context.Canceled) {
		t.Errorf("got %v, want context.Canceled", l.Err())
	}
	if alice.Err() != nil {
		t.Errorf("the client stopped: %v", alice.Err())
	}
}

package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/client"
	"parley/internal/chattest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func connect(t *testing.T, s *chattest.Server, user string, change ...func(*client.Options)) *client.Client {
	t.Helper()
	o := client.Options{URL: s.URL(), User: user, Token: client.StaticToken(user), Name: user}
	for _, f := range change {
		f(&o)
	}
	c, err := client.Connect(within(t), o)
	if err != nil {
		t.Fatalf("Connect as %s: %v", user, err)
	}
	t.Cleanup(c.Close)
	return c
}

func room(t *testing.T, c *client.Client, id string) client.Room {
	t.Helper()
	r, err := c.Room(within(t), id)
	if err != nil {
		t.Fatalf("Room %s: %v", id, err)
	}
	return r
}

func listen(t *testing.T, c *client.Client, r client.Room) *client.Listener {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	l, err := c.Listen(ctx, r, 0)
	if err != nil {
		t.Fatalf("Listen to %s: %v", r.ID, err)
	}
	return l
}

// next reads n messages.
func next(t *testing.T, l *client.Listener, n int) []client.Message {
	t.Helper()
	var got []client.Message
	deadline := time.After(30 * time.Second)
	for len(got) < n {
		select {
		case m, ok := <-l.Messages():
			if !ok {
				t.Fatalf("listener ended after %d of %d messages: %v", len(got), n, l.Err())
			}
			got = append(got, m)
		case <-deadline:
			t.Fatalf("got %d messages in time, want %d", len(got), n)
		}
	}
	return got
}

func texts(ms []client.Message) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.Text)
	}
	return out
}

func wantNumbered(t *testing.T, got []client.Message, n int) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("got %d messages, want %d", len(got), n)
	}
	for i, m := range got {
		if m.Text != fmt.Sprint(i) || m.Late || i > 0 && m.Seq <= got[i-1].Seq {
			t.Fatalf("got %s (late %v) at place %d, want 0 to %d in order; around it: %v",
				m.Text, m.Late, i, n-1, texts(got[max(0, i-5):min(n, i+5)]))
		}
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) || string(e.Code) != code {
		t.Errorf("got error %v, want one of code %s", err, code)
	}
}

// until reads statuses up to one in the state.
func until(t *testing.T, c *client.Client, state client.State) client.Status {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case s, ok := <-c.Status():
			if !ok {
				t.Fatalf("the status channel ended before %s", state)
			}
			if s.State == state {
				return s
			}
		case <-deadline:
			t.Fatalf("not %s in time", state)
		}
	}
}

func TestOptionsReportAllFaults(t *testing.T) {
	t.Parallel()
	_, err := client.Connect(within(t), client.Options{
		URL: "nats://u:p@localhost", User: "Bob!", Tenant: "acme", Rooms: []string{"ok", "not;ok"},
	})
	for _, want := range []string{"credentials", "User must", "exactly one", "go together", `"not;ok"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a fault with %q", err, want)
		}
	}
}

func TestConnectRefused(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.Refuse("mallory", true)
	_, err := client.Connect(within(t), client.Options{URL: s.URL(), User: "mallory", Token: client.StaticToken("mallory")})
	if !errors.Is(err, client.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	connect(t, s, "alice")
}

func TestConnectEndsWithItsContext(t *testing.T) {
	t.Parallel()
	deaf := chattest.Deaf(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := client.Connect(ctx, client.Options{URL: deaf.URL, User: "alice", Token: client.StaticToken("alice")})
		done <- err
	}()
	<-deaf.Accepted
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("Connect went on after its context")
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	s.AddRoom(chattest.Room{ID: "plans", Kind: "private", Title: "Plans", Members: []string{"alice", "bob"}})
	s.AddRoom(chattest.Room{ID: "secret", Kind: "private", Members: []string{"carol"}})
	alice := connect(t, s, "alice")
	ctx := within(t)

	me, err := alice.WhoAmI(ctx)
	if err != nil || me.User != "alice" || me.Tenant != "acme" || me.Name != "Alice" {
		t.Errorf("WhoAmI: got %+v, %v", me, err)
	}
	s.Say("plans", "bob", "one")
	s.Say("plans", "bob", "two")
	last := s.Say("plans", "alice", "three")
	mine, err := alice.Rooms(ctx, "")
	if err != nil || len(mine) != 1 || mine[0].ID != "plans" || mine[0].Unread != 2 || mine[0].Last != last {
		t.Fatalf("Rooms: got %+v, %v, want plans with 2 unread", mine, err)
	}
	if n, err := alice.Unread(ctx); err != nil || n != 2 {
		t.Errorf("Unread: got %d, %v, want 2", n, err)
	}
	if n, err := alice.Read(ctx, mine[0], last); err != nil || n != 0 {
		t.Errorf("Read: got %d unread, %v, want none", n, err)
	}
	if got := s.ReadPosition("plans", "alice"); got != last {
		t.Errorf("read position: got %d, want %d", got, last)
	}
	members, err := alice.Members(ctx, mine[0])
	if err != nil || len(members) != 2 {
		t.Errorf("Members: got %v, %v, want two", members, err)
	}
	lobby, err := alice.Join(ctx, "lobby")
	if err != nil || lobby.Kind != "open" {
		t.Errorf("Join lobby: got %+v, %v", lobby, err)
	}
	if err := alice.Leave(ctx, lobby); err != nil {
		t.Errorf("Leave: %v", err)
	}
	_, err = alice.Join(ctx, "secret")
	wantCode(t, err, "not_found")
	_, err = alice.Room(ctx, "secret")
	wantCode(t, err, "not_found")
	_, err = alice.Join(ctx, "a;b")
	wantCode(t, err, "invalid")
	dm, err := alice.Direct(ctx, "bob")
	if err != nil || dm.ID != "alice.bob" || dm.Kind != "direct" {
		t.Errorf("Direct: got %+v, %v", dm, err)
	}
	_, err = alice.Direct(ctx, "alice")
	wantCode(t, err, "invalid")
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	var seqs []uint64
	for i := range 7 {
		seqs = append(seqs, s.Say("lobby", "bob", fmt.Sprint(i)))
	}
	s.Store("lobby", "_", []byte(`{"event":"joined","user":"carol"}`), nil)
	alice := connect(t, s, "alice")
	lobby := room(t, alice, "lobby")
	for _, c := range []struct {
		q    client.HistoryQuery
		want []string
		more bool
	}{
		{client.HistoryQuery{Limit: 3}, []string{"5", "6", ""}, true},
		{client.HistoryQuery{Before: seqs[2]}, []string{"0", "1"}, false},
		{client.HistoryQuery{After: seqs[2], Limit: 2}, []string{"3", "4"}, true},
	} {
		got, more, err := alice.History(within(t), lobby, c.q)
		if err != nil || !slices.Equal(texts(got), c.want) || more != c.more {
			t.Errorf("History %+v: got %q, more %v, %v; want %q, %v", c.q, texts(got), more, err, c.want, c.more)
		}
	}
	got, _, err := alice.History(within(t), lobby, client.HistoryQuery{Limit: 1})
	if err != nil || len(got) != 1 || got[0].Event == nil || got[0].Event.Type != "joined" || got[0].Event.User != "carol" {
		t.Errorf("event: got %+v, %v, want carol joined", got, err)
	}
}

func TestClosedClientSaysSo(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	c := connect(t, s, "alice")
	lobby := room(t, c, "lobby")
	l := listen(t, c, lobby)
	c.Close()
	c.Close()
	for range l.Messages() {
	}
	_, postErr := c.Post(within(t), lobby, client.Draft{Text: "x"})
	_, callErr := c.WhoAmI(within(t))
	_, listenErr := c.Listen(within(t), lobby, 0)
	for what, err := range map[string]error{"Err": c.Err(), "Listener.Err": l.Err(), "Post": postErr, "WhoAmI": callErr, "Listen": listenErr} {
		if !errors.Is(err, client.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", what, err)
		}
	}
}

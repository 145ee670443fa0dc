package client_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/client"
	"parley/internal/chattest"
)

func notice(t *testing.T, c *client.Client) client.Notice {
	t.Helper()
	select {
	case n, ok := <-c.Notices():
		if !ok {
			t.Fatal("the notices ended")
		}
		return n
	case <-time.After(30 * time.Second):
		t.Fatal("no notice in time")
	}
	return client.Notice{}
}

func TestRevokedStopsForGood(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice, bob := connect(t, s, "alice"), connect(t, s, "bob")
	lobby := room(t, alice, "lobby")
	l := listen(t, alice, lobby)
	carol := connect(t, s, "carol")
	s.Refuse("alice", true)
	s.Notify("alice", "revoked", map[string]string{"reason": "left the company"})
	s.Notify("carol", "revoked", map[string]string{"reason": ""}) // no kick follows
	s.Kick("alice")
	<-alice.Done()
	<-carol.Done()
	if !errors.As(carol.Err(), new(*client.RevokedError)) {
		t.Errorf("carol: got %v, want a RevokedError", carol.Err())
	}
	for range l.Messages() {
	}
	_, postErr := alice.Post(within(t), lobby, client.Draft{Text: "still here?"})
	for what, err := range map[string]error{"Err": alice.Err(), "Listener.Err": l.Err(), "Post": postErr} {
		var r *client.RevokedError
		if !errors.As(err, &r) || r.Reason != "left the company" {
			t.Errorf("%s: got %v, want a RevokedError with its reason", what, err)
		}
	}
	if st := until(t, alice, client.Stopped); !errors.As(st.Err, new(*client.RevokedError)) {
		t.Errorf("got status %+v", st)
	}
	if n := notice(t, alice); n.What != client.NoticeRevoked || n.Reason != "left the company" {
		t.Errorf("got notice %+v", n)
	}
	alice.Close()
	logins := len(s.Logins("alice")) // where the kick was faster than the notice, she has tried again
	if _, err := bob.Post(within(t), lobby, client.Draft{Text: "fine"}); err != nil {
		t.Errorf("bob: %v", err)
	}
	if got := s.Logins("alice"); len(got) != logins {
		t.Errorf("alice logged in %d times after she was stopped, want never", len(got)-logins)
	}
}

func TestRightsReconnect(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice", func(o *client.Options) { o.Rooms = []string{"one"} })
	s.AddRoom(chattest.Room{ID: "plans", Kind: "private", Members: []string{"alice", "bob"}})
	s.Notify("alice", "rights", map[string]any{"rooms": []string{"plans", "alice.bob", "not;ok"}})
	if n := notice(t, alice); n.What != client.NoticeRights || n.Rooms[0] != "plans" {
		t.Errorf("got notice %+v", n)
	}
	until(t, alice, client.Connected)
	if got := s.Logins("alice"); len(got) != 2 || got[1] != "alice;rooms=plans,one" {
		t.Errorf("got logins %q, want a second one with the new room", got)
	}
	if _, err := alice.Post(within(t), room(t, alice, "plans"), client.Draft{Text: "hello"}); err != nil {
		t.Errorf("Post: %v", err)
	}
}

func TestNotices(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	alice := connect(t, s, "alice")
	junk := []struct{ what, body string }{
		{"revoked", `{}`},
		{"revoked", `{"stream":"std","seq":9}`},
		{"revoked", `{"ok":true,"reason":"x"}`},
		{"revoked", `null`},
		{"revoked", `{"reason":7}`},
		{"revoked", `{"reason":"x"}{}`},
		{"rights", `{"stream":"std","rooms":[]}`},
		{"refused", `{"seq":9}`},
		{"unheard-of", `{}`},
	}
	for _, j := range junk {
		s.Publish(&nats.Msg{Subject: "live.user.alice." + j.what, Data: []byte(j.body)})
	}
	s.Notify("alice", "refused", map[string]any{"room": "lobby", "seq": 12, "code": "room_closed"})
	s.Notify("alice", "removed", map[string]any{"room": "plans", "by": "bob"})
	s.Notify("alice", "invited", map[string]any{"room": "plans", "by": "bob", "new": "field"})
	if n := notice(t, alice); n.What != client.NoticeRefused || n.Room != "lobby" || n.Seq != 12 || n.Code != "room_closed" {
		t.Errorf("got %+v, want refused", n)
	}
	if n := notice(t, alice); n.What != client.NoticeRemoved || n.Room != "plans" || n.By != "bob" {
		t.Errorf("got %+v, want removed", n)
	}
	if n := notice(t, alice); n.What != client.NoticeInvited || n.Room != "plans" {
		t.Errorf("got %+v, want invited", n)
	}
	if got := alice.Stats().Junk; got != uint64(len(junk)) {
		t.Errorf("got %d junk, want %d", got, len(junk))
	}
	if alice.Err() != nil {
		t.Errorf("the client stopped: %v", alice.Err())
	}
}

func TestRefusedClientKeepsTrying(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	var calls atomic.Int32
	alice := connect(t, s, "alice", func(o *client.Options) {
		o.Token = func(context.Context) (string, error) {
			calls.Add(1)
			return "alice", nil
		}
	})
	s.Refuse("alice", true)
	s.Kick("alice")
	if st := until(t, alice, client.Refused); !errors.Is(st.Err, client.ErrRefused) {
		t.Errorf("got status %+v, want ErrRefused", st)
	}
	s.Eventually("it tries again", func() bool { return len(s.Logins("alice")) > 4 })
	s.Refuse("alice", false)
	until(t, alice, client.Connected)
	if calls.Load() < 2 {
		t.Errorf("the token was asked for %d times, want more than once", calls.Load())
	}
	if _, err := alice.WhoAmI(within(t)); err != nil {
		t.Errorf("WhoAmI: %v", err)
	}
}

// A token that is used up is replaced by one call, however often it is refused.
func TestTokenIsRenewedSingleFlight(t *testing.T) {
	t.Parallel()
	s := chattest.Start(t)
	var calls, running, most atomic.Int32
	s.Alias("old", "alice")
	alice := connect(t, s, "alice", func(o *client.Options) {
		o.Token = func(context.Context) (string, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if calls.Add(1) == 1 {
				return "old", nil
			}
			// Not before the old one was refused a few times.
			s.Eventually("the old token is tried", func() bool { return len(s.Logins("old")) > 2 })
			return "alice", nil
		}
	})
	s.Alias("old", "")
	s.Kick("alice")
	until(t, alice, client.Refused)
	until(t, alice, client.Connected)
	if most.Load() != 1 || calls.Load() < 2 {
		t.Errorf("got %d calls, %d at once, want at least 2, one at a time", calls.Load(), most.Load())
	}
}

package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// three connects a user over TCP with a token, over TCP with creds, and over WebSocket with a password.
func (s *server) three(tenant, user string) []*peer {
	s.t.Helper()
	var all []*peer
	for _, how := range []struct {
		url string
		opt nats.Option
	}{
		{s.NATS, nats.Token(s.userToken(tenant, user))},
		{s.NATS, nats.UserCredentials(s.credsFile(tenant, user))},
		{s.WS, nats.UserInfo(tenant+"/"+user, user+"-password")},
	} {
		p, err := s.dial(how.url, user, how.opt)
		if err != nil {
			s.t.Fatalf("connect %s: %v", how.url, err)
		}
		all = append(all, p)
	}
	return all
}

// wantOut wants that a user can't connect by any method.
func (s *server) wantOut(tenant, user, token, creds string) {
	s.t.Helper()
	for method, opt := range map[string]nats.Option{
		"token": nats.Token(token), "creds": nats.UserCredentials(creds), "password": nats.UserInfo(tenant+"/"+user, user+"-password"),
	} {
		for _, url := range []string{s.NATS, s.WS} {
			if p, err := s.dial(url, user, opt); err == nil {
				p.Close()
				s.t.Errorf("%s of %s over %s: got in, want refused", method, user, url)
			} else if !strings.Contains(err.Error(), "Authorization Violation") {
				s.t.Errorf("%s of %s over %s: got %v, want Authorization Violation", method, user, url, err)
			}
		}
	}
}

func TestARevokedUserIsOutUntilRestored(t *testing.T) {
	t.Parallel()
	s := house(t)
	token, creds := s.userToken("acme", "bob"), s.credsFile("acme", "bob")
	bobs := s.three("acme", "bob")
	alice := s.peer("acme", "alice")
	told := bobs[0].listen("live.user.bob.revoked")

	var answer revokeAnswer
	s.call(http.MethodPost, "/v1/tenants/acme/users/bob/revoke", `{"reason":"left the company"}`).into(t, &answer)
	if answer.Disconnected != 3 || answer.TookMS <= 0 {
		t.Errorf("revoke: got %+v, want 3 connections and the time", answer)
	}
	m := bobs[0].next(told)
	var notice struct{ Reason string }
	if err := json.Unmarshal(m.Data, &notice); err != nil || notice.Reason != "left the company" {
		t.Errorf("notice: got %s (%v)", m.Data, err)
	}
	for _, b := range bobs {
		eventually(t, "each connection of bob is closed", func() bool { return !b.IsConnected() })
	}
	s.wantOut("acme", "bob", token, creds)
	if alice.post("chat.std.open.lobby.alice", "still here", ""); alice.Stats().Reconnects != 0 {
		t.Error("alice was disconnected with bob")
	}
	for _, b := range bobs {
		if b.IsConnected() {
			t.Error("bob came back")
		}
	}
	var refusals struct {
		Refusals []struct{ User, Code, Reason string }
	}
	eventually(t, "the refusals are kept", func() bool {
		s.call(http.MethodGet, "/v1/tenants/acme/refusals", "").into(t, &refusals)
		return len(refusals.Refusals) >= 6
	})
	if r := refusals.Refusals[0]; r.User != "bob" || r.Code == "" || r.Reason == "" {
		t.Errorf("refusal: got %+v, want bob with a code and a reason", r)
	}

	s.kill()
	s.start()
	s.wantOut("acme", "bob", token, creds)

	s.call(http.MethodPost, "/v1/tenants/acme/users/bob/restore", "")
	for _, opt := range []nats.Option{nats.Token(token), nats.UserCredentials(creds), nats.UserInfo("acme/bob", "bob-password")} {
		p, err := s.dial(s.NATS, "bob", opt)
		if err != nil {
			t.Fatalf("restored bob: %v", err)
		}
		p.post("chat.std.open.lobby.bob", "back", "")
	}
}

func TestConnectionsTellMethodAndUser(t *testing.T) {
	t.Parallel()
	s := house(t)
	s.three("acme", "bob")
	s.peer("acme", "alice")
	var got struct {
		Connections []struct{ User, Method, Address, Server string }
	}
	s.call(http.MethodGet, "/v1/tenants/acme/users/bob/connections", "").into(t, &got)
	methods := map[string]int{}
	for _, c := range got.Connections {
		methods[c.Method]++
		if c.User != "bob" || c.Address == "" || c.Server == "" {
			t.Errorf("connection: got %+v", c)
		}
	}
	if len(got.Connections) != 3 || methods["token"] != 1 || methods["creds"] != 1 || methods["password"] != 1 {
		t.Errorf("bob's connections: got %v, want one of each method", methods)
	}
	s.call(http.MethodGet, "/v1/tenants/acme/connections", "").into(t, &got)
	if len(got.Connections) != 4 {
		t.Errorf("connections: got %d, want 4", len(got.Connections))
	}
}

func TestRightsFollowMembership(t *testing.T) {
	t.Parallel()
	s := house(t)
	const subject = "chat.std.private.board.mallory"
	mallory := s.peer("acme", "mallory")
	rights := mallory.listen("live.user.mallory.*")
	if _, err := mallory.tryPost(subject, "too early", "", 300*time.Millisecond); err == nil {
		t.Fatal("a stranger posted in a private room")
	}

	s.member("acme", "board", "mallory", "member")
	if m := mallory.next(rights); !strings.HasSuffix(m.Subject, ".rights") {
		t.Errorf("notice: got %s, want rights", m.Subject)
	}
	if err := mallory.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	live := mallory.listen("live.std.private.board.*")
	mallory.post(subject, "in", "")
	mallory.next(live)

	for _, step := range []struct {
		name         string
		change, undo func()
	}{
		{"made a reader", func() { s.member("acme", "board", "mallory", "reader") }, func() { s.member("acme", "board", "mallory", "member") }},
		{"removed", func() { s.call(http.MethodDelete, "/v1/tenants/acme/rooms/board/members/mallory", "") }, nil},
	} {
		before := mallory.Stats().Reconnects
		step.change()
		eventually(t, step.name+": the connection is closed and comes back", func() bool {
			return mallory.Stats().Reconnects > before && mallory.IsConnected()
		})
		if _, err := mallory.tryPost(subject, "late", "", 300*time.Millisecond); err == nil {
			t.Errorf("%s: got an acknowledgement", step.name)
		}
		if step.undo != nil {
			step.undo()
			eventually(t, "the rights are back", func() bool {
				if err := mallory.ForceReconnect(); err != nil {
					t.Fatal(err)
				}
				_, err := mallory.tryPost(subject, "in", "", time.Second)
				return err == nil
			})
		}
	}
	other := mallory.listen("live.std.private.board.*")
	mallory.wantDenied("live.std.private.board.*")
	bob := s.peer("acme", "bob")
	bob.post("chat.std.private.board.bob", "without mallory", "")
	mallory.quiet(other)
	if got := s.texts("acme", "board"); strings.Contains(got, "late") || strings.Contains(got, "early") {
		t.Errorf("history: got %s, want no refused post", got)
	}
}

func TestADeletedRoomIsClosedForAll(t *testing.T) {
	t.Parallel()
	s := house(t)
	alice := s.peer("acme", "alice")
	for _, room := range []struct{ id, subject string }{
		{"lobby", "chat.std.open.lobby.alice"}, {"board", "chat.std.private.board.alice"}, {"news", "chat.std.announce.news.alice"},
	} {
		alice.post(room.subject, "before", "")
		s.call(http.MethodDelete, "/v1/tenants/acme/rooms/"+room.id, "")
		if _, err := alice.tryPost(room.subject, "after", "", 300*time.Millisecond); err == nil {
			t.Errorf("post in the deleted %s: got an acknowledgement", room.id)
		}
		if got := alice.ask("history", `{"room":"`+room.id+`"}`); got["code"] != "not_found" {
			t.Errorf("history of the deleted %s: got %v, want not_found", room.id, got)
		}
		if got := s.send(s.token, http.MethodPost, "/v1/tenants/acme/rooms", `{"id":"`+room.id+`","kind":"open"}`); got.status != http.StatusConflict {
			t.Errorf("the id %s again: got %d, want 409", room.id, got.status)
		}
	}
	if n := alice.Stats().Reconnects; n != 0 {
		t.Errorf("alice was disconnected %d times, want none", n)
	}
	s.room("acme", "garden", "open")
	alice.post("chat.std.open.garden.alice", "twin", "")
}

func TestASuspendedTenantIsOutUntilResumed(t *testing.T) {
	t.Parallel()
	s := house(t)
	furnish(s, "umbrella")
	token := s.userToken("acme", "alice")
	alice, other := s.peer("acme", "alice"), s.peer("umbrella", "alice")
	s.call(http.MethodPatch, "/v1/tenants/acme", `{"status":"suspended"}`)
	eventually(t, "alice is out", func() bool { return !alice.IsConnected() })
	if _, err := s.dial(s.NATS, "alice", nats.Token(token)); err == nil {
		t.Error("a user of a suspended tenant got in")
	}
	other.post("chat.std.open.lobby.alice", "untouched", "")
	s.call(http.MethodPatch, "/v1/tenants/acme", `{"status":"active"}`)
	p, err := s.dial(s.NATS, "alice", nats.Token(token))
	if err != nil {
		t.Fatalf("resumed: %v", err)
	}
	p.post("chat.std.open.lobby.alice", "back", "")
}

func TestADeletedTenantIsGone(t *testing.T) {
	t.Parallel()
	s := house(t)
	token := s.userToken("acme", "alice")
	alice := s.peer("acme", "alice")
	alice.post("chat.std.open.lobby.alice", "of the old tenant", "")
	s.call(http.MethodDelete, "/v1/tenants/acme", "")
	eventually(t, "alice is out", func() bool { return !alice.IsConnected() })
	if got := s.send(s.token, http.MethodGet, "/v1/tenants/acme", ""); got.status != http.StatusNotFound {
		t.Errorf("the deleted tenant: got %d, want 404", got.status)
	}
	eventually(t, "the id is free again", func() bool {
		return s.send(s.token, http.MethodPost, "/v1/tenants", `{"id":"acme","name":"New Acme","timezone":"UTC"}`).status == http.StatusCreated
	})
	if _, err := s.dial(s.NATS, "alice", nats.Token(token)); err == nil {
		t.Error("a token of the deleted tenant let its user into the new one")
	}
	s.users("acme", "alice")
	if _, err := s.dial(s.NATS, "alice", nats.Token(token)); err == nil {
		t.Error("a token of the deleted tenant let its user into the new one")
	}
	s.room("acme", "lobby", "open")
	s.peer("acme", "alice").post("chat.std.open.lobby.alice", "new", "")
	if got := s.texts("acme", "lobby"); got != "alice:new" {
		t.Errorf("history: got %q, want the new message alone", got)
	}
}

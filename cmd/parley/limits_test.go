package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// limit sets limits of a tenant.
func (s *server) limit(tenant, limits string) {
	s.t.Helper()
	s.call(http.MethodPatch, "/v1/tenants/"+tenant, `{"limits":`+limits+`}`)
}

// A user who posts too fast is muted for a while, is told once, and nobody else notices.
func TestAFloodingUserIsMutedForAWhile(t *testing.T) { // LIM-06
	t.Parallel()
	s := house(t)
	s.limit("acme", `{"messages_per_second":2}`)
	mallory, alice := s.peer("acme", "mallory"), s.peer("acme", "alice")
	told := mallory.listen("live.user.mallory.refused")
	live := alice.listen("live.std.open.lobby.mallory")
	const subject = "chat.std.open.lobby.mallory"
	acked := 0
	flood := func() bool { // posts until one is not taken
		ack, err := mallory.tryPost(subject, strconv.Itoa(acked), "", 300*time.Millisecond)
		if err != nil || ack.Seq == 0 {
			return false
		}
		acked++
		return true
	}
	for flood() {
		if acked > 5000 {
			t.Fatal("5,000 posts at once were all taken, want a mute after 20 and some")
		}
	}
	if acked < 20 {
		t.Errorf("got a mute after %d posts, want the 20 of a burst", acked)
	}
	mallory.wantDenied("void.over_rate")
	var notice struct {
		Room, Code string
		Seq        uint64
		Until      time.Time
	}
	if err := json.Unmarshal(mallory.next(told).Data, &notice); err != nil {
		t.Fatal(err)
	}
	if notice.Room != "lobby" || notice.Code != "over_rate" || notice.Seq == 0 || notice.Until.IsZero() {
		t.Errorf("notice: got %+v, want the room, over_rate, the post and the end", notice)
	}
	// In every room, and over HTTP; while others post, and he reads.
	for _, other := range []string{"chat.std.private.den.mallory", "chat.std.direct.alice.mallory.mallory"} {
		if err := mallory.PublishRequest(other, "_INBOX.mallory.x", []byte(`{"text":"more"}`)); err != nil {
			t.Fatal(err)
		}
		mallory.wantDenied("void.over_rate")
	}
	if got := s.send(s.token, http.MethodPost, "/v1/tenants/acme/rooms/lobby/messages", `{"as":"mallory","text":"by the back door"}`); got.status != http.StatusTooManyRequests {
		t.Errorf("post over HTTP: got %d %s, want 429", got.status, got.body)
	}
	alice.post("chat.std.open.lobby.alice", "undisturbed", "")
	if got := mallory.ask("history", `{"room":"lobby","limit":1}`); got["ok"] != true {
		t.Errorf("history for the muted user: got %v", got)
	}
	// It ends by itself, though the server was killed meanwhile.
	s.kill()
	s.start()
	mallory = s.peer("acme", "mallory")
	eventually(t, "mallory may post again", func() bool {
		_, err := mallory.tryPost(subject, "again", "", 300*time.Millisecond)
		return err == nil
	})
	// Nothing that was acknowledged is lost, live or in the history.
	for i := range acked {
		if m := alice.next(live); !strings.Contains(string(m.Data), `"`+strconv.Itoa(i)+`"`) {
			t.Fatalf("live message %d: got %s", i, m.Data)
		}
	}
	kept := 0
	for _, m := range s.allHistory("acme", "lobby") {
		if m.Sender == "mallory" && m.Text == strconv.Itoa(kept) {
			kept++
		}
	}
	if kept != acked {
		t.Errorf("history: got %d of the %d posts that were acknowledged", kept, acked)
	}
}

func TestConnectionsOfATenantAreBounded(t *testing.T) {
	t.Parallel()
	s := house(t)
	furnish(s, "umbrella")
	s.limit("acme", `{"connections":3}`)
	var open []*peer
	for _, u := range []string{"alice", "bob", "mallory"} {
		open = append(open, s.peer("acme", u))
	}
	token := s.userToken("acme", "alice")
	_, err := s.dial(s.NATS, "alice", nats.Token(token), nats.NoReconnect())
	if err == nil || !strings.Contains(err.Error(), "maximum account active connections exceeded") {
		t.Errorf("one more than the limit: got %v, want an error that says so", err)
	}
	eventually(t, "the refusal is kept", func() bool { return s.refusalsOf("acme", "alice", "connections_limit") == 1 })
	_, bot := s.serviceKey("acme", "bot")
	s.refusedAs("acme", "bot", "connections_limit", s.NATS, bot, nats.NoReconnect())
	s.peer("umbrella", "alice").post("chat.std.open.lobby.alice", "another tenant", "")
	for _, p := range open {
		if err := p.Flush(); err != nil || p.Stats().Reconnects > 0 {
			t.Errorf("%s was disturbed: %v", p.user, err)
		}
	}
	open[0].Close()
	eventually(t, "who left makes room", func() bool {
		_, err := s.dial(s.NATS, "alice", nats.Token(token), nats.NoReconnect())
		return err == nil
	})
}

func TestConnectionsOfAUserAreBounded(t *testing.T) {
	t.Parallel()
	s := house(t)
	s.limit("acme", `{"connections_per_user":2}`)
	first, second := s.peer("acme", "bob"), s.peer("acme", "bob")
	token := nats.Token(s.userToken("acme", "bob"))
	if _, err := s.dial(s.NATS, "bob", token, nats.NoReconnect()); err == nil || !strings.Contains(err.Error(), "Authorization Violation") {
		t.Errorf("one more than the limit: got %v, want Authorization Violation", err)
	}
	var refusals struct {
		Refusals []struct{ User, Code, Reason string }
	}
	eventually(t, "the refusal is kept", func() bool {
		s.call(http.MethodGet, "/v1/tenants/acme/refusals", "").into(t, &refusals)
		return len(refusals.Refusals) == 1
	})
	if r := refusals.Refusals[0]; r.User != "bob" || r.Code != "connections_per_user" {
		t.Errorf("refusal: got %+v, want bob and connections_per_user", r)
	}
	s.peer("acme", "alice")
	// Who reconnects takes his own place again.
	if err := second.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second is back", func() bool { return second.Stats().Reconnects == 1 && second.Flush() == nil })
	s.call(http.MethodGet, "/v1/tenants/acme/refusals", "").into(t, &refusals)
	if n := len(refusals.Refusals); n != 1 {
		t.Errorf("got %d refusals, want none for a reconnection", n)
	}
	first.Close()
	eventually(t, "who left makes room", func() bool {
		_, err := s.dial(s.NATS, "bob", token, nats.NoReconnect())
		return err == nil
	})
}

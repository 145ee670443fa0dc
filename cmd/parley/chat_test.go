package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// A house is a server with a tenant acme: users alice, bob and mallory; rooms lobby
// (open), board (private: alice, bob), news (announce: alice posts) and alice.bob.
func house(t *testing.T, args ...string) *server {
	t.Helper()
	s := serve(t, args...)
	furnish(s, "acme")
	return s
}

func furnish(s *server, id string) (account, key string) {
	s.t.Helper()
	account, key = s.tenant(id)
	s.users(id, "alice", "bob", "mallory")
	s.room(id, "lobby", "open")
	s.room(id, "board", "private")
	s.room(id, "news", "announce")
	s.room(id, "alice.bob", "direct")
	s.member(id, "board", "alice", "owner")
	s.member(id, "board", "bob", "member")
	s.member(id, "news", "alice", "poster")
	return account, key
}

// history reads the newest messages of a room over HTTP.
func (s *server) history(tenantID, room string) []tenant.Message {
	s.t.Helper()
	var page tenant.HistoryPage
	s.call(http.MethodGet, "/v1/tenants/"+tenantID+"/rooms/"+room+"/messages?limit=1000", "").into(s.t, &page)
	return page.Messages
}

// allHistory reads a whole room, page by page.
func (s *server) allHistory(tenantID, room string) (all []tenant.Message) {
	s.t.Helper()
	for after := uint64(1); ; after = all[len(all)-1].Seq {
		var page tenant.HistoryPage
		s.call(http.MethodGet, fmt.Sprintf("/v1/tenants/%s/rooms/%s/messages?limit=1000&after=%d", tenantID, room, after), "").into(s.t, &page)
		all = append(all, page.Messages...)
		if !page.More {
			return all
		}
	}
}

// texts are the texts of a room's history, in order.
func (s *server) texts(tenantID, room string) string {
	s.t.Helper()
	var all []string
	for _, m := range s.history(tenantID, room) {
		all = append(all, m.Sender+":"+m.Text)
	}
	return strings.Join(all, " ")
}

func TestPostsAreStoredAndDeliveredInOrderToThoseAllowed(t *testing.T) {
	t.Parallel()
	s := house(t)
	alice, bob, mallory := s.peer("acme", "alice"), s.peer("acme", "bob"), s.peer("acme", "mallory")
	for _, room := range []struct {
		subject string // without the sender
		id      string
		posts   []*peer
		hears   []*peer
		mayNot  []*peer // may not post
		deaf    []*peer // may not listen
	}{
		{"std.open.lobby", "lobby", []*peer{alice, bob, mallory}, []*peer{alice, bob, mallory}, nil, nil},
		{"std.private.board", "board", []*peer{alice, bob}, []*peer{alice, bob}, []*peer{mallory}, []*peer{mallory}},
		{"std.announce.news", "news", []*peer{alice}, []*peer{alice, bob, mallory}, []*peer{bob, mallory}, nil},
		{"std.direct.alice.bob", "alice.bob", []*peer{alice, bob}, []*peer{alice, bob}, []*peer{mallory}, []*peer{mallory}},
	} {
		var subs []*nats.Subscription
		for _, p := range room.hears {
			pattern := "live." + room.subject + ".*"
			switch {
			case strings.Contains(room.subject, ".open."), strings.Contains(room.subject, ".announce."):
				pattern = "live.*." + strings.Split(room.subject, ".")[1] + ".*.*"
			case strings.Contains(room.subject, ".direct."):
				pattern = "live.*.direct." + map[string]string{"alice": "alice.*.*", "bob": "*.bob.*"}[p.user]
			}
			subs = append(subs, p.listen(pattern))
		}
		var want []string
		for i := range 5 {
			for _, p := range room.posts {
				text := fmt.Sprintf("%s-%d", p.user, i)
				p.post("chat."+room.subject+"."+p.user, text, "")
				want = append(want, p.user+":"+text)
			}
		}
		for i, p := range room.hears {
			for _, w := range want {
				m := p.next(subs[i])
				sender := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
				if got := sender + ":" + string(m.Data); got != strings.Replace(w, ":", `:{"text":"`, 1)+`"}` {
					t.Errorf("%s in %s: got %s, want %s", p.user, room.id, got, w)
				}
			}
		}
		for _, p := range room.mayNot {
			subject := "chat." + room.subject + "." + p.user
			if _, err := p.tryPost(subject, "intruder", "", 300*time.Millisecond); err == nil {
				t.Errorf("%s posts in %s: got an acknowledgement", p.user, room.id)
			}
			p.wantDenied(subject)
		}
		for _, p := range room.deaf {
			subject := "live." + room.subject + ".*"
			p.listen(subject)
			p.wantDenied(subject)
		}
		if got := s.texts("acme", room.id); got != strings.Join(want, " ") {
			t.Errorf("history of %s: got %s, want %s", room.id, got, strings.Join(want, " "))
		}
	}
}

func TestAPostRepeatedIsStoredOnce(t *testing.T) {
	t.Parallel()
	s := house(t)
	alice := s.peer("acme", "alice")
	live := alice.listen("live.std.open.lobby.*")
	first := alice.post("chat.std.open.lobby.alice", "once", "id-0123456789abcdef0123456789abcdef")
	again := alice.post("chat.std.open.lobby.alice", "once", "id-0123456789abcdef0123456789abcdef")
	if !again.Duplicate || again.Seq != first.Seq {
		t.Errorf("second post: got %+v, want a duplicate of %d", again, first.Seq)
	}
	alice.next(live)
	alice.quiet(live)
	if got := s.texts("acme", "lobby"); got != "alice:once" {
		t.Errorf("history: got %q, want one message", got)
	}
}

func TestTwoTenantsWithTheSameNamesNeverMeet(t *testing.T) {
	t.Parallel()
	s := house(t)
	account, _ := furnish(s, "umbrella")
	acme, umbrella := s.peer("acme", "alice"), s.peer("umbrella", "alice")
	var subs []*nats.Subscription
	for _, subject := range []string{"live.*.open.*.*", "live.std.private.board.*", "live.*.announce.*.*", "live.*.direct.alice.*.*"} {
		subs = append(subs, umbrella.listen(subject))
	}
	for _, room := range []string{"open.lobby", "private.board", "announce.news", "direct.alice.bob"} {
		acme.post("chat.std."+room+".alice", "secret of acme", "")
	}
	for _, sub := range subs {
		umbrella.quiet(sub)
	}
	for _, room := range []string{"lobby", "board", "news", "alice.bob"} {
		if got := s.texts("umbrella", room); got != "" {
			t.Errorf("history of umbrella's %s: got %q, want none", room, got)
		}
		if got := s.texts("acme", room); got != "alice:secret of acme" {
			t.Errorf("history of acme's %s: got %q", room, got)
		}
	}
	for _, subject := range []string{"live." + account + ".std.open.lobby.*", "t." + account + ".std.>", ">", "*.*.*.*.*", "$SYS.>", "$JS.>"} {
		acme.listen(subject)
		acme.wantDenied(`"` + subject + `"`)
	}
	post := "t." + account + ".std.open.lobby.alice"
	if err := acme.Publish(post, []byte(`{"text":"intruder"}`)); err != nil {
		t.Fatal(err)
	}
	acme.wantDenied(post)
	umbrella.post("chat.std.open.lobby.alice", "twin", "")
	if got := s.texts("umbrella", "lobby"); got != "alice:twin" {
		t.Errorf("history of umbrella's lobby: got %q, want the twin alone", got)
	}
}

func TestUnreadCounts(t *testing.T) {
	t.Parallel()
	s := house(t)
	alice, bob := s.peer("acme", "alice"), s.peer("acme", "bob")
	unread := func(p *peer, room string) any {
		t.Helper()
		return p.ask("unread", `{"room":"`+room+`"}`)["unread"]
	}
	var last puback
	for i := range 3 {
		last = alice.post("chat.std.private.board.alice", fmt.Sprint(i), "")
	}
	if got := unread(bob, "board"); got != float64(3) {
		t.Errorf("bob's unread: got %v, want 3", got)
	}
	if got := unread(alice, "board"); got != float64(0) {
		t.Errorf("alice's own posts: got %v unread, want 0", got)
	}
	if got := bob.ask("read", fmt.Sprintf(`{"room":"board","seq":%d}`, last.Seq-1)); got["ok"] != true {
		t.Errorf("read: got %v", got)
	}
	if got := unread(bob, "board"); got != float64(1) {
		t.Errorf("after reading two: got %v unread, want 1", got)
	}
	bob.ask("read", `{"room":"board","seq":1}`)
	if got := unread(bob, "board"); got != float64(1) {
		t.Errorf("after reading backwards: got %v unread, want 1", got)
	}
	bob.post("chat.std.private.board.bob", "answer", "")
	if got := unread(bob, "board"); got != float64(0) {
		t.Errorf("after posting: got %v unread, want 0", got)
	}
	if got := unread(alice, "board"); got != float64(1) {
		t.Errorf("alice's unread: got %v, want 1", got)
	}
}

func TestJoinAndLeave(t *testing.T) {
	t.Parallel()
	s := house(t)
	mallory := s.peer("acme", "mallory")
	mine := func() string {
		var ids []string
		for _, r := range mallory.ask("rooms", `{}`)["rooms"].([]any) {
			ids = append(ids, r.(map[string]any)["id"].(string))
		}
		return strings.Join(ids, " ")
	}
	if got := mine(); got != "" {
		t.Errorf("rooms: got %q, want none", got)
	}
	if got := mallory.ask("join", `{"room":"lobby"}`); got["ok"] != true {
		t.Errorf("join: got %v", got)
	}
	if got := mine(); got != "lobby" {
		t.Errorf("rooms: got %q, want lobby", got)
	}
	if got := mallory.ask("leave", `{"room":"lobby"}`); got["ok"] != true {
		t.Errorf("leave: got %v", got)
	}
	if got := mine(); got != "" {
		t.Errorf("rooms: got %q, want none", got)
	}
	for _, op := range []string{"join", "leave", "members", "history", "unread"} {
		if got := mallory.ask(op, `{"room":"board"}`); got["ok"] != false || got["code"] != "not_found" {
			t.Errorf("%s of a private room: got %v, want not_found", op, got)
		}
	}
}

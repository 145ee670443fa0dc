package chat

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestPostFollowsTheRules(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.room("town", tenant.Open, tenant.Std)
	s.room("news", tenant.Announce, tenant.Std)
	s.room("club", tenant.Private, tenant.Std)
	s.room("cold", tenant.Open, tenant.Std)
	s.room("first", tenant.Open, tenant.Keep) // its stream is not made yet
	s.exec(`UPDATE rooms SET state = 'frozen' WHERE room_id = 'cold'`)
	s.member("news", "bob", tenant.RolePoster, tenant.Joined)
	s.member("club", "bob", tenant.RoleMember, tenant.Joined)
	s.member("club", "carol", tenant.RoleReader, tenant.Joined)
	s.member("town", "carol", tenant.RoleMember, tenant.Banned)
	s.run(s.chat)
	for _, c := range []struct {
		room tenant.RoomID
		as   tenant.UserID
		text string
		want tenant.Code // "": stored
	}{
		{"town", "alice", "hello", ""},
		{"town", "nobody", "hello", tenant.CodeInvalid},
		{"town", "rex", "hello", tenant.CodeInvalid},
		{"town", "carol", "hello", tenant.CodeNotFound},
		{"town", "alice", "", tenant.CodeInvalid},
		{"town", "alice", "a\x00b", tenant.CodeInvalid},
		{"town", "alice", "\xff", tenant.CodeInvalid},
		{"town", "alice", strings.Repeat("x", 4096-len(`{"text":""}`)), ""},
		{"town", "alice", strings.Repeat("x", 4097-len(`{"text":""}`)), tenant.CodeTooLarge},
		{"nowhere", "alice", "hello", tenant.CodeNotFound},
		{"news", "bob", "hello", ""},
		{"news", "alice", "hello", tenant.CodeForbidden},
		{"club", "bob", "hello", ""},
		{"club", "carol", "hello", tenant.CodeForbidden},
		{"club", "alice", "hello", tenant.CodeNotFound},
		{"club", "bot", "hello", ""},
		{"news", "bot", "hello", ""},
		{"cold", "alice", "hello", tenant.CodeForbidden},
		{"first", "alice", "hello", ""},
		{"alice.bob", "alice", "hello", ""},
		{"alice.bob", "carol", "hello", tenant.CodeNotFound},
		{"alice.bob", "bot", "hello", tenant.CodeNotFound},
		{"alice.rex", "alice", "hello", tenant.CodeNotFound},
	} {
		before := query[int](s, `SELECT count(*) FROM messages`)
		seq, err := s.chat.Post(s.ctx(), "acme", c.room, c.as, tenant.PostRequest{Text: c.text})
		if codeOf(err) != c.want || (err == nil) != (seq > 0) || (err != nil && c.want == "") {
			t.Errorf("%s in %s: got %d, %v, want code %q", c.as, c.room, seq, err, c.want)
		}
		if err != nil {
			continue
		}
		if _, err = s.chat.History(s.ctx(), "acme", c.room, tenant.HistoryQuery{}); err != nil {
			t.Error(err)
		}
		if n := query[int](s, `SELECT count(*) FROM messages`); n != before+1 {
			t.Errorf("%s in %s: got %d messages, want %d", c.as, c.room, n, before+1)
		}
	}
	s.exec(`UPDATE tenants SET status = 'suspended'`)
	if _, err := s.chat.Post(s.ctx(), "acme", "town", "alice", tenant.PostRequest{Text: "x"}); err == nil {
		t.Error("a suspended tenant may post")
	}
}

func TestPostWithAnIDIsRepeatable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.room("side", tenant.Open, tenant.Std)
	s.run(s.chat)
	post := func(room tenant.RoomID, as tenant.UserID, id, text string) (uint64, error) {
		return s.chat.Post(s.ctx(), "acme", room, as, tenant.PostRequest{Text: text, ID: id})
	}
	first, err := post("town", "alice", "1", "m1")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the stream's memory, and then from the read model
		if again, err := post("town", "alice", "1", "m1"); err != nil || again != first {
			t.Errorf("repeated: got %d, %v, want %d", again, err, first)
		}
		if _, err := post("town", "alice", "1", "other"); codeOf(err) != tenant.CodeConflict {
			t.Errorf("the id with another text: got %v, want conflict", err)
		}
		s.texts("town")
	}
	for _, c := range []struct {
		room tenant.RoomID
		as   tenant.UserID
		id   string
	}{{"side", "alice", "1"}, {"town", "bob", "1"}, {"town", "alice", "2"}, {"town", "alice", ""}, {"town", "alice", ""}} {
		if seq, err := post(c.room, c.as, c.id, "m1"); err != nil || seq <= first {
			t.Errorf("%+v: got %d, %v, want a message of its own", c, seq, err)
		}
	}
	if got := len(s.texts("town")); got != 5 {
		t.Errorf("got %d messages, want 5", got)
	}
	// Somebody else stored something under the id before: that is not the post.
	who, err := s.chat.caller(s.ctx(), sqlPoster, "acme", "alice")
	if err != nil {
		t.Fatal(err)
	}
	room, err := s.chat.postable(s.ctx(), who, "town")
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDraft(who, room, tenant.PostRequest{Text: "mine", ID: "guessed"})
	if err != nil {
		t.Fatal(err)
	}
	s.store(town.by("bob").Stored(s.tenant.Account), `{"text":"mine"}`, nats.Header{nats.MsgIdHdr: {d.id}})
	if _, err = post("town", "alice", "guessed", "mine"); codeOf(err) != tenant.CodeConflict {
		t.Errorf("an id that somebody took: got %v, want conflict", err)
	}
}

func TestPostIntoAFullStreamSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.room("town", tenant.Open, tenant.Std)
	info, err := s.chat.streamInfo(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std))
	if err != nil || info == nil {
		t.Fatal(err)
	}
	config := info.Config
	config.Discard, config.MaxBytes = 1, 100 // discard new
	if _, err = s.chat.js.UpdateStream(s.ctx(), config); err != nil {
		t.Fatal(err)
	}
	if _, err = s.chat.Post(s.ctx(), "acme", "town", "alice", tenant.PostRequest{Text: strings.Repeat("x", 200)}); codeOf(err) != tenant.CodeLimitReached {
		t.Errorf("got %v, want limit_reached", err)
	}
	s.ensure(tenant.Std)
	if _, err = s.chat.Post(s.ctx(), "acme", "town", "alice", tenant.PostRequest{Text: strings.Repeat("x", 200)}); err != nil {
		t.Errorf("got %v, want it stored", err)
	}
}

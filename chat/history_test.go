package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.room("empty", tenant.Open, tenant.Std)
	s.run(s.chat)
	var seqs []uint64
	for i := 1; i <= 10; i++ {
		seqs = append(seqs, s.post(town.by("alice"), fmt.Sprint(i)))
	}
	s.texts("town")
	for i, seq := range seqs {
		s.exec(`UPDATE messages SET at = $2 WHERE seq = $1`, seq, time.Date(2026, 1, 1, i+1, 0, 0, 0, time.UTC))
	}
	hour := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name string
		room tenant.RoomID
		q    tenant.HistoryQuery
		want string
		more bool
	}{
		{"newest", "town", tenant.HistoryQuery{Limit: 3}, "8 9 10", true},
		{"all", "town", tenant.HistoryQuery{}, "1 2 3 4 5 6 7 8 9 10", false},
		{"exactly all", "town", tenant.HistoryQuery{Limit: 10}, "1 2 3 4 5 6 7 8 9 10", false},
		{"backward", "town", tenant.HistoryQuery{Before: seqs[4], Limit: 3}, "2 3 4", true},
		{"backward to the end", "town", tenant.HistoryQuery{Before: seqs[3], Limit: 3}, "1 2 3", false},
		{"before the first", "town", tenant.HistoryQuery{Before: seqs[0]}, "", false},
		{"forward", "town", tenant.HistoryQuery{After: seqs[4], Limit: 3}, "6 7 8", true},
		{"forward to the end", "town", tenant.HistoryQuery{After: seqs[6], Limit: 3}, "8 9 10", false},
		{"after the last", "town", tenant.HistoryQuery{After: seqs[9]}, "", false},
		{"between", "town", tenant.HistoryQuery{After: seqs[1], Before: seqs[5]}, "3 4 5", false},
		{"since", "town", tenant.HistoryQuery{Since: hour(8)}, "8 9 10", false},
		{"until", "town", tenant.HistoryQuery{Until: hour(3)}, "1 2", false},
		{"since and until, the newest of them", "town", tenant.HistoryQuery{Since: hour(3), Until: hour(8), Limit: 2}, "6 7", true},
		{"forward in time", "town", tenant.HistoryQuery{After: 1, Since: hour(3), Limit: 2}, "3 4", true},
		{"a room without messages", "empty", tenant.HistoryQuery{}, "", false},
	} {
		page, err := s.chat.History(s.ctx(), "acme", c.room, c.q)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, m := range page.Messages {
			got = append(got, m.Text)
		}
		if strings.Join(got, " ") != c.want || page.More != c.more {
			t.Errorf("%s: got %q, more %t, want %q, more %t", c.name, strings.Join(got, " "), page.More, c.want, c.more)
		}
	}
	for _, q := range []tenant.HistoryQuery{{Limit: -1}, {Limit: 1001}, {Before: 1 << 63}} {
		if _, err := s.chat.History(s.ctx(), "acme", "town", q); codeOf(err) != tenant.CodeInvalid {
			t.Errorf("%+v: got %v, want invalid", q, err)
		}
	}
	for _, room := range []tenant.RoomID{"nowhere", "alice.bob"} {
		if _, err := s.chat.History(s.ctx(), "acme", room, tenant.HistoryQuery{}); codeOf(err) != tenant.CodeNotFound {
			t.Errorf("room %s: got %v, want not_found", room, err)
		}
	}
}

func codeOf(err error) tenant.Code {
	if e, ok := tenant.AsError(err); ok {
		return e.Code
	}
	return ""
}

func TestPageOfBoundedBytesSaysMore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	for range 4 {
		s.post(town.by("alice"), strings.Repeat("x", 1000))
	}
	s.texts("town")
	room, err := s.chat.room(s.ctx(), "acme", "town", "alice")
	if err != nil {
		t.Fatal(err)
	}
	for bytes, want := range map[int]int{1: 1, 3000: 2, 100_000: 4} {
		page, err := s.chat.history(s.ctx(), room, tenant.HistoryQuery{Limit: 100}, bytes)
		if err != nil || len(page.Messages) != want || page.More != (want < 4) {
			t.Errorf("%d bytes: got %d messages, more %t, %v, want %d", bytes, len(page.Messages), page.More, err, want)
		}
	}
}

func TestMessageIsReadAsItWasPosted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.exec(`INSERT INTO users (tenant_id, user_id, kind, name, status, created_at) VALUES ('acme', 'null', 'person', '', 'active', now())`)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	to := town.by("alice").Stored(s.tenant.Account)
	first := s.store(to, `{"text":"first"}`, nil).Seq
	s.store(to, fmt.Sprintf(`{"text":"a \"quote\" and <b>","thread":%d,"mentions":["bob","null"],
		"attachments":[{"url":"https://x.example/a","name":"n","type":"image/png","size":7}],"data":{"k":[1,{"z":null}]}}`, first), nil)
	page, err := s.chat.History(s.ctx(), "acme", "town", tenant.HistoryQuery{})
	if err != nil || len(page.Messages) != 2 {
		t.Fatalf("got %+v, %v, want two messages", page, err)
	}
	m := page.Messages[1]
	if page.Messages[0].Replies != 1 || m.Thread != first {
		t.Errorf("got %d replies to thread %d, want 1 to %d", page.Messages[0].Replies, m.Thread, first)
	}
	if m.Text != `a "quote" and <b>` || !slices.Equal(m.Mentions, []tenant.UserID{"bob", "null"}) || string(m.Data) != `{"k": [1, {"z": null}]}` ||
		len(m.Attachments) != 1 || m.Attachments[0] != (tenant.Attachment{URL: "https://x.example/a", Name: "n", Type: "image/png", Size: 7}) {
		t.Errorf("got %+v", m)
	}
	if age := time.Since(m.Time); m.Sender != "alice" || m.N != 2 || age < 0 || age > patience {
		t.Errorf("got sender %s, number %d, time %s", m.Sender, m.N, m.Time)
	}
}

func TestRetentionTrimsTheReadModel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	side := s.room("side", tenant.Open, tenant.Std)
	s.member("town", "bob", tenant.RoleMember, tenant.Joined)
	s.run(s.chat)
	var cut uint64
	for i := 1; i <= 10; i++ {
		seq := s.post(town.by("alice"), fmt.Sprintf("m%d", i))
		if i == 6 {
			cut = seq
		}
		if i == 2 {
			s.post(side.by("alice"), "old")
		}
	}
	s.wantTexts("town", numbered(10)...)
	stream, err := s.chat.js.Stream(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std))
	if err != nil {
		t.Fatal(err)
	}
	if err = stream.Purge(s.ctx(), jetstream.WithPurgeSequence(cut)); err != nil {
		t.Fatal(err)
	}
	s.eventually("the rows are trimmed", func() bool {
		return query[int](s, `SELECT count(*) FROM messages`) == 5 && query[uint64](s, `SELECT first_seq FROM streams`) == cut
	})
	s.wantTexts("town", numbered(10)[5:]...)
	s.wantTexts("side")
	// Bob has read nothing, but what is gone is not unread.
	if v := s.unread("bob", "town"); v.Unread != 5 {
		t.Errorf("unread: got %d, want 5", v.Unread)
	}
	if v := s.unread("bob", "side"); v.Unread != 0 {
		t.Errorf("unread in a room that lost all: got %d, want 0", v.Unread)
	}
	s.post(side.by("alice"), "new")
	s.wantTexts("side", "2:new")
	if v := s.unread("bob", "side"); v.Unread != 1 {
		t.Errorf("unread: got %d, want 1", v.Unread)
	}
}

// unread is a room as a user's list has it.
func (s *site) unread(u tenant.UserID, r tenant.RoomID) roomView {
	s.t.Helper()
	room, err := s.chat.room(s.ctx(), "acme", r, u)
	if err != nil {
		s.t.Fatal(err)
	}
	if err = s.chat.caughtUp(s.ctx(), subject.Stream(s.tenant.Account, room.class)); err != nil {
		s.t.Fatal(err)
	}
	v, err := s.chat.unreadRoom(s.ctx(), caller{tenant: "acme", user: u}, room)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

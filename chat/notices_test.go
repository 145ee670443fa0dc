package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// hear follows one kind of notice of a user.
func (s *site) hear(u tenant.UserID, what string) func() string {
	s.t.Helper()
	sub, err := s.conn.SubscribeSync(subject.PlatformNotice(s.tenant.Account, u, what))
	if err != nil {
		s.t.Fatal(err)
	}
	return func() string {
		s.t.Helper()
		m, err := sub.NextMsgWithContext(s.ctx())
		if err != nil {
			s.t.Fatalf("waiting for %s of %s: %v", what, u, err)
		}
		return string(m.Data)
	}
}

func TestMentionsCountForThoseWhoCanRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	club := s.room("club", tenant.Private, tenant.Std)
	pair := venue{"alice.bob", tenant.Direct, tenant.Std}
	s.member("town", "carol", tenant.RoleMember, tenant.Banned)
	s.member("club", "alice", tenant.RoleMember, tenant.Joined)
	s.member("club", "carol", tenant.RoleReader, tenant.Joined)
	s.run(s.chat)
	heard := s.hear("bob", "mention")
	everybody := `"mentions":["bob","carol","bob","rex","nobody","alice"]`
	for _, c := range []struct {
		at   venue
		want []tenant.UserID
	}{
		{town, []tenant.UserID{"bob", "alice"}},
		{club, []tenant.UserID{"carol", "alice"}},
		{pair, []tenant.UserID{"bob", "alice"}},
	} {
		seq := s.store(c.at.by("alice").Stored(s.tenant.Account), `{"text":"hi",`+everybody+`}`, nil).Seq
		if m := s.one(c.at.room, seq); !slices.Equal(m.Mentions, c.want) {
			t.Errorf("room %s: got mentions %v, want %v", c.at.room, m.Mentions, c.want)
		}
	}
	for _, room := range []string{"town", "alice.bob"} {
		if got := heard(); !strings.Contains(got, `"room":"`+room+`"`) || !strings.Contains(got, `"by":"alice"`) {
			t.Errorf("got the notice %s, want one of %s by alice", got, room)
		}
	}
	if v := s.unread("bob", "town"); v.Mentions != 1 {
		t.Errorf("bob: got %d mentions, want 1", v.Mentions)
	}
	if v := s.unread("alice", "town"); v.Mentions != 0 {
		t.Errorf("alice, who spoke of herself: got %d mentions, want 0", v.Mentions)
	}
	s.must("alice", "delete", `{"room":"town","seq":%d}`, s.messages("town")[0].Seq)
	if v := s.unread("bob", "town"); v.Mentions != 0 {
		t.Errorf("after the delete: got %d mentions, want 0", v.Mentions)
	}
}

func TestReadingOnOneDeviceTellsTheOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.member("town", "alice", tenant.RoleMember, tenant.Joined)
	s.member("town", "bob", tenant.RoleMember, tenant.Joined)
	s.run(s.chat)
	other, receipt := s.hear("bob", "unread"), s.hear("alice", "read")
	first := s.post(town.by("alice"), "m1")
	last := s.post(town.by("alice"), "m2")
	s.must("bob", "read", `{"room":"town","seq":%d}`, first)
	if got, want := other(), fmt.Sprintf(`{"room":"town","unread":1,"mentions":0,"last":%d,"read":%d}`, last, first); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := receipt(), fmt.Sprintf(`{"room":"town","read":{"bob":%d}}`, first); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.must("bob", "read", `{"room":"town","seq":%d}`, first) // no news
	s.must("bob", "read", `{"room":"town","seq":%d}`, last)
	if got := other(); !strings.Contains(got, `"unread":0`) {
		t.Errorf("got %s, want nothing unread", got)
	}
	if got := receipt(); !strings.Contains(got, fmt.Sprint(last)) {
		t.Errorf("got %s, want %d", got, last)
	}
	var members membersAnswer
	if err := json.Unmarshal(s.must("alice", "members", `{"room":"town"}`), &members); err != nil {
		t.Fatal(err)
	}
	if len(members.Members) != 2 || members.Members[0].Read != last || members.Members[1].Read != last {
		t.Errorf("got %+v, want both read up to %d", members.Members, last)
	}
	// Nobody is told in a large room.
	s.exec(`INSERT INTO users (tenant_id, user_id, kind, name, status, created_at)
		SELECT 'acme', 'u' || i, 'person', '', 'active', now() FROM generate_series(1, $1) i`, maxReceiptMembers)
	s.exec(`INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT room_pk, 'acme', 'u' || i, 'member', 'joined', now() FROM rooms, generate_series(1, $1) i`, maxReceiptMembers)
	var many membersAnswer
	if err := json.Unmarshal(s.must("alice", "members", `{"room":"town"}`), &many); err != nil {
		t.Fatal(err)
	}
	for _, m := range many.Members {
		if m.Read != 0 {
			t.Errorf("got %+v in a large room, want no read position", m)
		}
	}
}

func TestPostTakesAllThatAMessageHas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	other := s.room("other", tenant.Open, tenant.Std)
	s.run(s.chat)
	root, elsewhere := s.post(town.by("alice"), "root"), s.post(other.by("alice"), "elsewhere")
	file := tenant.Attachment{URL: "https://x.example/a.png", Name: "a.png", Type: "image/png", Size: 3}
	full := tenant.PostRequest{
		Text: "reply", ID: "one", Thread: root, Mentions: []tenant.UserID{"alice"},
		Attachments: []tenant.Attachment{file}, Data: json.RawMessage(`{"k": [1, "v"]}`),
	}
	post := func(m tenant.PostRequest) (uint64, error) { return s.chat.Post(s.ctx(), "acme", "town", "bob", m) }
	reply, err := post(full)
	if err != nil {
		t.Fatal(err)
	}
	m := s.one("town", reply)
	if m.Thread != root || !slices.Equal(m.Mentions, full.Mentions) || !slices.Equal(m.Attachments, full.Attachments) || string(m.Data) != `{"k": [1, "v"]}` {
		t.Errorf("got %+v, want %+v", m, full)
	}
	for _, c := range []struct {
		field string // "": taken
		m     tenant.PostRequest
	}{
		{"", tenant.PostRequest{Attachments: []tenant.Attachment{file}}},
		{"", tenant.PostRequest{Data: json.RawMessage(`{}`)}},
		{"text", tenant.PostRequest{Thread: root}},
		{"thread", tenant.PostRequest{Text: "x", Thread: reply}},
		{"thread", tenant.PostRequest{Text: "x", Thread: elsewhere}},
		{"thread", tenant.PostRequest{Text: "x", Thread: 1 << 60}},
		{"mentions", tenant.PostRequest{Text: "x", Mentions: make([]tenant.UserID, 10_000)}},
		{"mentions[0]", tenant.PostRequest{Text: "x", Mentions: []tenant.UserID{"*"}}},
		{"attachments", tenant.PostRequest{Attachments: make([]tenant.Attachment, maxAttachments+1)}},
		{"attachments[1]", tenant.PostRequest{Attachments: []tenant.Attachment{file, {URL: "javascript:alert(1)"}}}},
		{"attachments[0]", tenant.PostRequest{Attachments: []tenant.Attachment{{URL: "https://x.example/", Size: -1}}}},
		{"data", tenant.PostRequest{Text: "x", Data: json.RawMessage(`[1]`)}},
		{"data", tenant.PostRequest{Text: "x", Data: json.RawMessage(`{"a":1,"a":2}`)}},
		{"data", tenant.PostRequest{Text: "x", Data: json.RawMessage(`{"a":"\u0000"}`)}},
	} {
		_, err := post(c.m)
		if e, ok := tenant.AsError(err); (err == nil) != (c.field == "") || err != nil && (!ok || e.Fields[c.field] == "") {
			t.Errorf("%+v: got %v, want a refusal of %q", c.m, err, c.field)
		}
	}
	if again, err := post(full); err != nil || again != reply {
		t.Errorf("the same again: got %d, %v, want %d", again, err, reply)
	}
	s.must("bob", "edit", `{"room":"town","seq":%d,"text":"edited"}`, reply)
	if again, err := post(full); err != nil || again != reply {
		t.Errorf("the same again after an edit: got %d, %v, want %d", again, err, reply)
	}
	page, err := s.chat.History(s.ctx(), "acme", "town", tenant.HistoryQuery{Thread: root})
	if err != nil || len(page.Messages) != 1 || page.Messages[0].Seq != reply {
		t.Errorf("the thread: got %+v, %v, want the reply alone", page, err)
	}
	for _, q := range []string{`"thread":%d`, `"thread":%d,"after":1`} {
		var answer tenant.HistoryPage
		if err := json.Unmarshal(s.must("alice", "history", `{"room":"town",`+q+`}`, root), &answer); err != nil || len(answer.Messages) != 1 {
			t.Errorf("the thread over NATS: got %+v, %v, want the reply alone", answer, err)
		}
	}
}

func TestTooManyMentionsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	refused := s.hear("alice", "refused")
	body := `{"text":"x","mentions":["bob"` + strings.Repeat(`,"bob"`, maxMentions) + `]}`
	s.store(town.by("alice").Stored(s.tenant.Account), body, nats.Header{nats.MsgIdHdr: {s.newID()}})
	if got := refused(); !strings.Contains(got, refusedBody) {
		t.Errorf("got %s, want %s", got, refusedBody)
	}
	s.wantTexts("town")
}

package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// op carries out one operation as a user and returns the answer, or the code of the refusal.
func (s *site) op(u tenant.UserID, op, request string) (json.RawMessage, tenant.Code) {
	s.t.Helper()
	var m *nats.Msg
	s.eventually(op+" is answered", func() (done bool) {
		var err error
		m, err = s.conn.RequestWithContext(s.ctx(), "t."+s.tenant.Account+".api."+string(u)+"."+op, []byte(request))
		if err != nil && !errors.Is(err, nats.ErrNoResponders) { // the service has yet to begin
			s.t.Fatalf("%s as %s: %v", op, u, err)
		}
		return err == nil
	})
	var answer struct {
		OK   bool        `json:"ok"`
		Code tenant.Code `json:"code"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		s.t.Fatalf("%s as %s: got %s, %v", op, u, m.Data, err)
	}
	return m.Data, answer.Code
}

// must is op that is carried out.
func (s *site) must(u tenant.UserID, op, format string, args ...any) json.RawMessage {
	s.t.Helper()
	answer, code := s.op(u, op, fmt.Sprintf(format, args...))
	if code != "" {
		s.t.Fatalf("%s as %s: got %s, want it done", op, u, answer)
	}
	return answer
}

// messages are all of a room as the tenant reads them, events too.
func (s *site) messages(r tenant.RoomID) []tenant.Message {
	s.t.Helper()
	page, err := s.chat.History(s.ctx(), "acme", r, tenant.HistoryQuery{Limit: tenant.MaxHistory})
	if err != nil {
		s.t.Fatalf("History of %s: %v", r, err)
	}
	return page.Messages
}

func (s *site) one(r tenant.RoomID, seq uint64) tenant.Message {
	s.t.Helper()
	all := s.messages(r)
	at := slices.IndexFunc(all, func(m tenant.Message) bool { return m.Seq == seq })
	if at < 0 {
		s.t.Fatalf("room %s has no message %d", r, seq)
	}
	return all[at]
}

func TestEditsDeletesAndReactionsFollowTheRules(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	cold := s.room("cold", tenant.Open, tenant.Std)
	club := s.room("club", tenant.Private, tenant.Std)
	s.member("town", "carol", tenant.RoleModerator, tenant.Joined)
	s.member("cold", "carol", tenant.RoleModerator, tenant.Joined)
	s.member("club", "bob", tenant.RoleMember, tenant.Joined)
	s.member("club", "carol", tenant.RoleReader, tenant.Joined)
	s.run(s.chat)
	hers := s.post(town.by("alice"), "hers")
	second := s.post(town.by("alice"), "second")
	gone := s.post(town.by("alice"), "gone")
	frozen := s.post(cold.by("alice"), "frozen")
	inside := s.post(club.by("bob"), "inside")
	s.announce("town", `{"event":"pinned","seq":1}`)
	if err := s.chat.PublishEvents(s.ctx(), tenant.PublishEvents{Tenant: "acme", Room: "town"}); err != nil {
		t.Fatal(err)
	}
	s.must("alice", "delete", `{"room":"town","seq":%d}`, gone)
	s.exec(`UPDATE rooms SET state = 'frozen', changed_at = now() WHERE room_id = 'cold'`)
	event := s.messages("town")[3].Seq
	long := strings.Repeat("x", 4096)
	for _, c := range []struct {
		op, as, room string
		seq          uint64
		more         string
		want         tenant.Code // "": done
	}{
		{"edit", "bob", "town", hers, `"text":"mine now"`, tenant.CodeForbidden},
		{"edit", "carol", "town", hers, `"text":"a moderator's"`, tenant.CodeForbidden},
		{"edit", "alice", "town", inside, `"text":"of another room"`, tenant.CodeNotFound},
		{"edit", "alice", "town", event, `"text":"of an event"`, tenant.CodeNotFound},
		{"edit", "alice", "town", gone, `"text":"of a deleted one"`, tenant.CodeInvalid},
		{"edit", "alice", "town", 0, `"text":"of none"`, tenant.CodeInvalid},
		{"edit", "alice", "town", 1 << 60, `"text":"beyond"`, tenant.CodeInvalid},
		{"edit", "alice", "town", hers, `"text":""`, tenant.CodeInvalid},
		{"edit", "alice", "town", hers, `"text":"a\u0000b"`, tenant.CodeInvalid},
		{"edit", "alice", "town", hers, `"text":"` + long + `"`, tenant.CodeTooLarge},
		{"edit", "alice", "cold", frozen, `"text":"thawed"`, tenant.CodeForbidden},
		{"edit", "alice", "club", inside, `"text":"from outside"`, tenant.CodeNotFound},
		{"edit", "alice", "town", hers, `"text":"better"`, ""},
		{"edit", "alice", "town", hers, `"text":"better"`, ""},
		{"delete", "bob", "town", hers, ``, tenant.CodeForbidden},
		{"delete", "alice", "town", event, ``, tenant.CodeNotFound},
		{"delete", "alice", "cold", frozen, ``, tenant.CodeForbidden},
		{"delete", "carol", "cold", frozen, ``, ""},
		{"delete", "carol", "club", inside, ``, tenant.CodeForbidden},
		{"delete", "alice", "club", inside, ``, tenant.CodeNotFound},
		{"delete", "alice", "town", gone, ``, ""},
		{"react", "bob", "town", hers, `"emoji":"good"`, tenant.CodeInvalid},
		{"react", "bob", "town", gone, `"emoji":"👍"`, tenant.CodeInvalid},
		{"react", "bob", "town", event, `"emoji":"👍"`, tenant.CodeNotFound},
		{"react", "alice", "club", inside, `"emoji":"👍"`, tenant.CodeNotFound},
		{"react", "alice", "cold", frozen, `"emoji":"👍"`, tenant.CodeForbidden},
		{"react", "carol", "club", inside, `"emoji":"👍"`, tenant.CodeForbidden}, // a reader
		{"react", "bob", "town", hers, `"emoji":"👍"`, ""},
		{"react", "alice", "town", hers, `"emoji":"👍"`, ""},
		{"react", "alice", "town", hers, `"emoji":"👍"`, ""},
		{"react", "bob", "town", hers, `"emoji":"👎","remove":true`, ""},
		{"delete", "carol", "town", second, ``, ""},
	} {
		request := fmt.Sprintf(`{"room":%q,"seq":%d`, c.room, c.seq)
		if c.more != "" {
			request += "," + c.more
		}
		before := s.messages("town")
		answer, code := s.op(tenant.UserID(c.as), c.op, request+"}")
		if code != c.want {
			t.Errorf("%s by %s of %d in %s: got %s, want code %q", c.op, c.as, c.seq, c.room, answer, c.want)
		}
		if after := s.messages("town"); c.want != "" && len(after) != len(before) {
			t.Errorf("%s by %s of %d in %s was refused and left something in the room", c.op, c.as, c.seq, c.room)
		}
	}
	m := s.one("town", hers)
	if m.Text != "better" || m.Edited.IsZero() || !slices.Equal(m.Reactions["👍"], []tenant.UserID{"bob", "alice"}) || len(m.Reactions) != 1 {
		t.Errorf("got %+v, want the new text and the reactions of bob and alice", m)
	}
	if m = s.one("town", second); m.Text != "" || m.Deleted.IsZero() || m.Sender != "alice" || m.N != 2 {
		t.Errorf("got %+v, want a tombstone", m)
	}
}

func TestDeletedTextIsGoneEverywhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	stop := s.run(s.chat)
	to := town.by("alice").Stored(s.tenant.Account)
	seq := s.store(to, `{"text":"secret one","mentions":["bob"],"attachments":[{"url":"https://x.example/secret"}],"data":{"k":"secret"}}`, nil).Seq
	kept := s.post(town.by("bob"), "kept")
	s.must("bob", "react", `{"room":"town","seq":%d,"emoji":"👍"}`, seq)
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"secret two"}`, seq)
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"secret three"}`, seq)
	var answer messageAnswer
	if err := json.Unmarshal(s.must("alice", "delete", `{"room":"town","seq":%d}`, seq), &answer); err != nil {
		t.Fatal(err)
	}
	m := answer.Message
	if m.Seq != seq || m.N != 1 || m.Sender != "alice" || m.Deleted.IsZero() ||
		m.Text != "" || m.Attachments != nil || m.Data != nil || m.Mentions != nil || m.Reactions != nil {
		t.Errorf("got %+v, want a tombstone", m)
	}
	if n := query[int](s, `SELECT count(*) FROM messages m WHERE m::text LIKE '%secret%'`); n != 0 {
		t.Errorf("got %d rows with the text, want none", n)
	}
	stream := subject.Stream(s.tenant.Account, tenant.Std)
	s.eventually("the text is erased from the stream", func() bool {
		for _, m := range s.messages("town") {
			raw, err := s.chat.leaderGet(s.ctx(), stream, m.Seq)
			if err == nil && strings.Contains(string(raw.Data), "secret") {
				return false
			}
			if err != nil && !isJS(err, jsNoMessage) {
				t.Fatal(err)
			}
		}
		return query[int](s, `SELECT count(*) FROM erasures`) == 0
	})
	if _, err := s.chat.leaderGet(s.ctx(), stream, kept); err != nil {
		t.Errorf("the message beside it: got %v, want it still there", err)
	}
	// The first message of the stream was erased: that is not retention, and its tombstone stays.
	info, err := s.chat.streamInfo(s.ctx(), stream)
	if err != nil || info.State.FirstSeq != kept {
		t.Fatalf("got the first sequence %d, %v, want %d", info.State.FirstSeq, err, kept)
	}
	s.eventually("the checker has seen it", func() bool { return query[uint64](s, `SELECT first_seq FROM streams`) == kept })
	if m := s.one("town", seq); m.Deleted.IsZero() {
		t.Errorf("got %+v, want the tombstone", m)
	}
	// When what is behind it goes, it goes too.
	stop()
	if err := s.chat.deleteMessage(s.ctx(), stream, kept, false); err != nil {
		t.Fatal(err)
	}
	s.run(s.chat)
	s.eventually("retention takes both", func() bool {
		return query[int](s, `SELECT count(*) FROM messages WHERE seq <= $1`, kept) == 0
	})
}

func TestOldTextOfAnEditIsGoneEverywhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	s.exec(`INSERT INTO holds (tenant_id, room_id, reason, placed_at) VALUES ('acme', 'town', 'case 7', now())`)
	first := s.post(town.by("alice"), "secret one")
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"secret two"}`, first)
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"harmless"}`, first)
	stream := subject.Stream(s.tenant.Account, tenant.Std)
	s.eventually("the old texts are erased from the stream", func() bool {
		return query[int](s, `SELECT count(*) FROM erasures`) == 0
	})
	all := s.messages("town")
	for _, m := range all[:2] {
		if raw, err := s.chat.leaderGet(s.ctx(), stream, m.Seq); !isJS(err, jsNoMessage) {
			t.Errorf("sequence %d of the stream: got %s, %v, want nothing", m.Seq, raw.Data, err)
		}
	}
	if raw, err := s.chat.leaderGet(s.ctx(), stream, all[2].Seq); err != nil || !strings.Contains(string(raw.Data), "harmless") {
		t.Errorf("the newest edit: got %s, %v, want it in the stream", raw.Data, err)
	}
	if m := s.one("town", first); m.Text != "harmless" || m.N != 1 || m.Edited.IsZero() {
		t.Errorf("got %+v, want the new text", m)
	}
	if n := query[int](s, `SELECT count(*) FROM messages m WHERE m::text LIKE '%secret%'`); n != 0 {
		t.Errorf("got %d rows with an old text, want none", n)
	}
	for _, held := range []string{"secret one", "secret two"} {
		if n := query[int](s, `SELECT count(*) FROM held_messages WHERE text = $1`, held); n != 1 {
			t.Errorf("held copies of %q: got %d, want 1", held, n)
		}
	}
}

// The records are lost, the stream is not: the projector reads it again.
func TestEditedMessagesComeAgainFromTheirEdits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	stop := s.run(s.chat)
	to := town.by("alice").Stored(s.tenant.Account)
	before := s.post(town.by("bob"), "before")
	root := s.post(town.by("bob"), "root")
	rich := s.store(to, fmt.Sprintf(`{"text":"old","thread":%d,"mentions":["bob"],"attachments":[{"url":"https://x.example/a"}],"data":{"k":1}}`, root),
		nats.Header{nats.MsgIdHdr: {s.newID()}}).Seq
	second := s.post(town.by("alice"), "old too")
	behind := s.post(town.by("bob"), "behind")
	s.must("carol", "read", `{"room":"town","seq":%d}`, behind)
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"new too"}`, second)
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"new"}`, rich)
	s.eventually("the old texts are erased", func() bool { return query[int](s, `SELECT count(*) FROM erasures`) == 0 })
	want := s.messages("town")
	stop()
	// As a backup of before has it: the cursor, the first message and what depends on it.
	s.exec(`DELETE FROM messages WHERE seq > $1`, before)
	s.exec(`UPDATE room_heads SET last_n = 1, last_seq = $1`, before)
	s.exec(`UPDATE streams SET last_seq = $1`, before)
	s.exec(`DELETE FROM read_positions`)
	s.chat = s.newChat(s.conn, s.pool)
	s.run(s.chat)
	got := s.messages("town")
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
		t.Errorf("got %s, want %s", a, b)
	}
	if found := s.find("alice", `{"query":"new"}`); len(found) != 2 {
		t.Errorf("search of the new texts: got %q, want both", found)
	}
	if v := s.unread("alice", "town"); v.Unread != 1 || v.First != behind {
		t.Errorf("got %+v, want 1 unread, %d", v, behind)
	}
	if n := query[int](s, `SELECT count(*) FROM refused_posts`); n != 0 {
		t.Errorf("got %d refused posts, want none", n)
	}
}

func TestUnreadLeavesOutDeletedMessages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	var seqs []uint64
	for i := range 6 {
		seqs = append(seqs, s.post(town.by("alice"), fmt.Sprintf("m%d", i+1)))
	}
	s.must("bob", "read", `{"room":"town","seq":%d}`, seqs[1])
	s.must("alice", "delete", `{"room":"town","seq":%d}`, seqs[0]) // read already
	s.must("alice", "delete", `{"room":"town","seq":%d}`, seqs[2])
	s.must("alice", "delete", `{"room":"town","seq":%d}`, seqs[4])
	if v := s.unread("bob", "town"); v.Unread != 2 || v.First != seqs[3] || v.Last != seqs[5] {
		t.Errorf("got %+v, want 2 unread from %d", v, seqs[3])
	}
	s.must("bob", "read", `{"room":"town","seq":%d}`, seqs[4])
	if v := s.unread("bob", "town"); v.Unread != 1 || v.First != seqs[5] {
		t.Errorf("got %+v, want 1 unread, %d", v, seqs[5])
	}
	s.must("alice", "delete", `{"room":"town","seq":%d}`, seqs[5])
	if v := s.unread("bob", "town"); v.Unread != 0 || v.First != 0 {
		t.Errorf("got %+v, want nothing unread", v)
	}
	s.member("town", "bob", tenant.RoleMember, tenant.Joined)
	var all unreadAnswer
	if err := json.Unmarshal(s.must("bob", "unread", `{}`), &all); err != nil || all.Unread != 0 || len(all.Rooms) != 0 {
		t.Errorf("got %+v, %v, want no room with something unread", all, err)
	}
}

func TestThreadsAreOneDeepAndCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	other := s.room("other", tenant.Open, tenant.Std)
	to := town.by("bob").Stored(s.tenant.Account)
	elsewhere := s.post(other.by("bob"), "elsewhere")
	root := s.post(town.by("alice"), "root") // before there is a projector: all of it is one batch
	reply := s.store(to, fmt.Sprintf(`{"text":"reply","thread":%d}`, root), nil).Seq
	refused := map[string]uint64{
		"to a reply":             s.store(to, fmt.Sprintf(`{"text":"no","thread":%d}`, reply), nil).Seq,
		"to another room's":      s.store(to, fmt.Sprintf(`{"text":"no","thread":%d}`, elsewhere), nil).Seq,
		"to a message not there": s.store(to, fmt.Sprintf(`{"text":"no","thread":%d}`, root+1000), nil).Seq,
		"to one long ago":        s.store(to, `{"text":"no","thread":1}`, nil).Seq,
	}
	notices, err := s.conn.SubscribeSync(subject.PlatformNotice(s.tenant.Account, "bob", "refused"))
	if err != nil {
		t.Fatal(err)
	}
	s.run(s.chat)
	s.store(to, fmt.Sprintf(`{"text":"second reply","thread":%d}`, root), nil)
	if m := s.one("town", root); m.Replies != 2 {
		t.Errorf("got %d replies, want 2", m.Replies)
	}
	for range refused {
		m, err := notices.NextMsgWithContext(s.ctx())
		if err != nil || !strings.Contains(string(m.Data), refusedThread) {
			t.Errorf("got %v, %v, want a notice with %s", m, err, refusedThread)
		}
	}
	for what, seq := range refused {
		if n := query[int](s, `SELECT count(*) FROM messages WHERE seq = $1`, seq); n != 0 {
			t.Errorf("a reply %s was projected", what)
		}
	}
	s.must("bob", "delete", `{"room":"town","seq":%d}`, reply)
	s.must("bob", "delete", `{"room":"town","seq":%d}`, reply)
	if m := s.one("town", root); m.Replies != 1 {
		t.Errorf("after a delete: got %d replies, want 1", m.Replies)
	}
	s.must("alice", "delete", `{"room":"town","seq":%d}`, root)
	if m := s.one("town", root); m.Replies != 1 || m.Deleted.IsZero() {
		t.Errorf("got %+v, want a tombstone with its reply", m)
	}
}

func TestBackendsEditDeleteAndReact(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	club := s.room("club", tenant.Private, tenant.Std)
	s.member("club", "alice", tenant.RoleMember, tenant.Joined)
	s.member("club", "bob", tenant.RoleMember, tenant.Joined)
	s.run(s.chat)
	seq := s.post(club.by("alice"), "first")
	if m, err := s.chat.EditMessage(s.ctx(), "acme", "club", "alice", seq, "second"); err != nil || m.Text != "second" {
		t.Errorf("edit: got %+v, %v, want the new text", m, err)
	}
	if _, err := s.chat.EditMessage(s.ctx(), "acme", "club", "bob", seq, "third"); codeOf(err) != tenant.CodeForbidden {
		t.Errorf("edit by another: got %v, want forbidden", err)
	}
	if m, err := s.chat.React(s.ctx(), "acme", "club", "bob", seq, "👍", false); err != nil || len(m.Reactions["👍"]) != 1 {
		t.Errorf("react: got %+v, %v, want a reaction", m, err)
	}
	if _, err := s.chat.React(s.ctx(), "acme", "club", "rex", seq, "👍", false); codeOf(err) != tenant.CodeInvalid {
		t.Errorf("react as a revoked user: got %v, want invalid", err)
	}
	if err := s.chat.DeleteMessage(s.ctx(), tenant.Operator(), "acme", "club", "bob", seq); codeOf(err) != tenant.CodeForbidden {
		t.Errorf("delete by another: got %v, want forbidden", err)
	}
	if err := s.chat.DeleteMessage(s.ctx(), tenant.Operator(), "other", "club", "", seq); err == nil {
		t.Error("another tenant deleted the message")
	}
	if m := s.one("club", seq); m.Text != "second" {
		t.Errorf("got %+v, want it as it was", m)
	}
	if err := s.chat.PinMessage(s.ctx(), tenant.Operator(), "acme", "club", seq+1, true); codeOf(err) != tenant.CodeNotFound {
		t.Errorf("pin what is not there: got %v, want not found", err)
	}
	if err := s.chat.DeleteMessage(s.ctx(), tenant.Operator(), "acme", "club", "", seq); err != nil {
		t.Errorf("delete by the tenant: got %v, want nil", err)
	}
	if noted := s.chat.rooms.(*fakeRooms).noted; !slices.Equal(noted, []uint64{seq}) {
		t.Errorf("got %d noted, want the tenant's own deletion alone", noted)
	}
	if m := s.one("club", seq); m.Deleted.IsZero() || m.Text != "" {
		t.Errorf("got %+v, want a tombstone", m)
	}
	if err := s.chat.PinMessage(s.ctx(), tenant.Operator(), "acme", "club", seq, true); err == nil {
		t.Error("a deleted message was pinned")
	}
}

// A stream read again from its beginning gives the same: what events do depends on their order alone.
func TestOneBatchFoldsLikeMany(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	system := town.by(tenant.System).Stored(s.tenant.Account)
	a := s.post(town.by("alice"), "a")
	b := s.post(town.by("alice"), "b")
	c := s.store(town.by("bob").Stored(s.tenant.Account), fmt.Sprintf(`{"text":"c","thread":%d}`, a), nil).Seq
	for _, e := range []string{
		`{"event":"edited","by":"alice","seq":%[1]d,"text":"a2"}`,
		`{"event":"reaction","by":"bob","seq":%[1]d,"emoji":"👍","on":true}`,
		`{"event":"reaction","by":"bob","seq":%[1]d,"emoji":"👍","on":true}`,
		`{"event":"reaction","by":"carol","seq":%[1]d,"emoji":"👍","on":true}`,
		`{"event":"reaction","by":"bob","seq":%[1]d,"emoji":"👍","on":false}`,
		`{"event":"edited","by":"alice","seq":%[1]d,"text":"a3"}`,
		`{"event":"deleted","by":"alice","seq":%[2]d}`,
		`{"event":"edited","by":"alice","seq":%[2]d,"text":"too late"}`,
		`{"event":"reaction","by":"bob","seq":%[2]d,"emoji":"👍","on":true}`,
		`{"event":"deleted","by":"alice","seq":%[2]d}`,
		`{"event":"deleted","by":"bob","seq":%[3]d}`,
		`{"event":"edited","by":"alice","seq":12345,"text":"nowhere"}`,
	} {
		s.store(system, fmt.Sprintf(e, a, b, c)+strings.Repeat(" ", 3), nil)
	}
	s.run(s.chat)
	type state struct {
		n, replies   int64
		text, deled  string
		reactions    int
		event, names string
	}
	var got []state
	for _, m := range s.messages("town") {
		one := state{n: m.N, replies: int64(m.Replies), text: m.Text, reactions: len(m.Reactions["👍"])}
		if !m.Deleted.IsZero() {
			one.deled = "deleted"
		}
		for _, u := range m.Reactions["👍"] {
			one.names += string(u)
		}
		if m.Event != nil {
			var e tenant.Event
			_ = json.Unmarshal(m.Event, &e)
			one.event = string(e.Event) + e.Text
		}
		got = append(got, one)
	}
	want := []state{
		{n: 1, text: "a3", reactions: 1, names: "carol"},
		{n: 2, deled: "deleted"},
		{n: 3, deled: "deleted"},
		{event: "edited"},
		{event: "reaction"},
		{event: "reaction"},
		{event: "reaction"},
		{event: "editeda3"},
		{event: "deleted"},
		{event: "deleted"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReactionsAreBounded(t *testing.T) {
	t.Parallel()
	var m target
	for i := range maxEmoji {
		if !m.react("alice", string(rune('😀'+i)), true) {
			t.Fatalf("emoji %d was refused", i)
		}
	}
	if m.react("alice", "🎉", true) {
		t.Error("one more emoji was taken")
	}
	for i := range maxReactions - maxEmoji {
		if !m.react(tenant.UserID(fmt.Sprintf("u%d", i)), "😀", true) {
			t.Fatalf("reaction %d was refused", i)
		}
	}
	if m.react("bob", "😀", true) {
		t.Error("one more reaction was taken")
	}
	if !m.react("alice", "😀", false) || !m.react("bob", "😀", true) || m.react("bob", "😀", true) {
		t.Error("a reaction that was taken away makes no room for one other")
	}
}

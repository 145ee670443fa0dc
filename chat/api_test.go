package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley/tenant"
	"parley/tenant/subject"
)

// ask makes one request of the chat API as the import of a tenant's account forwards it.
func (s *site) ask(user, op, body string) (answer map[string]any, raw string) {
	s.t.Helper()
	m, err := s.conn.RequestWithContext(s.ctx(), "t."+s.tenant.Account+".api."+user+"."+op, []byte(body))
	if err != nil {
		s.t.Fatalf("%s as %s: %v", op, user, err)
	}
	if len(m.Header) > 0 {
		s.t.Errorf("%s: the answer has headers %v, want none", op, m.Header)
	}
	if err = json.Unmarshal(m.Data, &answer); err != nil {
		s.t.Fatalf("%s: got %q: %v", op, m.Data, err)
	}
	return answer, string(m.Data)
}

// serving waits until the service of a running chat answers.
func (s *site) serving() {
	s.t.Helper()
	s.eventually("the chat API answers", func() bool {
		_, err := s.conn.Request("t."+s.tenant.Account+".api.alice.whoami", []byte("{}"), time.Second)
		return err == nil
	})
}

func TestChatAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	club := s.room("club", tenant.Private, tenant.Std)
	s.room("news", tenant.Announce, tenant.Std)
	s.room("secret", tenant.Private, tenant.Std)
	s.room("old", tenant.Open, tenant.Std)
	s.exec(`UPDATE rooms SET state = 'deleted' WHERE room_id = 'old'`)
	s.member("club", "alice", tenant.RoleOwner, tenant.Joined)
	s.member("club", "bob", tenant.RoleMember, tenant.Joined)
	s.member("club", "carol", tenant.RoleMember, tenant.Invited)
	s.member("town", "carol", tenant.RoleMember, tenant.Banned)
	s.run(s.chat)
	s.serving()
	one := s.post(town.by("bob"), "m1")
	two := s.store(club.by("bob").Stored(s.tenant.Account), `{"text":"hi","mentions":["alice"]}`, nil).Seq
	for _, c := range []struct{ user, op, body, want string }{ // want: the answer, or its code
		{"alice", "whoami", `{}`, `{"ok":true,"user":"alice","tenant":"acme","name":"Name of alice","rooms_granted":["club"]}`},
		{"carol", "whoami", ` {} `, `{"ok":true,"user":"carol","tenant":"acme","name":"Name of carol","rooms_granted":[]}`},
		{"alice", "whoami", ``, "invalid"},
		{"alice", "whoami", `null`, "invalid"},
		{"alice", "whoami", `[]`, "invalid"},
		{"alice", "whoami", `{"a":1}`, "invalid"},
		{"alice", "whoami", `{}{}`, "invalid"},
		{"alice", "whoami", `{}x`, "invalid"},
		{"alice", "whoami", `{"stream":"std-A","seq":1}`, "invalid"},
		{"alice", "whoami", strings.Repeat(" ", maxRequest) + `{}`, "too_large"},
		{"rex", "whoami", `{}`, "forbidden"},
		{"nobody", "whoami", `{}`, "forbidden"},
		{"alice", "reboot", `{}`, "not_found"},
		{"alice", "WHOAMI", `{}`, "not_found"},

		{"alice", "rooms", `{}`, fmt.Sprintf(`{"ok":true,"rooms":[{"id":"club","kind":"private","class":"std","title":"Room club","role":"owner","unread":1,"mentions":1,"last":%[1]d,"read":0,"first_unread":%[1]d}]}`, two)},
		{"alice", "rooms", `{"query":"o"}`, fmt.Sprintf(`{"ok":true,"rooms":[`+
			`{"id":"club","kind":"private","class":"std","title":"Room club","role":"owner","unread":1,"mentions":1,"last":%[1]d,"read":0,"first_unread":%[1]d},`+
			`{"id":"news","kind":"announce","class":"std","title":"Room news","unread":0,"mentions":0,"last":0,"read":0},`+
			`{"id":"town","kind":"open","class":"std","title":"Room town","unread":1,"mentions":0,"last":%[2]d,"read":0,"first_unread":%[2]d}]}`, two, one)},
		{"alice", "rooms", `{"query":"o","after":"club","limit":1}`, `{"ok":true,"rooms":[{"id":"news","kind":"announce","class":"std","title":"Room news","unread":0,"mentions":0,"last":0,"read":0}]}`},
		{"carol", "rooms", `{"query":"town"}`, `{"ok":true,"rooms":[]}`},
		{"alice", "rooms", `{"query":"%"}`, `{"ok":true,"rooms":[]}`},
		{"alice", "rooms", `{"query":"'; DROP TABLE rooms"}`, `{"ok":true,"rooms":[]}`},
		{"alice", "rooms", `{"query":"\u0000"}`, "invalid"},
		{"alice", "rooms", `{"limit":1001}`, "invalid"},
		{"alice", "rooms", `{"limit":-1}`, "invalid"},
		{"alice", "rooms", `{"limit":1e3}`, "invalid"},
		{"alice", "rooms", `{"after":"a b"}`, "invalid"},
		{"alice", "rooms", `{"limit":1,"limit":2}`, "invalid"},
		{"alice", "rooms", "{\"query\":\"\xff\"}", "invalid"},

		{"alice", "join", `{"room":"town"}`, "ok"},
		{"alice", "join", `{"room":"secret"}`, "not_found"},
		{"alice", "join", `{"room":"*"}`, "invalid"},
		{"alice", "leave", `{"room":"town"}`, `{"ok":true}`},
		{"alice", "leave", `{"room":"secret"}`, "not_found"},
		{"alice", "leave", `{"room":">"}`, "invalid"},
		{"alice", "direct", `{"user":"bob"}`, "ok"},
		{"alice", "direct", `{"user":"alice"}`, "invalid"},
		{"alice", "direct", `{"user":"a.b"}`, "invalid"},

		{"alice", "members", `{"room":"club"}`, fmt.Sprintf(`{"ok":true,"members":[{"user":"alice","name":"Name of alice","role":"owner"},{"user":"bob","name":"Name of bob","role":"member","read":%d}]}`, two)},
		{"carol", "members", `{"room":"club"}`, "not_found"},
		{"alice", "members", `{"room":"secret"}`, "not_found"},
		{"alice", "members", `{"room":"nowhere"}`, "not_found"},
		{"alice", "members", `{"room":"old"}`, "not_found"},
		{"carol", "members", `{"room":"town"}`, "not_found"},
		{"alice", "members", `{}`, "invalid"},

		{"alice", "history", `{"room":"club","limit":1}`, "ok"},
		{"alice", "history", fmt.Sprintf(`{"room":"town","after":%d}`, one), `{"ok":true,"messages":[],"more":false}`},
		{"alice", "history", `{"room":"town","since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00+01:00"}`, `{"ok":true,"messages":[],"more":false}`},
		{"carol", "history", `{"room":"club"}`, "not_found"},
		{"carol", "history", `{"room":"town"}`, "not_found"},
		{"alice", "history", `{"room":"alice.bob"}`, "not_found"},
		{"carol", "history", `{"room":"alice.bob"}`, "not_found"},
		{"alice", "history", `{"room":"town","since":"yesterday"}`, "invalid"},
		{"alice", "history", `{"room":"town","before":-1}`, "invalid"},
		{"alice", "history", `{"room":"town","before":1.5}`, "invalid"},
		{"alice", "history", `{"room":"town","before":18446744073709551615}`, "invalid"},
		{"alice", "history", `{"room":"town","limit":5000}`, "invalid"},

		{"alice", "unread", `{}`, fmt.Sprintf(`{"ok":true,"unread":1,"rooms":[{"id":"club","unread":1,"mentions":1,"last":%[1]d,"read":0,"first_unread":%[1]d}]}`, two)},
		{"alice", "unread", `{"room":"town"}`, fmt.Sprintf(`{"ok":true,"unread":1,"rooms":[{"id":"town","unread":1,"mentions":0,"last":%[1]d,"read":0,"first_unread":%[1]d}]}`, one)},
		{"alice", "unread", `{"room":"secret"}`, "not_found"},
		{"alice", "read", fmt.Sprintf(`{"room":"club","seq":%d}`, two+1000), fmt.Sprintf(`{"ok":true,"unread":0,"read":%d}`, two)},
		{"alice", "read", fmt.Sprintf(`{"room":"club","seq":%d}`, one), fmt.Sprintf(`{"ok":true,"unread":0,"read":%d}`, two)},
		{"alice", "read", `{"room":"news","seq":1}`, `{"ok":true,"unread":0,"read":0}`},
		{"alice", "read", `{"room":"secret","seq":1}`, "not_found"},
		{"alice", "read", `{"room":"club","seq":0}`, "invalid"},
		{"alice", "read", `{"room":"club"}`, "invalid"},
		{"alice", "unread", `{}`, `{"ok":true,"unread":0,"rooms":[]}`},
	} {
		answer, raw := s.ask(c.user, c.op, c.body)
		switch {
		case strings.HasPrefix(c.want, "{"):
			if raw != c.want {
				t.Errorf("%s %s as %s: got %s, want %s", c.op, c.body, c.user, raw, c.want)
			}
		case c.want == "ok":
			if answer["ok"] != true {
				t.Errorf("%s %s as %s: got %s, want ok", c.op, c.body, c.user, raw)
			}
		case answer["ok"] != false || answer["code"] != c.want || answer["message"] == "" || answer["message"] == nil:
			t.Errorf("%s %.50s as %s: got %s, want code %s", c.op, c.body, c.user, raw, c.want)
		}
	}
	answer, raw := s.ask("alice", "history", `{"room":"club"}`)
	if m, ok := answer["messages"].([]any); !ok || len(m) != 1 || !strings.HasPrefix(raw, fmt.Sprintf(`{"ok":true,"messages":[{"seq":%d,"n":1,"sender":"bob","time":"20`, two)) ||
		!strings.HasSuffix(raw, `Z","text":"hi","mentions":["alice"]}],"more":false}`) {
		t.Errorf("history: got %s", raw)
	}
	s.exec(`UPDATE tenants SET status = 'suspended'`)
	if answer, raw = s.ask("alice", "whoami", `{}`); answer["code"] != "forbidden" {
		t.Errorf("a suspended tenant's user: got %s, want forbidden", raw)
	}
}

func TestRequestWithoutReplyRunsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	s.serving()
	seq := s.post(town.by("bob"), "m1")
	if err := s.conn.Publish("t."+s.tenant.Account+".api.alice.read", fmt.Appendf(nil, `{"room":"town","seq":%d}`, seq)); err != nil {
		t.Fatal(err)
	}
	s.eventually("it is counted", func() bool { return testutil.ToFloat64(s.chat.metrics.unasked) == 1 })
	if v := s.unread("alice", "town"); v.Read != 0 {
		t.Errorf("got position %d, want none", v.Read)
	}
	s.ask("alice", "read", fmt.Sprintf(`{"room":"town","seq":%d}`, seq))
	if v := s.unread("alice", "town"); v.Read != seq {
		t.Errorf("with a reply: got position %d, want %d", v.Read, seq)
	}
}

func TestReadWaitsForWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	reader := s.newChat(s.connect(), s.pool)
	reader.timing.readWait = 50 * time.Millisecond
	s.post(town.by("alice"), "m1")
	// Nobody projects.
	if _, err := reader.History(s.ctx(), "acme", "town", tenant.HistoryQuery{}); codeOf(err) != tenant.CodeUnavailable {
		t.Errorf("without a projector: got %v, want unavailable", err)
	}
	// Another process projects: its commits show in the row.
	reader.timing.readWait = patience
	s.run(s.chat)
	page, err := reader.History(s.ctx(), "acme", "town", tenant.HistoryQuery{})
	if err != nil || len(page.Messages) != 1 {
		t.Errorf("got %+v, %v, want one message", page, err)
	}
	for i := range 50 {
		s.post(town.by("alice"), "x")
		if page, err = reader.History(s.ctx(), "acme", "town", tenant.HistoryQuery{}); err != nil || len(page.Messages) != min(i+2, tenant.DefaultHistory) {
			t.Fatalf("after post %d: got %d messages, %v", i, len(page.Messages), err)
		}
	}
}

func TestMissedLiveMessageIsFoundByAReader(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.chat.timing.check = time.Hour
	s.run(s.chat)
	s.post(town.by("alice"), "m1")
	s.wantTexts("town", "1:m1")
	// The stream stops telling what it stores.
	info, err := s.chat.streamInfo(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std))
	if err != nil || info == nil {
		t.Fatal(err)
	}
	config := info.Config
	config.RePublish = nil
	if _, err = s.chat.js.UpdateStream(s.ctx(), config); err != nil {
		t.Fatal(err)
	}
	s.post(town.by("alice"), "m2")
	s.wantTexts("town", "1:m1", "2:m2")
}

func TestAPIAnswersUnavailableWithoutPostgres(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(s.chat)
	s.serving()
	unblock := s.block()
	answer, raw := s.ask("alice", "rooms", `{}`)
	if answer["code"] != "unavailable" || strings.Contains(raw, "SQLSTATE") {
		t.Errorf("got %s, want unavailable and nothing of the database", raw)
	}
	unblock()
	s.eventually("it answers again", func() bool { answer, _ = s.ask("alice", "rooms", `{}`); return answer["ok"] == true })
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// must asks an operation that is to be carried out.
func (p *peer) must(op, format string, args ...any) map[string]any {
	p.t.Helper()
	body := fmt.Sprintf(format, args...)
	got := p.ask(op, body)
	if got["ok"] != true {
		p.t.Fatalf("%s asks %s %s: got %v, want it done", p.user, op, body, got)
	}
	return got
}

// wantRefused asks an operation that is to be refused with a code.
func (p *peer) wantRefused(code, op, format string, args ...any) {
	p.t.Helper()
	body := fmt.Sprintf(format, args...)
	if got := p.ask(op, body); got["ok"] != false || got["code"] != code {
		p.t.Errorf("%s asks %s %s: got %v, want %s", p.user, op, body, got, code)
	}
}

// carries reconnects until a post in a room is acknowledged: from then on the connection has the rights.
func (p *peer) carries(subject string) {
	p.t.Helper()
	eventually(p.t, p.user+" may post on "+subject, func() bool {
		if err := p.ForceReconnect(); err != nil {
			p.t.Fatal(err)
		}
		_, err := p.tryPost(subject, "here", "", time.Second)
		return err == nil
	})
}

// den makes a private room of alice's with a second member, whose connection carries it.
func den(alice, member *peer, room string) (subject string) {
	alice.t.Helper()
	alice.must("create", `{"room":%q,"kind":"private"}`, room)
	alice.must("invite", `{"room":%q,"user":%q}`, room, member.user)
	member.must("join", `{"room":%q}`, room)
	alice.carries("chat.std.private." + room + ".alice")
	subject = "chat.std.private." + room + "." + member.user
	member.carries(subject)
	return subject
}

// TestRoomsHoldTheirRules is section C of the adversarial cases on one server.
func TestRoomsHoldTheirRules(t *testing.T) {
	t.Parallel()
	s := house(t)
	s.users("acme", "carol")
	alice, bob, mallory := s.peer("acme", "alice"), s.peer("acme", "bob"), s.peer("acme", "mallory")
	bob.carries("chat.std.private.board.bob")
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s *server, alice, bob, mallory *peer)
	}{
		{"a stranger", strangers},
		{"a direct room", directRooms},
		{"invitations", invitations},
		{"whoever loses rights", losers},
		{"a kick while messages flow", kickInTheFlow},
		{"a reader", readers},
		{"closed rooms and muted users", closed},
		{"the last owner", lastOwner},
		{"pins and reports", pinsAndReports},
		{"a ban", bans}, // last: it restarts the server
	} {
		t.Run(c.name, func(t *testing.T) { //nolint:paralleltest // one server, in order
			for _, p := range []*peer{alice, bob, mallory} {
				p.t = t
			}
			c.run(t, s, alice, bob, mallory)
		})
	}
}

func strangers(t *testing.T, _ *server, _, bob, mallory *peer) { // ROOM-01
	ack := bob.post("chat.std.private.board.bob", "secret", "")
	mallory.listen("live.std.private.board.*")
	mallory.wantDenied("live.std.private.board.*")
	if _, err := mallory.tryPost("chat.std.private.board.mallory", "x", "", 300*time.Millisecond); err == nil {
		t.Error("a stranger posted")
	}
	for op, body := range map[string]string{
		"history": `{"room":"board"}`, "unread": `{"room":"board"}`, "members": `{"room":"board"}`, "join": `{"room":"board"}`,
		"search": `{"query":"secret","room":"board"}`, "read": `{"room":"board","seq":%d}`, "react": `{"room":"board","seq":%d,"emoji":"👍"}`,
		"edit": `{"room":"board","seq":%d,"text":"x"}`, "delete": `{"room":"board","seq":%d}`, "pin": `{"room":"board","seq":%d}`,
		"pins": `{"room":"board"}`, "report": `{"room":"board","seq":%d}`, "notify": `{"room":"board","level":"none"}`,
		"freeze": `{"room":"board"}`, "archive": `{"room":"board"}`, "delete_room": `{"room":"board"}`, "settings": `{"room":"board","title":"x"}`,
		"kick": `{"room":"board","user":"bob"}`, "ban": `{"room":"board","user":"bob"}`, "mute": `{"room":"board","user":"bob"}`,
		"role": `{"room":"board","user":"mallory","role":"owner"}`, "invite": `{"room":"board","user":"mallory"}`,
	} {
		if strings.Contains(body, "%d") {
			body = fmt.Sprintf(body, ack.Seq)
		}
		mallory.wantRefused("not_found", op, "%s", body)
	}
	if got := mallory.must("search", `{"query":"secret"}`)["messages"].([]any); len(got) != 0 {
		t.Errorf("a stranger's search: got %v, want nothing", got)
	}
	if got := bob.must("search", `{"query":"secret"}`)["messages"].([]any); len(got) != 1 {
		t.Errorf("a member's search: got %v, want the message", got)
	}
	// A mention of a stranger reaches nobody.
	told := mallory.listen("live.user.mallory.mention")
	m := nats.NewMsg("chat.std.private.board.bob")
	m.Data = []byte(`{"text":"hey","mentions":["mallory"]}`)
	if _, err := bob.RequestMsg(m, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	bob.must("history", `{"room":"board"}`)
	mallory.quiet(told)
}

func directRooms(t *testing.T, s *server, alice, bob, mallory *peer) { // ROOM-17, and blocks
	alice.post("chat.std.direct.alice.bob.alice", "between us", "")
	mallory.listen("live.*.direct.alice.bob.*")
	mallory.wantDenied("live.*.direct.alice.bob.*")
	for _, subject := range []string{"chat.std.direct.alice.bob.mallory", "chat.std.direct.alice.bob.alice", "chat.std.direct.alice.mallory.bob"} {
		if _, err := mallory.tryPost(subject, "x", "", 300*time.Millisecond); err == nil {
			t.Errorf("mallory posted on %s", subject)
		}
	}
	for _, op := range []string{"history", "unread", "members", "join", "leave"} {
		mallory.wantRefused("not_found", op, `{"room":"alice.bob"}`)
	}
	bob.wantRefused("forbidden", "leave", `{"room":"alice.bob"}`)
	if got := bob.must("history", `{"room":"alice.bob"}`)["messages"].([]any); len(got) != 1 {
		t.Errorf("bob's history: got %v, want one message", got)
	}

	alice.must("block", `{"user":"bob"}`)
	for _, p := range []*peer{bob, alice} {
		if _, err := p.tryPost("chat.std.direct.alice.bob."+p.user, "still there?", "", 300*time.Millisecond); err == nil {
			t.Errorf("%s posted in a blocked room", p.user)
		}
	}
	bob.wantDenied("void.blocked")
	bob.wantRefused("forbidden", "direct", `{"user":"alice"}`)
	mallory.must("direct", `{"user":"alice"}`)
	if got := s.send(s.token, http.MethodPost, "/v1/tenants/acme/rooms/alice.bob/messages", `{"as":"bob","text":"over HTTP"}`); got.status != http.StatusForbidden {
		t.Errorf("a blocked post over HTTP: got %d, want 403", got.status)
	}
	if got := fmt.Sprint(alice.must("blocks", `{}`)["users"]); got != "[bob]" {
		t.Errorf("alice's blocks: got %s, want bob", got)
	}
	told := alice.listen("live.user.alice.invited")
	bob.must("create", `{"room":"bobs","kind":"private"}`)
	bob.must("invite", `{"room":"bobs","user":"alice"}`)
	bob.must("invite", `{"room":"bobs","user":"mallory"}`) // a job behind hers
	eventually(t, "mallory is invited", func() bool { return mallory.ask("join", `{"room":"bobs"}`)["ok"] == true })
	alice.quiet(told)
	alice.must("block", `{"user":"bob","on":false}`)
	bob.post("chat.std.direct.alice.bob.bob", "again", "")
	if got := s.texts("acme", "alice.bob"); got != "alice:between us bob:again" {
		t.Errorf("history: got %q", got)
	}
}

func invitations(t *testing.T, s *server, alice, bob, mallory *peer) { // ROOM-06
	alice.must("create", `{"room":"club","kind":"private","title":"The club"}`)
	told := bob.listen("live.user.bob.invited")
	mallory.wantRefused("not_found", "join", `{"room":"club"}`)
	alice.must("invite", `{"room":"club","user":"bob"}`)
	wantNotice(bob, told, `{"room":"club","by":"alice"}`)
	mallory.wantRefused("not_found", "join", `{"room":"club"}`) // for another user
	alice.must("kick", `{"room":"club","user":"bob"}`)
	bob.wantRefused("not_found", "join", `{"room":"club"}`) // taken back
	alice.must("invite", `{"room":"club","user":"bob","seconds":1}`)
	eventually(t, "the invitation ends", func() bool {
		var got struct{ Members []tenant.Member }
		s.call(http.MethodGet, "/v1/tenants/acme/rooms/club/members", "").into(t, &got)
		return !slices.ContainsFunc(got.Members, func(m tenant.Member) bool { return m.User == "bob" })
	})
	bob.wantRefused("not_found", "join", `{"room":"club"}`) // over
	alice.wantRefused("not_found", "invite", `{"room":"club","user":"nobody"}`)
	alice.must("invite", `{"room":"club","user":"bob"}`)
	bob.must("join", `{"room":"club"}`)
	bob.wantRefused("forbidden", "invite", `{"room":"club","user":"mallory"}`) // no moderator
	bob.must("leave", `{"room":"club"}`)
	bob.wantRefused("not_found", "join", `{"room":"club"}`) // used
	const want = "created joined invited removed invited invited joined left"
	var got string
	eventually(t, "the room tells of it all", func() bool {
		var events []string
		for _, m := range s.allHistory("acme", "club") {
			var e tenant.Event
			if err := json.Unmarshal(m.Event, &e); err != nil {
				t.Fatalf("%+v: %v", m, err)
			}
			events = append(events, string(e.Event))
		}
		got = strings.Join(events, " ")
		return len(got) >= len(want)
	})
	if got != want {
		t.Errorf("the room tells %q, want %q", got, want)
	}
}

// wantNotice wants JSON that says the same.
func wantNotice(p *peer, sub *nats.Subscription, want string) {
	p.t.Helper()
	var got, wanted map[string]json.RawMessage
	m := p.next(sub)
	if err := errors.Join(json.Unmarshal(m.Data, &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		p.t.Fatal(err)
	}
	if !maps.EqualFunc(got, wanted, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		p.t.Errorf("notice to %s: got %s, want %s", p.user, m.Data, want)
	}
}

func losers(t *testing.T, _ *server, alice, _, mallory *peer) { // ROOM-02
	for _, c := range []struct {
		room  string
		lose  func()
		reads bool // still
	}{
		{"den-leave", func() { mallory.must("leave", `{"room":"den-leave"}`) }, false},
		{"den-kick", func() { alice.must("kick", `{"room":"den-kick","user":"mallory","reason":"enough"}`) }, false},
		{"den-ban", func() { alice.must("ban", `{"room":"den-ban","user":"mallory","seconds":3600}`) }, false},
		{"den-role", func() { alice.must("role", `{"room":"den-role","user":"mallory","role":"reader"}`) }, true},
	} {
		subject := den(alice, mallory, c.room)
		live := mallory.listen("live.std.private." + c.room + ".*")
		alice.post("chat.std.private."+c.room+".alice", "hello", "")
		mallory.next(live)
		before := mallory.Stats().Reconnects
		c.lose()
		eventually(t, "mallory was made to connect again", func() bool { return mallory.Stats().Reconnects > before && mallory.IsConnected() })
		if _, err := mallory.tryPost(subject, "x", "", 300*time.Millisecond); err == nil {
			t.Errorf("%s: mallory posted", c.room)
		}
		if c.reads {
			live = mallory.listen("live.std.private." + c.room + ".*")
		}
		for n, _, _ := live.Pending(); n > 0; n, _, _ = live.Pending() {
			mallory.next(live) // what came before, the event of the loss among it
		}
		alice.post("chat.std.private."+c.room+".alice", "without mallory", "")
		if !c.reads {
			mallory.quiet(live)
			continue
		}
		mallory.next(live)
	}
	den(alice, mallory, "den-gone")
	alice.must("delete_room", `{"room":"den-gone"}`)
	for _, p := range []*peer{alice, mallory} {
		if _, err := p.tryPost("chat.std.private.den-gone."+p.user, "x", "", 300*time.Millisecond); err == nil {
			t.Errorf("%s posted in a deleted room", p.user)
		}
		p.wantRefused("not_found", "history", `{"room":"den-gone"}`)
	}
	alice.wantRefused("conflict", "create", `{"room":"den-gone"}`) // its id is never used again
}

func kickInTheFlow(t *testing.T, _ *server, alice, _, mallory *peer) { // ROOM-03
	den(alice, mallory, "flow")
	live := mallory.listen("live.std.private.flow.alice")
	var after []uint64
	for i := range 60 {
		ack := alice.post("chat.std.private.flow.alice", fmt.Sprint(i), "")
		switch {
		case i == 30:
			alice.must("kick", `{"room":"flow","user":"mallory"}`)
		case i > 30:
			after = append(after, ack.Seq)
		}
	}
	eventually(t, "mallory is back", mallory.IsConnected)
	if err := mallory.Flush(); err != nil {
		t.Fatal(err)
	}
	got := 0
	for n, _, _ := live.Pending(); n > 0; n, _, _ = live.Pending() {
		m := mallory.next(live)
		for _, seq := range after {
			if m.Header.Get("Nats-Sequence") == fmt.Sprint(seq) {
				t.Errorf("mallory got %d, which was posted after the kick was answered", seq)
			}
		}
		got++
	}
	if got < 30 {
		t.Errorf("mallory got %d messages before the kick, want 31", got)
	}
}

func readers(t *testing.T, s *server, alice, _, mallory *peer) { // ROOM-05
	subject := den(alice, mallory, "reading")
	mine := mallory.post(subject, "while a member", "")
	alice.must("role", `{"room":"reading","user":"mallory","role":"reader"}`)
	eventually(t, "mallory can't post any more", func() bool {
		_, err := mallory.tryPost(subject, "x", "", 300*time.Millisecond)
		return err != nil && mallory.IsConnected()
	})
	if err := mallory.Publish("sig.std.private.reading.mallory", []byte(`{"typing":true}`)); err != nil {
		t.Fatal(err)
	}
	mallory.wantDenied("sig.std.private.reading.mallory")
	mallory.wantRefused("forbidden", "edit", `{"room":"reading","seq":%d,"text":"changed"}`, mine.Seq)
	mallory.wantRefused("forbidden", "react", `{"room":"reading","seq":%d,"emoji":"👍"}`, mine.Seq)
	mallory.wantRefused("forbidden", "pin", `{"room":"reading","seq":%d}`, mine.Seq)
	mallory.wantRefused("forbidden", "role", `{"room":"reading","user":"mallory","role":"owner"}`)
	if got := mallory.must("history", `{"room":"reading"}`)["messages"].([]any); len(got) == 0 {
		t.Error("a reader reads nothing")
	}
	if texts := s.texts("acme", "reading"); strings.Contains(texts, "changed") {
		t.Errorf("history: got %q", texts)
	}
}

func closed(t *testing.T, s *server, alice, bob, mallory *peer) {
	alice.must("create", `{"room":"hall","kind":"open"}`)
	post := "chat.std.open.hall.mallory"
	for _, c := range []struct {
		on, off func()
		why     string
	}{
		{func() { alice.must("freeze", `{"room":"hall"}`) }, func() { alice.must("freeze", `{"room":"hall","on":false}`) }, "void.frozen"},
		{func() { alice.must("archive", `{"room":"hall"}`) }, func() { alice.must("archive", `{"room":"hall","on":false}`) }, "void.archived"},
		{func() { alice.must("mute", `{"room":"hall","user":"mallory","seconds":3600}`) }, func() { alice.must("unmute", `{"room":"hall","user":"mallory"}`) }, "void.muted"},
		{
			func() { s.call(http.MethodPatch, "/v1/tenants/acme/rooms/hall", `{"state":"frozen"}`) },
			func() { s.call(http.MethodPatch, "/v1/tenants/acme/rooms/hall", `{"state":"active"}`) }, "void.frozen",
		},
		{
			func() { s.call(http.MethodPut, "/v1/tenants/acme/rooms/hall/mutes/mallory", `{"reason":"caps"}`) },
			func() { s.call(http.MethodDelete, "/v1/tenants/acme/rooms/hall/mutes/mallory", "") }, "void.muted",
		},
	} {
		before := mallory.Stats().Reconnects
		mallory.post(post, "before "+c.why, "")
		c.on()
		if _, err := mallory.tryPost(post, "closed", "", 300*time.Millisecond); err == nil {
			t.Errorf("%s: mallory posted", c.why)
		}
		mallory.wantDenied(c.why)
		if got := s.send(s.token, http.MethodPost, "/v1/tenants/acme/rooms/hall/messages", `{"as":"mallory","text":"over HTTP"}`); got.status != http.StatusForbidden {
			t.Errorf("%s: a post over HTTP: got %d, want 403", c.why, got.status)
		}
		if c.why == "void.muted" {
			bob.post("chat.std.open.hall.bob", "the twin", "")
		}
		c.off()
		mallory.post(post, "after "+c.why, "")
		if mallory.Stats().Reconnects != before {
			t.Errorf("%s: mallory was disconnected", c.why)
		}
	}
	alice.must("settings", `{"room":"hall","slow_seconds":3600}`)
	carol := s.peer("acme", "carol") // who has not posted here
	refused := carol.listen("live.user.carol.refused")
	carol.post("chat.std.open.hall.carol", "slowly", "")
	carol.post("chat.std.open.hall.carol", "too fast", "")
	if m := carol.next(refused); !strings.Contains(string(m.Data), `"code":"slow_mode"`) {
		t.Errorf("notice: got %s, want slow_mode", m.Data)
	}
	if texts := s.texts("acme", "hall"); strings.Contains(texts, "too fast") || strings.Contains(texts, "closed") || !strings.Contains(texts, "slowly") {
		t.Errorf("history: got %q", texts)
	}
	mallory.wantRefused("forbidden", "settings", `{"room":"hall","slow_seconds":0}`)
	mallory.wantRefused("forbidden", "freeze", `{"room":"hall"}`)
}

func lastOwner(t *testing.T, s *server, alice, bob, _ *peer) { // ROOM-10
	den(alice, bob, "owned")
	alice.wantRefused("conflict", "leave", `{"room":"owned"}`)
	alice.wantRefused("conflict", "role", `{"room":"owned","user":"alice","role":"member"}`)
	bob.wantRefused("forbidden", "role", `{"room":"owned","user":"bob","role":"owner"}`)
	alice.must("role", `{"room":"owned","user":"bob","role":"owner"}`)
	bob.must("kick", `{"room":"owned","user":"alice"}`)
	bob.wantRefused("conflict", "leave", `{"room":"owned"}`)
	s.call(http.MethodDelete, "/v1/tenants/acme/rooms/owned/members/bob", "") // the tenant may
	s.call(http.MethodGet, "/v1/tenants/acme/rooms/owned", "")
	s.member("acme", "owned", "alice", "owner")
	alice.must("members", `{"room":"owned"}`)
	if got := s.send(s.token, http.MethodGet, "/v1/tenants/acme/rooms/owned/members", ""); !strings.Contains(string(got.body), `"role":"owner"`) {
		t.Errorf("members: got %s, want an owner", got.body)
	}
}

// closeReport closes a report of acme by the command line, and looks for it where the closed ones are.
func closeReport(t *testing.T, s *server, id int64) {
	t.Helper()
	args := []string{"room", "close-report", "acme", strconv.FormatInt(id, 10), "--data", s.data, "--note", "warned", "--outcome"}
	for _, c := range []struct {
		outcome string
		code    int
	}{{"forgotten", 1}, {"acted", 0}, {"acted", 0}, {"dismissed", 1}} {
		if code, _, errs := runParley(t, append(args, c.outcome)...); code != c.code {
			t.Errorf("close the report as %s: got %d and %q, want %d", c.outcome, code, errs, c.code)
		}
	}
	for state, want := range map[string]int{"": 1, "?state=open": 0, "?state=closed": 1} {
		var got struct{ Reports []tenant.Report }
		s.call(http.MethodGet, "/v1/tenants/acme/reports"+state, "").into(t, &got)
		if len(got.Reports) != want {
			t.Errorf("reports%s: got %d, want %d", state, len(got.Reports), want)
		}
		for _, r := range got.Reports {
			if r.Closed == nil || r.Closed.Outcome != tenant.OutcomeActed || r.Closed.Note != "warned" || r.Closed.Tenant != "acme" {
				t.Errorf("reports%s: got %+v, want it closed", state, r)
			}
		}
	}
	if got := s.send(s.token, http.MethodGet, "/v1/tenants/acme/reports?state=both", ""); got.status != 422 || !strings.Contains(string(got.body), `"state"`) {
		t.Errorf("another state: got %d %s, want 422 of state", got.status, got.body)
	}
}

func pinsAndReports(t *testing.T, s *server, alice, bob, mallory *peer) {
	ack := mallory.post("chat.std.open.lobby.mallory", "buy my coins", "")
	s.member("acme", "lobby", "alice", "moderator")
	told := alice.listen("live.user.alice.reported")
	bob.must("report", `{"room":"lobby","seq":%d,"reason":"spam"}`, ack.Seq)
	bob.must("report", `{"room":"lobby","seq":%d,"reason":"again"}`, ack.Seq)
	wantNotice(alice, told, fmt.Sprintf(`{"room":"lobby","seq":%d,"by":"bob","reason":"spam"}`, ack.Seq))
	var reports struct{ Reports []tenant.Report }
	s.call(http.MethodGet, "/v1/tenants/acme/reports", "").into(t, &reports)
	if len(reports.Reports) != 1 || reports.Reports[0].Sender != "mallory" || reports.Reports[0].Reason != "spam" {
		t.Errorf("reports: got %+v, want bob's", reports)
	}
	closeReport(t, s, reports.Reports[0].ID)
	bob.wantRefused("not_found", "report", `{"room":"lobby","seq":%d}`, ack.Seq+1000)
	mallory.wantRefused("forbidden", "pin", `{"room":"lobby","seq":%d}`, ack.Seq)
	alice.must("pin", `{"room":"lobby","seq":%d}`, ack.Seq)
	if got := bob.must("pins", `{"room":"lobby"}`)["messages"].([]any); len(got) != 1 {
		t.Errorf("pins: got %v, want one", got)
	}
	alice.must("pin", `{"room":"lobby","seq":%d,"on":false}`, ack.Seq)
	if got := bob.must("pins", `{"room":"lobby"}`)["messages"].([]any); len(got) != 0 {
		t.Errorf("pins: got %v, want none", got)
	}
	path := fmt.Sprintf("/v1/tenants/acme/rooms/lobby/messages/%d/pin", ack.Seq)
	for method, want := range map[string]int{http.MethodPut: 1, http.MethodDelete: 0} {
		s.call(http.MethodPut, path, "") // twice is once
		s.call(method, path, "")
		if got := bob.must("pins", `{"room":"lobby"}`)["messages"].([]any); len(got) != want {
			t.Errorf("pins after %s: got %v, want %d", method, got, want)
		}
	}
	for _, c := range []struct {
		verb string
		want int
	}{{"pin", 1}, {"unpin", 0}} {
		if code, _, errs := runParley(t, "room", c.verb, "acme", "lobby", strconv.FormatUint(ack.Seq, 10), "--data", s.data); code != 0 {
			t.Errorf("parley room %s: got %d and %q, want 0", c.verb, code, errs)
		}
		if got := bob.must("pins", `{"room":"lobby"}`)["messages"].([]any); len(got) != c.want {
			t.Errorf("pins after %s: got %v, want %d", c.verb, got, c.want)
		}
	}
	if got := s.send(s.token, http.MethodPut, fmt.Sprintf("/v1/tenants/acme/rooms/lobby/messages/%d/pin", ack.Seq+1000), ""); got.status != http.StatusNotFound {
		t.Errorf("pin of nothing: got %d %s, want 404", got.status, got.body)
	}
}

func bans(t *testing.T, s *server, alice, _, _ *peer) { // ROOM-04
	carol := s.peer("acme", "carol")
	creds := s.credsFile("acme", "carol")
	alice.must("ban", `{"room":"lobby","user":"carol"}`)
	alice.must("ban", `{"room":"hall","user":"carol"}`)
	out := func(p *peer) {
		t.Helper()
		p.wantRefused("forbidden", "join", `{"room":"lobby"}`)
		p.wantRefused("not_found", "history", `{"room":"lobby"}`)
		eventually(t, "carol can't post in the lobby", func() bool {
			_, err := p.tryPost("chat.std.open.lobby.carol", "x", "", 300*time.Millisecond)
			return err != nil && p.IsConnected()
		})
		p.listen("live.*.open.*.*")
		p.wantDenied("live.*.open.*.*")
	}
	out(carol)
	alice.wantRefused("conflict", "invite", `{"room":"lobby","user":"carol"}`)
	if got := s.send(s.token, http.MethodPut, "/v1/tenants/acme/rooms/lobby/members/carol", `{"role":"member"}`); got.status != http.StatusConflict {
		t.Errorf("PUT of a banned member: got %d, want 409", got.status)
	}
	// Open rooms that she was not banned from stay hers.
	s.room("acme", "garden", "open")
	carol.must("join", `{"room":"garden"}`)
	carol.carries("chat.std.open.garden.carol")

	s.kill()
	s.start()
	for _, how := range []nats.Option{nats.Token(s.userToken("acme", "carol")), nats.UserCredentials(creds)} {
		again, err := s.dial(s.NATS, "carol", how)
		if err != nil {
			t.Fatal(err)
		}
		out(again)
	}
	carol = s.peer("acme", "carol")
	s.call(http.MethodDelete, "/v1/tenants/acme/rooms/lobby/bans/carol", "")
	s.call(http.MethodPut, "/v1/tenants/acme/rooms/hall/bans/carol", `{"seconds":1}`)
	carol.must("join", `{"room":"lobby"}`)
	eventually(t, "the other ban ends by itself", func() bool { return carol.ask("join", `{"room":"hall"}`)["ok"] == true })
	carol.carries("chat.std.open.lobby.carol")
	if texts := s.texts("acme", "lobby"); strings.Contains(texts, "carol:x") {
		t.Errorf("history: got %q", texts)
	}
}

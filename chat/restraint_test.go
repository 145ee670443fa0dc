package chat

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/tenant"
)

func TestSlowModeHoldsMembersToAPaceAndNobodyElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.member("town", "carol", tenant.RoleModerator, tenant.Joined)
	s.exec(`UPDATE rooms SET slow_seconds = 3600 WHERE room_id = 'town'`)
	s.run(s.chat)
	told := s.hear("alice", "refused")
	s.post(town.by("alice"), "first")
	held := s.post(town.by("alice"), "too soon")
	s.post(town.by("bob"), "bob's first")
	s.post(town.by("carol"), "a moderator's")
	s.post(town.by("carol"), "and another")
	s.wantTexts("town", "1:first", "2:bob's first", "3:a moderator's", "4:and another")
	want := fmt.Sprintf(`{"room":"town","seq":%d,"code":"slow_mode"}`, held)
	if got := told(); got != want {
		t.Errorf("notice: got %s, want %s", got, want)
	}
	if _, err := s.chat.Post(s.ctx(), "acme", "town", "alice", tenant.PostRequest{Text: "over HTTP"}); !isCode(err, tenant.CodeRateLimited) {
		t.Errorf("a post over HTTP: got %v, want rate_limited", err)
	}
	// The pace is over an hour after the post that counted.
	s.exec(`UPDATE messages SET at = at - interval '1 hour' WHERE sender = 'alice'`)
	if _, err := s.chat.Post(s.ctx(), "acme", "town", "alice", tenant.PostRequest{Text: "over HTTP", ID: "x"}); err != nil {
		t.Errorf("a post over HTTP after the pause: got %v, want none", err)
	}
	s.wantTexts("town", "1:first", "2:bob's first", "3:a moderator's", "4:and another", "5:over HTTP")
	// What is posted again under its id is no second post.
	if _, err := s.chat.Post(s.ctx(), "acme", "town", "alice", tenant.PostRequest{Text: "over HTTP", ID: "x"}); err != nil {
		t.Errorf("the same post again: got %v, want none", err)
	}
}

// reply is the answer to an operation, refusals among them.
func (s *site) reply(user, op, format string, args ...any) map[string]any {
	s.t.Helper()
	answer, _ := s.ask(user, op, fmt.Sprintf(format, args...))
	return answer
}

func isCode(err error, c tenant.Code) bool {
	e, ok := tenant.AsError(err)
	return ok && e.Code == c
}

func TestABlockClosesTheRoomOfTheTwo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(s.chat)
	pair := venue{"alice.bob", tenant.Direct, tenant.Std}
	s.post(pair.by("bob"), "hello")
	s.wantTexts("alice.bob", "1:hello")
	s.exec(`INSERT INTO blocks (tenant_id, user_id, blocked_id, since) VALUES ('acme', 'alice', 'bob', now())`)
	s.post(pair.by("bob"), "are you there?")
	s.post(pair.by("alice"), "no")
	s.post(venue{"alice.carol", tenant.Direct, tenant.Std}.by("carol"), "the twin")
	s.wantTexts("alice.bob", "1:hello")
	s.wantTexts("alice.carol", "1:the twin")
	for _, u := range []tenant.UserID{"alice", "bob"} {
		if _, err := s.chat.Post(s.ctx(), "acme", "alice.bob", u, tenant.PostRequest{Text: "x"}); !isCode(err, tenant.CodeForbidden) {
			t.Errorf("%s over HTTP: got %v, want forbidden", u, err)
		}
	}
	s.exec(`DELETE FROM blocks`)
	s.post(pair.by("bob"), "again")
	s.wantTexts("alice.bob", "1:hello", "2:again")
}

func TestMentionsReachWhoWantsThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.exec(`INSERT INTO blocks (tenant_id, user_id, blocked_id, since) VALUES ('acme', 'alice', 'bob', now())`)
	s.exec(`INSERT INTO notify_levels (room_pk, tenant_id, user_id, level) SELECT room_pk, 'acme', 'carol', 'none' FROM rooms`)
	s.run(s.chat)
	alice, carol := s.hear("alice", "mention"), s.hear("carol", "mention")
	mention := func(by, whom string) uint64 {
		return s.store(town.by(by).Stored(s.tenant.Account), fmt.Sprintf(`{"text":"hey","mentions":[%q]}`, whom), nil).Seq
	}
	mention("bob", "alice")   // blocked
	mention("bob", "carol")   // does not want to hear
	mention("alice", "carol") // nor from anybody else
	s.wantTexts("town", "1:hey", "2:hey", "3:hey")
	seq := mention("carol", "alice")
	if got, want := alice(), fmt.Sprintf(`{"room":"town","seq":%d,"by":"carol"}`, seq); got != want {
		t.Errorf("alice's first notice: got %s, want %s", got, want)
	}
	s.exec(`DELETE FROM notify_levels`)
	seq = mention("alice", "carol")
	if got, want := carol(), fmt.Sprintf(`{"room":"town","seq":%d,"by":"alice"}`, seq); got != want {
		t.Errorf("carol's first notice: got %s, want %s", got, want)
	}
}

func TestHistorySinceJoining(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	board := s.room("board", tenant.Private, tenant.Std)
	town := s.room("town", tenant.Open, tenant.Std)
	s.exec(`UPDATE rooms SET history = 'joined'`)
	s.member("board", "alice", tenant.RoleMember, tenant.Joined)
	s.run(s.chat)
	s.serving()
	before := s.post(board.by("alice"), "m1")
	s.wantTexts("board", "1:m1")
	s.member("board", "bob", tenant.RoleMember, tenant.Joined)
	s.post(board.by("alice"), "m2")
	s.post(town.by("alice"), "m1")

	history := func(u, room string) []string {
		t.Helper()
		var all []string
		for _, m := range s.reply(u, "history", `{"room":%q}`, room)["messages"].([]any) {
			all = append(all, m.(map[string]any)["text"].(string))
		}
		return all
	}
	for _, c := range []struct {
		user, room string
		want       []string
	}{
		{"alice", "board", []string{"m1", "m2"}},
		{"bob", "board", []string{"m2"}},
		{"alice", "town", []string{"m1"}}, // her post joined her, and counts
		{"bob", "town", nil},              // he has not joined
		{"bot", "board", []string{"m1", "m2"}},
	} {
		if got := history(c.user, c.room); !slices.Equal(got, c.want) {
			t.Errorf("%s in %s: got %q, want %q", c.user, c.room, got, c.want)
		}
	}
	if got := s.unread("bob", "board"); got.Unread != 1 {
		t.Errorf("bob's unread: got %d, want the 1 that he may read", got.Unread)
	}
	if got := s.reply("bob", "react", `{"room":"board","seq":%d,"emoji":"👍"}`, before); got["code"] != "not_found" {
		t.Errorf("a reaction to what he can't read: got %v, want not_found", got)
	}
	s.exec(`UPDATE rooms SET history = 'all'`)
	if got := history("bob", "board"); len(got) < 2 {
		t.Errorf("bob in an open history: got %q, want both", got)
	}
}

// TestAPostAfterABanThatEndedJoins: the row of the ban is still there, and counts no more.
func TestAPostAfterABanThatEndedJoins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.member("town", "alice", tenant.RoleReader, tenant.Banned)
	s.exec(`UPDATE members SET until = $1`, time.Now().Add(-time.Second))
	s.run(s.chat)
	s.post(town.by("alice"), "back")
	s.wantTexts("town", "1:back")
	if got := query[string](s, `SELECT role || ' ' || state FROM members`); got != "member joined" {
		t.Errorf("alice is %s, want a member", got)
	}
}

func TestNotifyLevels(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.room("town", tenant.Open, tenant.Std)
	s.room("board", tenant.Private, tenant.Std)
	s.member("town", "alice", tenant.RoleMember, tenant.Joined)
	s.run(s.chat)
	s.serving()
	level := func() any {
		return s.reply("alice", "rooms", `{}`)["rooms"].([]any)[0].(map[string]any)["notify"]
	}
	for _, l := range []string{"none", "mentions", "all"} {
		if got := s.reply("alice", "notify", `{"room":"town","level":%q}`, l); got["ok"] != true {
			t.Errorf("notify %s: got %v", l, got)
		}
		want := any(l)
		if l == "all" {
			want = nil // which goes without saying
		}
		if got := level(); got != want {
			t.Errorf("the level: got %v, want %v", got, want)
		}
	}
	for body, code := range map[string]string{
		`{"room":"town","level":"loud"}`: "invalid", `{"room":"board","level":"none"}`: "not_found", `{"room":"nope","level":"all"}`: "not_found",
	} {
		if got := s.reply("alice", "notify", "%s", body); got["code"] != code {
			t.Errorf("notify %s: got %v, want %s", body, got, code)
		}
	}
}

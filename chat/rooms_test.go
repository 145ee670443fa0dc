package chat

import (
	"testing"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestFirstDirectMessageMakesTheRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(s.chat)
	pair := venue{"alice.bob", tenant.Direct, tenant.Std}
	s.post(pair.by("bob"), "m1")
	s.post(pair.by("alice"), "m2")
	s.wantTexts("alice.bob", "1:m1", "2:m2")
	if n := query[int](s, `SELECT count(*) FROM members m JOIN rooms USING (room_pk)
		WHERE room_id = 'alice.bob' AND m.role = 'member' AND m.state = 'joined' AND user_id IN ('alice', 'bob')`); n != 2 {
		t.Errorf("got %d members, want both", n)
	}
	// A deleted room is not made again.
	s.exec(`UPDATE rooms SET state = 'deleted' WHERE room_id = 'alice.bob'`)
	last := s.post(pair.by("bob"), "m3")
	s.eventually("it is refused", func() bool {
		_, err := s.chat.leaderGet(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std), last)
		return isJS(err, jsNoMessage)
	})
	if n := query[int](s, `SELECT count(*) FROM messages`); n != 2 {
		t.Errorf("got %d messages, want 2", n)
	}
}

func TestPostJoinsAnOpenRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	news := s.room("news", tenant.Announce, tenant.Std)
	s.member("town", "bob", tenant.RoleModerator, tenant.Invited)
	s.exec(`UPDATE users SET status = 'active' WHERE user_id = 'rex'`)
	for _, u := range []string{"alice", "bob", "carol", "rex"} {
		s.post(town.by(u), "x")
	}
	s.post(news.by("alice"), "x")
	s.member("town", "carol", tenant.RoleMember, tenant.Banned)
	s.exec(`UPDATE users SET status = 'revoked' WHERE user_id = 'rex'`)
	s.run(s.chat)
	s.eventually("all are projected", func() bool { return query[int](s, `SELECT count(*) FROM messages`) == 5 })
	if got := len(s.texts("town")) + len(s.texts("news")); got != 5 {
		t.Errorf("got %d messages, want 5", got)
	}
	for _, c := range []struct{ room, user, want string }{
		{"town", "alice", "member joined"},  // made
		{"town", "bob", "moderator joined"}, // accepted his invitation
		{"town", "carol", "member banned"},  // posted before, and stays out
		{"town", "rex", ""},                 // so does who was revoked since
		{"news", "alice", ""},               // announce rooms have named members only
	} {
		got := query[string](s, `SELECT coalesce((SELECT m.role || ' ' || m.state FROM members m JOIN rooms USING (room_pk)
			WHERE room_id = $1 AND user_id = $2), '')`, c.room, c.user)
		if got != c.want {
			t.Errorf("%s in %s: got %q, want %q", c.user, c.room, got, c.want)
		}
	}
}

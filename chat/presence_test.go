package chat

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// online makes sessions of users, or removes them, and says so as the control role does.
func (s *site) online(here bool, users ...tenant.UserID) {
	s.t.Helper()
	s.exec(`DELETE FROM sessions WHERE user_id = ANY ($1)`, users)
	if here {
		s.exec(`INSERT INTO sessions (server_id, cid, account, user_id, method, address, since)
			SELECT 'test', nextval(pg_get_serial_sequence('rooms', 'room_pk')), $1, u, 'token', '', now() FROM unnest($2::text[]) u`, s.tenant.Account, users)
	}
	s.say(users)
}

func (s *site) say(users []tenant.UserID) {
	s.t.Helper()
	for len(users) > 0 {
		n := min(len(users), 500)
		body, err := json.Marshal(tenant.Comings{Users: users[:n]})
		if err != nil {
			s.t.Fatal(err)
		}
		if err = s.conn.Publish(subject.Presence(s.tenant.Account), body); err != nil {
			s.t.Fatal(err)
		}
		users = users[n:]
	}
	if err := s.conn.FlushWithContext(s.ctx()); err != nil {
		s.t.Fatal(err)
	}
}

// A picture is what a watcher was told.
type picture struct {
	notices atomic.Int64
	told    chan presence
}

func (s *site) pictureOf(u tenant.UserID) *picture {
	s.t.Helper()
	p := &picture{told: make(chan presence, 100_000)}
	_, err := s.conn.Subscribe(subject.PlatformNotice(s.tenant.Account, u, "presence"), func(m *nats.Msg) {
		p.notices.Add(1)
		var n presenceNotice
		if err := json.Unmarshal(m.Data, &n); err != nil {
			s.t.Errorf("notice %s: %v", m.Data, err)
		}
		for _, one := range n.Users {
			p.told <- one
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// seats are the users that an answer tells of, "!" behind those online and "~" behind the idle.
func seats(answer map[string]any) (all []string) {
	users, _ := answer["users"].([]any)
	for _, u := range users {
		m := u.(map[string]any)
		name := m["user"].(string)
		if m["online"].(bool) {
			name += "!"
		}
		if m["idle"] == true {
			name += "~"
		}
		all = append(all, name)
	}
	return all
}

func TestPresenceIsSeenByThoseWhoShareARoom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, u := range []string{"dave", "erin"} {
		s.exec(`INSERT INTO users (tenant_id, user_id, kind, name, status, created_at) VALUES ('acme', $1, 'person', $1, 'active', now())`, u)
	}
	s.room("town", tenant.Open, tenant.Std)
	s.room("club", tenant.Private, tenant.Std)
	s.member("club", "alice", tenant.RoleOwner, tenant.Joined)
	s.member("club", "bob", tenant.RoleMember, tenant.Joined)
	s.member("club", "carol", tenant.RoleMember, tenant.Invited)
	s.member("club", "rex", tenant.RoleMember, tenant.Joined) // revoked
	s.member("town", "dave", tenant.RoleMember, tenant.Joined)
	s.member("town", "carol", tenant.RoleMember, tenant.Banned)
	s.run(s.chat)
	s.serving()
	s.online(true, "bob", "carol", "dave", "erin", "rex")
	long := `["` + strings.Repeat(`alice","`, 1000) + `bob"]`
	for _, c := range []struct {
		user, body string
		want       []string // or a code
	}{
		{"alice", `{"room":"club"}`, []string{"bob!", "alice"}},
		{"alice", `{"room":"town"}`, []string{"dave!"}},
		{"carol", `{"room":"club"}`, []string{"not_found"}}, // only invited
		{"carol", `{"room":"town"}`, []string{"not_found"}}, // banned
		{"carol", `{"room":"nowhere"}`, []string{"not_found"}},
		{"alice", `{"users":["bob","carol","dave","erin","rex","nobody"]}`, []string{"bob!", "dave!"}},
		{"carol", `{"users":["bob","carol","dave"]}`, []string{"carol!"}},
		{"dave", `{"users":["alice","bob","dave"]}`, []string{"dave!"}},
		{"alice", `{"users":[]}`, nil},
		{"alice", `{"users":["a.b"]}`, []string{"invalid"}},
		{"alice", `{"users":` + long + `}`, []string{"invalid"}},
		{"alice", `{}`, []string{"invalid"}},
		{"alice", `{"room":"club","users":["bob"]}`, []string{"invalid"}},
		{"alice", `{"rooms":["club"]}`, []string{"invalid"}},
		{"bob", `{"idle":true}`, nil},
		{"alice", `{"users":["bob"]}`, []string{"bob!~"}},
	} {
		answer, raw := s.ask(c.user, "presence", c.body)
		got := seats(answer)
		if code, refused := answer["code"].(string); refused {
			got = []string{code}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s asks %.60s: got %v, want %v (%.200s)", c.user, c.body, got, c.want, raw)
		}
	}
	// A connection that begins later ends it.
	s.online(true, "bob")
	if answer, raw := s.ask("alice", "presence", `{"users":["bob"]}`); !reflect.DeepEqual(seats(answer), []string{"bob!"}) {
		t.Errorf("back again: got %s", raw)
	}
	// Of two one of whom has blocked the other, neither sees the other.
	s.exec(`INSERT INTO blocks (tenant_id, user_id, blocked_id, since) VALUES ('acme', 'bob', 'alice', now())`)
	for user, other := range map[string]string{"alice": "bob", "bob": "alice"} {
		for _, body := range []string{`{"room":"club"}`, `{"users":["alice","bob"]}`} {
			if answer, raw := s.ask(user, "presence", body); len(seats(answer)) != 1 || strings.Contains(raw, `"user":"`+other) {
				t.Errorf("%s asks %s: got %s, want nothing of %s", user, body, raw, other)
			}
		}
	}
	s.exec(`DELETE FROM blocks`)
	s.online(false, "bob")
	s.exec(`INSERT INTO presence (tenant_id, user_id, last_seen) VALUES ('acme', 'bob', '2026-01-02T03:04:05Z')
		ON CONFLICT (tenant_id, user_id) DO UPDATE SET last_seen = excluded.last_seen`)
	if _, raw := s.ask("alice", "presence", `{"users":["bob"]}`); !strings.Contains(raw, `{"user":"bob","online":false,"last_seen":"2026-01-02T03:04:05Z"}`) {
		t.Errorf("gone: got %s", raw)
	}
}

// Ten thousand users come and go within as few seconds as the test lets pass: a watcher gets a notice in each at most, and knows in the
// end who is there.
func TestPresenceStormCostsAWatcherOneNoticeASecond(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if defaultTiming.coalesce != time.Second {
		t.Errorf("watchers are told every %s, want a second", defaultTiming.coalesce)
	}
	const many = 10_000
	s.exec(`INSERT INTO users (tenant_id, user_id, kind, name, status, created_at)
		SELECT 'acme', 'u' || i, 'person', 'u', 'active', now() FROM generate_series(1, $1::int) i`, many)
	s.room("club", tenant.Private, tenant.Std)
	s.exec(`INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT room_pk, 'acme', user_id, 'member', 'joined', now() FROM rooms, users WHERE room_id = 'club' AND user_id LIKE 'u%'`)
	var users []tenant.UserID
	for i := 1; i <= many; i++ {
		users = append(users, tenant.UserID(fmt.Sprintf("u%d", i)))
	}
	s.chat.timing.coalesce = time.Hour // the seconds are the test's
	s.run(s.chat)
	s.serving()
	var sights []*sight
	for _, u := range []tenant.UserID{"alice", "bob"} {
		s.member("club", u, tenant.RoleMember, tenant.Joined)
		sights = append(sights, s.sightOf(u))
		if answer, raw := s.ask(string(u), "presence", `{"room":"club"}`); len(seats(answer)) != maxPresences || answer["more"] != true {
			t.Fatalf("got %.300s, want %d users and more", raw, maxPresences)
		}
	}
	s.online(true, users...)
	s.second(sights)
	s.online(false, users[many/2:]...)
	s.second(sights)
	s.eventually("both know who is there", func() bool {
		s.second(sights)
		return len(sights[0].here) == many/2 && len(sights[1].here) == many/2
	})
	for _, v := range sights {
		for _, u := range users[:many/2] {
			if !v.here[u] {
				t.Fatalf("%s is not known to be here", u)
			}
		}
	}
}

// A sight is whom a watcher knows to be there.
type sight struct {
	sub  *nats.Subscription
	here map[tenant.UserID]bool
}

func (s *site) sightOf(u tenant.UserID) *sight {
	s.t.Helper()
	sub, err := s.conn.SubscribeSync(subject.PlatformNotice(s.tenant.Account, u, "presence"))
	if err != nil {
		s.t.Fatal(err)
	}
	return &sight{sub, map[tenant.UserID]bool{}}
}

// second lets a second pass, in which each watcher may get one notice.
func (s *site) second(sights []*sight) {
	s.t.Helper()
	s.chat.tellWatchers(s.ctx())
	for _, conn := range []*nats.Conn{s.chat.conn, s.conn} { // what was told has come then
		if err := conn.FlushWithContext(s.ctx()); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, v := range sights {
		n, _, err := v.sub.Pending()
		if err != nil || n > 1 {
			s.t.Fatalf("got %d notices in a second, %v, want one at most", n, err)
		}
		if n == 1 {
			v.hear(s.t)
		}
	}
}

func (v *sight) hear(t testing.TB) {
	t.Helper()
	m, err := v.sub.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	var n presenceNotice
	if err = json.Unmarshal(m.Data, &n); err != nil {
		t.Fatalf("notice %s: %v", m.Data, err)
	}
	for _, one := range n.Users {
		if v.here[one.User] = true; !one.Online {
			delete(v.here, one.User)
		}
	}
}

func TestWatchMovesToTheProcessThatAnsweredLast(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.room("club", tenant.Private, tenant.Std)
	s.member("club", "alice", tenant.RoleMember, tenant.Joined)
	s.member("club", "bob", tenant.RoleMember, tenant.Joined)
	other := s.newChat(s.connect(), s.pool)
	s.run(s.chat)
	s.run(other)
	s.serving()
	p := s.pictureOf("alice")
	alice, err := s.chat.caller(s.ctx(), sqlCaller, s.tenant.Account, "alice")
	if err != nil {
		t.Fatal(err)
	}
	watching := func(c *Chat) int {
		c.watches.mu.Lock()
		defer c.watches.mu.Unlock()
		if a := c.watches.of[s.tenant.Account]; a != nil {
			return len(a.watches)
		}
		return 0
	}
	for _, c := range []*Chat{s.chat, other, s.chat} {
		if _, err := c.opPresence(s.ctx(), alice, presenceRequest{Room: "club"}); err != nil {
			t.Fatal(err)
		}
		s.eventually("one process watches", func() bool { return watching(c) == 1 && watching(s.chat)+watching(other) == 1 })
	}
	for _, here := range []bool{true, false} {
		s.online(here, "bob")
		if one := <-p.told; one.User != "bob" || one.Online != here {
			t.Errorf("got %+v, want bob, online %t", one, here)
		}
	}
	if n := p.notices.Load(); n != 2 {
		t.Errorf("got %d notices, want 2", n)
	}
	// A watch that is not asked for again ends.
	later := time.Now().Add(watchLife + time.Minute)
	s.chat.watches.due(later)
	if n := watching(s.chat); n != 0 {
		t.Errorf("%d watches are left, want 0", n)
	}
	if n := len(s.chat.watches.of); n != 0 {
		t.Errorf("%d accounts are left, want 0", n)
	}
}

package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// session opens a connection of a user of acme; rooms are a Postgres array, or "": all.
func (s *site) session(u, rooms string, restricted bool) {
	s.t.Helper()
	s.exec(`INSERT INTO sessions (server_id, cid, account, user_id, method, address, since, rooms, restricted)
		VALUES ('s', $1, $2, $3, 'token', 'a', now(), nullif($4, '')::text[], $5)`, s.ids.Add(1), s.tenant.Account, u, rooms, restricted)
}

func TestUnreadIsToldWhereAConnectionDoesNotCarryTheRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	club, hall := s.room("club", tenant.Private, tenant.Std), s.room("hall", tenant.Private, tenant.Std)
	town := s.room("town", tenant.Open, tenant.Std)
	for _, u := range []tenant.UserID{"alice", "bob", "carol", "bot"} {
		s.member("club", u, tenant.RoleMember, tenant.Joined)
		s.member("town", u, tenant.RoleMember, tenant.Joined)
	}
	s.member("hall", "bob", tenant.RoleMember, tenant.Joined)
	s.member("hall", "carol", tenant.RoleMember, tenant.Invited)
	s.session("alice", "{}", false)   // who posts
	s.session("bob", "{hall}", false) // carries another
	s.session("bob", "{hall}", false) // twice: told once
	s.session("carol", "", false)     // carries all
	s.session("bot", "{club}", true)  // carries this, and no open room
	s.exec(`INSERT INTO sessions (server_id, cid, account, user_id, method, address, since, rooms)
		VALUES ('s', 0, 'A', 'carol', 'token', 'a', now(), '{}')`) // of another tenant
	heard, err := s.conn.SubscribeSync(subject.PlatformNotice(s.tenant.Account, "*", "unread"))
	if err != nil {
		t.Fatal(err)
	}
	s.run(s.chat)
	wait := func(wants map[string]int64, last map[string]uint64) {
		t.Helper()
		for len(wants) > 0 {
			m, err := heard.NextMsgWithContext(s.ctx())
			if err != nil {
				t.Fatalf("waiting for %v: %v", wants, err)
			}
			var n unreadNotice
			if err := json.Unmarshal(m.Data, &n); err != nil {
				t.Fatal(err)
			}
			key := fmt.Sprintf("%s %s", m.Subject[len("live.")+56+1:], n.Room)
			want, ok := wants[key]
			if !ok {
				t.Errorf("got %s on %s, want none", m.Data, m.Subject)
			}
			if n.Unread == want {
				delete(wants, key)
				if n.Last != last[string(n.Room)] || n.Read != 0 {
					t.Errorf("%s: got %+v, want the last sequence %d", key, n, last[string(n.Room)])
				}
			}
		}
	}
	last := map[string]uint64{"club": s.post(club.by("alice"), "m1"), "town": s.post(town.by("alice"), "m1"), "hall": s.post(hall.by("bob"), "mine")}
	wait(map[string]int64{"user.bob.unread club": 1, "user.bot.unread town": 1}, last)
	// Many at once are few notices, the last of which counts all.
	for range 100 {
		last["club"] = s.post(club.by("alice"), "more")
	}
	wait(map[string]int64{"user.bob.unread club": 101}, last)
	if m, err := heard.NextMsg(50 * time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("got %v, %v; want no more", m, err)
	}
}

// Who wants to hear of mentions alone hears of what is unread when one is among it, and who wants nothing never.
func TestUnreadIsToldAsTheLevelSays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	club := s.room("club", tenant.Private, tenant.Std)
	for _, u := range []tenant.UserID{"alice", "bob", "carol", "bot"} {
		s.member("club", u, tenant.RoleMember, tenant.Joined)
		s.session(string(u), "{}", false)
	}
	s.run(s.chat)
	s.must("carol", "notify", `{"room":"club","level":"mentions"}`)
	s.must("bot", "notify", `{"room":"club","level":"none"}`)
	heard, err := s.conn.SubscribeSync(subject.PlatformNotice(s.tenant.Account, "*", "unread"))
	if err != nil {
		t.Fatal(err)
	}
	// One round tells all of them, and so who is not told before bob's count is right is not told of it.
	until := func(n int64) (told []string) {
		t.Helper()
		for {
			m, err := heard.NextMsgWithContext(s.ctx())
			if err != nil {
				t.Fatalf("waiting for bob to be told of %d: %v", n, err)
			}
			var got unreadNotice
			if err := json.Unmarshal(m.Data, &got); err != nil {
				t.Fatal(err)
			}
			user := strings.Split(m.Subject, ".")[3]
			if user != "bob" {
				told = append(told, fmt.Sprintf("%s %d %d", user, got.Unread, got.Mentions))
			} else if got.Unread == n {
				return told
			}
		}
	}
	s.post(club.by("alice"), "m1")
	told := until(1)
	s.store(club.by("alice").Stored(s.tenant.Account), `{"text":"m2","mentions":["bot","carol"]}`, nats.Header{nats.MsgIdHdr: {s.newID()}})
	told = append(told, until(2)...)
	s.post(club.by("alice"), "m3")
	told = append(told, until(3)...)
	unwanted := func(s string) bool { return strings.HasPrefix(s, "bot") || s == "carol 1 0" }
	if !slices.Contains(told, "carol 2 1") || slices.ContainsFunc(told, unwanted) {
		t.Errorf("got %v told, want carol from her mention on, and the bot of nothing", told)
	}
}

func TestHeraldIsBounded(t *testing.T) {
	t.Parallel()
	h := newHerald(nil)
	for pk := range int64(maxHeralded + 10) {
		h.heard([]row{{room: &roomFact{pk: pk, kind: tenant.Private}, n: 1}})
	}
	h.heard([]row{{room: &roomFact{pk: 1 << 40, kind: tenant.Direct}, n: 1}, {room: &roomFact{pk: 1 << 41, kind: tenant.Private}}})
	if len(h.rooms) != maxHeralded {
		t.Errorf("got %d rooms, want %d", len(h.rooms), maxHeralded)
	}
	n := 0
	for some := h.take(); len(some) > 0; some = h.take() {
		n += len(some)
		if len(some) > heraldRooms {
			t.Fatalf("got %d rooms at once, want at most %d", len(some), heraldRooms)
		}
	}
	if n != maxHeralded {
		t.Errorf("got %d rooms told, want %d", n, maxHeralded)
	}
}

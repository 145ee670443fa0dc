package chat

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"parley/tenant"
	"parley/tenant/subject"
)

// The model of a room is a list of senders; a position is how many of them one has read.
type modelRoom struct {
	seqs []uint64
	read map[tenant.UserID]int
}

func TestNumbersAndUnreadFollowTheModel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(s.chat)
	users := []tenant.UserID{"alice", "bob", "carol"}
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		rooms := map[venue]*modelRoom{}
		var venues []venue
		for i := range 2 {
			v := s.room(tenant.RoomID(fmt.Sprintf("model%d-%d", runs, i)), tenant.Open, tenant.Std)
			rooms[v] = &modelRoom{read: map[tenant.UserID]int{}}
			venues = append(venues, v)
		}
		pick := func(t *rapid.T) (venue, *modelRoom, tenant.UserID) {
			v := rapid.SampledFrom(venues).Draw(t, "room")
			return v, rooms[v], rapid.SampledFrom(users).Draw(t, "user")
		}
		t.Repeat(map[string]func(*rapid.T){
			"post": func(t *rapid.T) {
				v, m, u := pick(t)
				m.seqs = append(m.seqs, s.post(v.by(string(u)), fmt.Sprintf("m%d", len(m.seqs)+1)))
				m.read[u] = len(m.seqs)
			},
			"read": func(t *rapid.T) {
				v, m, u := pick(t)
				if len(m.seqs) == 0 {
					return
				}
				n := rapid.IntRange(1, len(m.seqs)).Draw(t, "n")
				// Between two messages, or far behind the last, counts as the one before.
				seq := m.seqs[n-1]
				if n == len(m.seqs) {
					seq += uint64(rapid.SampledFrom([]int{0, 1, 1000}).Draw(t, "beyond"))
				}
				room, err := s.chat.room(s.ctx(), "acme", v.room, u)
				if err != nil {
					t.Fatal(err)
				}
				if err = s.chat.caughtUp(s.ctx(), subject.Stream(s.tenant.Account, v.class)); err != nil {
					t.Fatal(err)
				}
				if _, err = s.chat.read(s.ctx(), caller{tenant: "acme", user: u}, room, seq); err != nil {
					t.Fatal(err)
				}
				m.read[u] = max(m.read[u], n)
			},
			"": func(t *rapid.T) {
				v, m, u := pick(t)
				got := s.unread(u, v.room)
				want := roomView{Unread: int64(len(m.seqs) - m.read[u])}
				if n := len(m.seqs); n > 0 {
					want.Last = m.seqs[n-1]
				}
				if n := m.read[u]; n > 0 {
					want.Read = m.seqs[n-1]
				}
				if got.Unread != want.Unread || got.Last != want.Last || got.Read != want.Read {
					t.Fatalf("%s in %s: got unread %d, last %d, read %d, want %d, %d, %d",
						u, v.room, got.Unread, got.Last, got.Read, want.Unread, want.Last, want.Read)
				}
			},
		})
		for v, m := range rooms {
			s.wantTexts(v.room, numbered(len(m.seqs))...)
		}
	})
}

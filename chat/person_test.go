package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// held are the texts that a hold keeps of a room, in the order in which they were lost.
func (s *site) held(r tenant.RoomID) []string {
	s.t.Helper()
	rows, err := s.pool.Query(s.ctx(), `SELECT sender || ' ' || sender_name || ': ' || text FROM held_messages WHERE tenant_id = 'acme' AND room_id = $1 ORDER BY held_id`, r)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// erasePerson does what the service and the job do.
func (s *site) erasePerson(u tenant.UserID) {
	s.t.Helper()
	s.exec(`UPDATE users SET status = 'deleted', name = $2 WHERE user_id = $1`, u, tenant.ErasedName)
	s.exec(`INSERT INTO person_erasures (tenant_id, user_id, begun_at) VALUES ('acme', $1, now()) ON CONFLICT DO NOTHING`, u)
	s.eventually("the person is erased", func() bool {
		done, err := s.chat.ErasePerson(s.ctx(), "acme", u)
		if err != nil {
			s.t.Fatalf("ErasePerson: %v", err)
		}
		return done
	})
}

// streamHolds reports whether any message of the class's stream contains a text.
func (s *site) streamHolds(class tenant.Class, text string) bool {
	s.t.Helper()
	stream := subject.Stream(s.tenant.Account, class)
	for from := uint64(1); ; {
		m, found, _, err := s.chat.leaderNext(s.ctx(), stream, from)
		if err != nil {
			s.t.Fatal(err)
		}
		if !found {
			return false
		}
		if strings.Contains(string(m.Data), text) {
			return true
		}
		from = m.Seq + 1
	}
}

func TestErasureLeavesRoomsReadable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town, hall := s.room("town", tenant.Open, tenant.Std), s.room("hall", tenant.Open, tenant.Std)
	s.run(s.chat)
	s.serving()
	root := s.post(town.by("bob"), "question")
	s.store(town.by("alice").Stored(s.tenant.Account), fmt.Sprintf(`{"text":"secret answer","thread":%d,"mentions":["bob"],"data":{"phone":"secret"}}`, root), nil)
	edited := s.post(town.by("alice"), "secret draft")
	s.post(hall.by("alice"), "secret in the hall")
	s.post(town.by("bob"), "thanks")
	s.texts("town")
	if answer, raw := s.ask("alice", "edit", fmt.Sprintf(`{"room":"town","seq":%d,"text":"secret final"}`, edited)); answer["ok"] != true {
		t.Fatalf("edit: got %s", raw)
	}
	s.texts("town")
	if before := s.unread("carol", "town"); before.Unread != 4 {
		t.Errorf("before: carol has %d unread, want 4", before.Unread)
	}
	s.erasePerson("alice")
	page, err := s.chat.History(s.ctx(), "acme", "town", tenant.HistoryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range page.Messages {
		got = append(got, fmt.Sprintf("%s %q %t %d", m.Sender, m.Text, m.Deleted.IsZero(), m.Replies))
		if strings.Contains(string(m.Data)+string(m.Event), "secret") {
			t.Errorf("message %d still has %s %s", m.Seq, m.Data, m.Event)
		}
	}
	if want := []string{`bob "question" true 0`, `alice "" false 0`, `alice "" false 0`, `bob "thanks" true 0`, `_ "" true 0`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if after := s.unread("carol", "town"); after.Unread != 2 {
		t.Errorf("after: carol has %d unread, want 2", after.Unread)
	}
	if s.streamHolds(tenant.Std, "secret") {
		t.Error("the stream still holds the text")
	}
	if !s.streamHolds(tenant.Std, "thanks") {
		t.Error("the stream lost what others said")
	}
	if n := query[int](s, `SELECT messages FROM person_erasures WHERE finished_at IS NOT NULL`); n != 3 {
		t.Errorf("got %d messages emptied, want 3", n)
	}
	if n := query[int](s, `SELECT count(*) FROM held_messages`); n != 0 {
		t.Errorf("got %d copies without a hold", n)
	}
}

func TestHoldKeepsWhatIsLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town, hall := s.room("town", tenant.Open, tenant.Std), s.room("hall", tenant.Open, tenant.Std)
	s.run(s.chat)
	s.serving()
	s.exec(`INSERT INTO holds (tenant_id, room_id, reason, placed_at) VALUES ('acme', 'town', 'case 7', now())`)
	first := s.post(town.by("bob"), "deleted")
	second := s.post(town.by("bob"), "draft")
	s.post(town.by("alice"), "of alice")
	s.post(hall.by("bob"), "of no account")
	s.texts("town")
	for op, body := range map[string]string{
		"delete": fmt.Sprintf(`{"room":"town","seq":%d}`, first),
		"edit":   fmt.Sprintf(`{"room":"town","seq":%d,"text":"final"}`, second),
		"react":  fmt.Sprintf(`{"room":"town","seq":%d,"emoji":"👍"}`, second),
	} {
		if answer, raw := s.ask("bob", op, body); answer["ok"] != true {
			t.Fatalf("%s: got %s", op, raw)
		}
	}
	s.eventually("the events are folded", func() bool { return len(s.held("town")) == 2 })
	s.erasePerson("alice")
	// Retention takes all.
	last, _, err := s.chat.lastSeq(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std))
	if err != nil {
		t.Fatal(err)
	}
	if err = s.chat.purgeBefore(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std), last+1); err != nil {
		t.Fatal(err)
	}
	s.eventually("retention takes the rows", func() bool { return query[int](s, `SELECT count(*) FROM messages WHERE text <> ''`) == 0 })
	got := s.held("town")
	for _, want := range []string{"bob Name of bob: deleted", "bob Name of bob: draft", "bob Name of bob: final"} {
		if !slices.Contains(got, want) {
			t.Errorf("got %q, want %q among them", got, want)
		}
	}
	if !slices.ContainsFunc(got, func(h string) bool { return strings.HasSuffix(h, ": of alice") }) {
		t.Errorf("got %q, want what alice said among them", got)
	}
	var lines int
	if err = s.chat.ExportHeld(s.ctx(), "acme", "town", 0, func(any) error { lines++; return nil }); err != nil || lines != len(got) {
		t.Errorf("exported: got %d lines, %v, want %d", lines, err, len(got))
	}
	if got = s.held("hall"); len(got) > 0 {
		t.Errorf("a room without a hold: got %q", got)
	}
}

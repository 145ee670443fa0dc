package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
	"parley/tenant/subject"
)

// setClock makes the chat role's clock one that the test moves. It must be called before run.
func (s *site) setClock() func(time.Time) {
	var at atomic.Pointer[time.Time]
	set := func(t time.Time) { at.Store(&t) }
	set(time.Now())
	s.chat.now = func() time.Time { return *at.Load() }
	return set
}

// inStream is how many messages the stream of a class holds.
func (s *site) inStream(class tenant.Class) uint64 {
	s.t.Helper()
	info, err := s.chat.streamInfo(s.ctx(), subject.Stream(s.tenant.Account, class))
	if err != nil || info == nil {
		s.t.Fatalf("stream %s: got %v, %v", class, info, err)
	}
	return info.State.Msgs
}

func TestDayEndsAtTheTenantsMidnight(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.exec(`UPDATE tenants SET timezone = 'America/St_Johns'`)
	s.ensure(tenant.Day)
	lunch, town := s.room("lunch", tenant.Open, tenant.Day), s.room("town", tenant.Open, tenant.Std)
	setClock := s.setClock()
	s.run(s.chat)
	for i := 1; i <= 3; i++ {
		s.post(lunch.by("alice"), fmt.Sprintf("m%d", i))
	}
	s.post(town.by("alice"), "stays")
	place, err := time.LoadLocation("America/St_Johns")
	if err != nil {
		t.Fatal(err)
	}
	y, m, d := time.Now().In(place).Date()
	end := time.Date(y, m, d+1, 0, 0, 0, 0, place)
	setClock(end.Add(-time.Nanosecond))
	s.wantTexts("lunch", numbered(3)...)
	if got := s.unread("bob", "lunch").Unread; got != 3 {
		t.Errorf("before midnight bob has %d unread, want 3", got)
	}
	setClock(end)
	s.eventually("the rows are gone", func() bool { return len(s.texts("lunch")) == 0 })
	if n := s.inStream(tenant.Day); n != 0 {
		t.Errorf("the stream holds %d messages, want 0", n)
	}
	if got := s.unread("bob", "lunch").Unread; got != 0 {
		t.Errorf("after midnight bob has %d unread, want 0", got)
	}
	s.wantTexts("town", "1:stays")
	// The next day goes on with the next number; its messages are of today by the servers' clock, so they go too.
	setClock(time.Now())
	s.post(lunch.by("alice"), "m4")
	s.wantTexts("lunch", "4:m4")
	if got := s.unread("bob", "lunch").Unread; got != 1 {
		t.Errorf("the next day bob has %d unread, want 1", got)
	}
}

func TestWhatTheStreamLosesTheRowsLose(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town, hall := s.room("town", tenant.Open, tenant.Std), s.room("hall", tenant.Open, tenant.Std)
	s.run(s.chat)
	var seqs []uint64
	for i := 1; i <= 6; i++ {
		seqs = append(seqs, s.post(town.by("alice"), fmt.Sprintf("m%d", i)))
	}
	s.post(hall.by("alice"), "m1")
	s.wantTexts("town", numbered(6)...)
	stream := subject.Stream(s.tenant.Account, tenant.Std)
	// A message that was taken out by hand keeps its row.
	s.exec(`UPDATE messages SET purged = true WHERE seq = ANY ($1)`, seqs[:2])
	for _, seq := range seqs[:2] {
		if err := s.chat.deleteMessage(s.ctx(), stream, seq, false); err != nil {
			t.Fatal(err)
		}
	}
	s.eventually("the rows agree with the stream", func() bool {
		return query[uint64](s, `SELECT first_seq FROM streams WHERE stream = $1`, stream) == seqs[2]
	})
	s.wantTexts("town", numbered(6)...)
	if got := s.unread("bob", "town").Unread; got != 6 {
		t.Errorf("bob has %d unread, want 6", got)
	}
	// What retention takes goes with all before it.
	if err := s.chat.purgeBefore(s.ctx(), stream, seqs[4]); err != nil {
		t.Fatal(err)
	}
	s.eventually("the rows agree with the stream", func() bool { return len(s.texts("town")) == 2 })
	s.wantTexts("town", "5:m5", "6:m6")
	s.wantTexts("hall", "1:m1")
	if got := s.unread("bob", "town").Unread; got != 2 {
		t.Errorf("bob has %d unread, want 2", got)
	}
}

func TestAgeRemovesWhatIsInNoStreamAnyMore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	setClock := s.setClock()
	stop := s.run(s.chat)
	seq := s.post(town.by("alice"), "purged and alone")
	s.wantTexts("town", "1:purged and alone")
	s.exec(`UPDATE messages SET purged = true`)
	if err := s.chat.deleteMessage(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std), seq, false); err != nil {
		t.Fatal(err)
	}
	s.eventually("the stream's end is compared", func() bool { return query[uint64](s, `SELECT first_seq FROM streams`) > seq })
	s.wantTexts("town", "1:purged and alone")
	stop()
	setClock(time.Now().Add(s.tenant.Retention.Age(tenant.Std) + time.Minute))
	s.run(s.chat)
	s.eventually("age removes the row", func() bool { return len(s.texts("town")) == 0 })
}

func TestMuchToForgetGoesInPieces(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	const many = 2*trimMessages + 10
	s.exec(`INSERT INTO messages (room_pk, seq, n, sender, message_id, at, text)
		SELECT room_pk, i + (1::bigint << 50), i, 'alice', 'old-' || i, now(), 'old' FROM rooms, generate_series(1, $1::int) i WHERE room_id = 'town'`, many)
	s.exec(`INSERT INTO room_heads (room_pk, last_n, last_seq) SELECT room_pk, $1, $1 FROM rooms WHERE room_id = 'town'`, many)
	s.exec(`UPDATE streams SET first_seq = 1`)
	s.run(s.chat)
	s.post(town.by("alice"), "new")
	s.eventually("all that is old is gone", func() bool { return query[int](s, `SELECT count(*) FROM messages`) == 1 })
	s.wantTexts("town", fmt.Sprintf("%d:new", many+1))
	if got := s.unread("bob", "town").Unread; got != 1 {
		t.Errorf("bob has %d unread, want 1", got)
	}
}

func TestFullClassDiscardsOrRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	s.setRetention(tenant.Limits{StorageBytes: 20_000, MessageBytes: 4096}, tenant.Retention{WhenFull: tenant.RefuseNew})
	text, posted := strings.Repeat("x", 1000), 0
	full := func() *jsError {
		m, err := s.conn.RequestMsgWithContext(s.ctx(), &nats.Msg{Subject: town.by("alice").Stored(s.tenant.Account), Data: fmt.Appendf(nil, `{"text":%q}`, text)})
		if err != nil {
			t.Fatal(err)
		}
		var ack pubAck
		if err = json.Unmarshal(m.Data, &ack); err != nil {
			t.Fatal(err)
		}
		return ack.Error
	}
	var refused *jsError
	for ; refused == nil && posted < 100; posted++ {
		refused = full()
	}
	if refused == nil || refused.Code != jsStreamFull {
		t.Fatalf("a full class: got %v, want %d", refused, jsStreamFull)
	}
	if _, err := s.chat.Post(s.ctx(), "acme", "town", "alice", tenant.PostRequest{Text: text}); codeOf(err) != tenant.CodeLimitReached {
		t.Errorf("a post over HTTP: got %v, want %s", err, tenant.CodeLimitReached)
	}
	kept := s.texts("town")
	if len(kept) != posted-1 || !strings.HasPrefix(kept[0], "1:") {
		t.Errorf("got %d messages, want the %d that were taken", len(kept), posted-1)
	}
	s.setRetention(tenant.Limits{StorageBytes: 20_000, MessageBytes: 4096}, tenant.Retention{WhenFull: tenant.DiscardOld})
	if refused = full(); refused != nil {
		t.Errorf("a class that discards: got %v, want an acknowledgement", refused)
	}
	newest := fmt.Sprintf("%d:%s", posted, text)
	s.eventually("the oldest make room", func() bool {
		all := s.texts("town")
		return len(all) < posted && all[len(all)-1] == newest && uint64(len(all)) == s.inStream(tenant.Std)
	})
	if got, want := s.unread("bob", "town").Unread, int64(len(s.texts("town"))); got != want {
		t.Errorf("bob has %d unread, want the %d that are kept", got, want)
	}
}

// setRetention changes the tenant as the service does.
func (s *site) setRetention(l tenant.Limits, r tenant.Retention) {
	s.t.Helper()
	s.exec(`UPDATE tenants SET limits = $1, retention = $2`, l, r)
	s.tenant.Limits, s.tenant.Retention = l, r
	if err := s.chat.Conform(s.ctx(), s.tenant); err != nil {
		s.t.Fatalf("Conform: %v", err)
	}
}

func TestRunningLeaderHealsAStreamThatDrifted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(s.chat)
	s.setRetention(s.tenant.Limits, tenant.Retention{StdSeconds: 3600})
	name := subject.Stream(s.tenant.Account, tenant.Std)
	config := func() jetstream.StreamConfig {
		info, err := s.chat.streamInfo(s.ctx(), name)
		if err != nil || info == nil {
			t.Fatalf("got %v, %v, want a stream", info, err)
		}
		return info.Config
	}
	if got := config().MaxAge; got != time.Hour {
		t.Errorf("age: got %s, want 1h", got)
	}
	drifted := config()
	drifted.AllowRollup, drifted.MaxAge = true, 0
	if _, err := s.chat.js.UpdateStream(s.ctx(), drifted); err != nil {
		t.Fatal(err)
	}
	s.eventually("the stream is as wanted", func() bool {
		c := config()
		return !c.AllowRollup && c.MaxAge == time.Hour
	})
}

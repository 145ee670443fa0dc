package chat

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestMessagesAreProjectedInOrderOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	id := nats.Header{nats.MsgIdHdr: {s.newID()}}
	to := town.by("alice").Stored(s.tenant.Account)
	first := s.store(to, `{"text":"m1"}`, id)
	if again := s.store(to, `{"text":"m1"}`, id); !again.Duplicate || again.Seq != first.Seq {
		t.Errorf("the same id within the window: got %+v, want a duplicate of %d", again, first.Seq)
	}
	s.post(town.by("bob"), "m2")
	s.post(town.by("alice"), "m3")
	s.wantTexts("town", "1:m1", "2:m2", "3:m3")
}

func TestDoubleBehindTheWindowIsSkipped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	stop := s.run(s.chat)
	id := s.newID()
	to := town.by("alice").Stored(s.tenant.Account)
	s.store(to, `{"text":"m1"}`, nats.Header{nats.MsgIdHdr: {id}})
	s.post(town.by("alice"), "m2")
	s.wantTexts("town", "1:m1", "2:m2")
	stop()
	s.forgetIDs()
	double := s.store(to, `{"text":"m1"}`, nats.Header{nats.MsgIdHdr: {id}})
	if double.Duplicate {
		t.Fatal("the stream still knows the id")
	}
	// The same id of another sender is another message.
	s.store(town.by("bob").Stored(s.tenant.Account), `{"text":"m3"}`, nats.Header{nats.MsgIdHdr: {id + "x"}})
	s.run(s.chat)
	s.wantTexts("town", "1:m1", "2:m2", "3:m3")
	// What is deleted would stay in the stream otherwise.
	s.eventually("the double is erased from the stream", func() bool {
		_, err := s.chat.leaderGet(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std), double.Seq)
		return isJS(err, jsNoMessage)
	})
}

// forgetIDs lets the stream forget its ids as it does after two minutes: a server that
// starts reads those within the window.
func (s *site) forgetIDs() {
	s.t.Helper()
	info, err := s.chat.streamInfo(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std))
	if err != nil || info == nil {
		s.t.Fatalf("got stream %v, %v", info, err)
	}
	config := info.Config
	config.Duplicates = 100 * time.Millisecond
	if _, err = s.chat.js.UpdateStream(s.ctx(), config); err != nil {
		s.t.Fatal(err)
	}
	s.restartServer(func() { <-time.After(2 * config.Duplicates) })
}

func TestStoppedProjectorCatchesUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	for i := 1; i <= 20; i++ {
		s.post(town.by("alice"), fmt.Sprintf("m%d", i))
	}
	stop := s.run(s.chat)
	s.wantTexts("town", numbered(20)...)
	stop()
	for i := 21; i <= 40; i++ {
		s.post(town.by("bob"), fmt.Sprintf("m%d", i))
	}
	s.run(s.chat)
	s.wantTexts("town", numbered(40)...)
}

func TestGapsAreFilledFromTheStream(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	var seqs []uint64
	for i := 1; i <= 9; i++ {
		seqs = append(seqs, s.post(town.by("alice"), fmt.Sprintf("m%d", i)))
	}
	stream := subject.Stream(s.tenant.Account, tenant.Std)
	// One is gone for good; the next in order comes from the leader's word.
	if err := s.chat.deleteMessage(s.ctx(), stream, seqs[4], false); err != nil {
		t.Fatal(err)
	}
	if err := s.chat.deleteMessage(s.ctx(), stream, seqs[4], false); err != nil {
		t.Errorf("deleting twice: got %v, want nil", err)
	}
	p := newProjector(s.chat, 0, func(error) {})
	l := &line{stream: stream}
	if err := p.load(s.ctx(), l); err != nil {
		t.Fatal(err)
	}
	// Only the last came live.
	l.offer(stored{seq: seqs[8], subject: town.by("alice").Stored(s.tenant.Account), id: "another id of it", data: []byte(`{"text":"m9"}`), at: time.Now()})
	p.lines[stream] = l
	for l.lacks() {
		if err := p.step(s.ctx(), l); err != nil {
			t.Fatalf("step: %v", err)
		}
	}
	s.wantTexts("town", "1:m1", "2:m2", "3:m3", "4:m4", "5:m6", "6:m7", "7:m8", "8:m9")
	if len(l.queue) != 0 || l.bytes != 0 {
		t.Errorf("%d messages of %d bytes are left in the queue", len(l.queue), l.bytes)
	}
}

func TestLastMessagesThatAreGoneCount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.post(town.by("alice"), "m1")
	last := s.post(town.by("alice"), "gone")
	stream := subject.Stream(s.tenant.Account, tenant.Std)
	if err := s.chat.deleteMessage(s.ctx(), stream, last, false); err != nil {
		t.Fatal(err)
	}
	s.run(s.chat)
	s.wantTexts("town", "1:m1")
	s.eventually("the cursor passes what is gone", func() bool {
		return query[uint64](s, `SELECT last_seq FROM streams WHERE stream = $1`, stream) == last
	})
	s.post(town.by("alice"), "m2")
	s.wantTexts("town", "1:m1", "2:m2")
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := newProjector(s.chat, 0, func(error) {})
	town := venue{"town", tenant.Open, tenant.Std}.by("alice")
	at := time.Now().UTC().Format(time.RFC3339Nano)
	body := make([]byte, 1<<20)
	for seq := 1; seq <= 3*maxQueued/len(body); seq++ {
		p.live(&nats.Msg{Subject: "live." + town.Stored(s.tenant.Account)[len("t."):], Data: body, Header: nats.Header{
			"Nats-Stream": {subject.Stream(s.tenant.Account, tenant.Std)}, "Nats-Subject": {town.Stored(s.tenant.Account)},
			"Nats-Sequence": {fmt.Sprint(seq)}, "Nats-Time-Stamp": {at},
		}})
		if p.queued > maxQueued {
			t.Fatalf("after %d messages %d bytes wait, want at most %d", seq, p.queued, maxQueued)
		}
	}
	l := p.lines[subject.Stream(s.tenant.Account, tenant.Std)]
	if l == nil || !l.lacks() || l.target != uint64(3*maxQueued/len(body)) {
		t.Errorf("got line %+v, want one that remembers what the stream holds", l)
	}
}

func TestMemoryStreamComesBackWithLaterSequences(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ensure(tenant.Mem)
	quick := s.room("quick", tenant.Open, tenant.Mem)
	s.run(s.chat)
	before := s.post(quick.by("alice"), "m1")
	s.wantTexts("quick", "1:m1")
	s.restartServer(func() {})
	var after uint64
	s.eventually("the stream is made again", func() bool {
		info, err := s.chat.streamInfo(s.brief(), subject.Stream(s.tenant.Account, tenant.Mem))
		return err == nil && info != nil
	})
	after = s.post(quick.by("alice"), "m2")
	if after <= before {
		t.Errorf("sequence after the restart: got %d, want more than %d", after, before)
	}
	// What the stream lost, the read model lets go too, and numbers are not used again.
	s.eventually("the lost message is trimmed", func() bool { got := s.texts("quick"); return len(got) == 1 && got[0] == "2:m2" })
}

func TestTwoLeadersProjectOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	other := s.newChat(s.connect(), s.pool)
	s.run(s.chat)
	s.run(other)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i <= 200; i++ {
			s.post(town.by("alice"), fmt.Sprintf("m%d", i))
		}
	})
	// The lock's connection is cut again and again.
	for range 5 {
		epoch := query[int64](s, sqlEpoch)
		s.eventually("a leader", func() bool {
			return query[int](s, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 1
		})
		s.exec(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		s.eventually("the next epoch", func() bool { return query[int64](s, sqlEpoch) > epoch })
	}
	wg.Wait()
	s.wantTexts("town", numbered(200)...)
}

func TestOldEpochCommitsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.post(town.by("alice"), "m1")
	l := &line{stream: subject.Stream(s.tenant.Account, tenant.Std)}
	old := newProjector(s.chat, query[int64](s, sqlEpoch), func(error) {})
	if err := old.load(s.ctx(), l); err != nil {
		t.Fatal(err)
	}
	r, err := s.chat.fetch(s.ctx(), l.stream, l.cursor+1, 10)
	if err != nil || len(r.msgs) != 1 {
		t.Fatalf("fetch: got %+v, %v, want one message", r, err)
	}
	current := newProjector(s.chat, query[int64](s, sqlNewEpoch), func(error) {})
	if err = old.commit(s.ctx(), l, r, false); err != errFenced { //nolint:errorlint // returned bare
		t.Errorf("the old leader: got %v, want %v", err, errFenced)
	}
	if n := query[int](s, `SELECT count(*) FROM messages`); n != 0 {
		t.Errorf("the old leader wrote %d messages", n)
	}
	if err = current.commit(s.ctx(), l, r, false); err != nil {
		t.Errorf("the leader: got %v, want nil", err)
	}
	if err = current.commit(s.ctx(), l, r, false); err == nil || !strings.Contains(err.Error(), "projected up to") {
		t.Errorf("the same run again: got %v, want a moved cursor", err)
	}
}

// block keeps everybody out of the site's database until the returned function is called.
func (s *site) block() (unblock func()) {
	s.t.Helper()
	config := s.pool.Config().ConnConfig.Copy()
	name := config.Database
	config.Database = "postgres"
	admin, err := pgx.ConnectConfig(s.ctx(), config)
	if err != nil {
		s.t.Fatal(err)
	}
	allow := func(yes bool) {
		if _, err := admin.Exec(context.Background(), fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS %t`, name, yes)); err != nil {
			s.t.Fatal(err)
		}
	}
	allow(false)
	if _, err = admin.Exec(s.ctx(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		allow(true)
		_ = admin.Close(context.Background())
	}
}

func TestPostgresGoesAndComes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	for i := 1; i <= 10; i++ {
		s.post(town.by("alice"), fmt.Sprintf("m%d", i))
	}
	s.wantTexts("town", numbered(10)...)
	for round := 1; round <= 3; round++ {
		unblock := s.block()
		for i := 10*round + 1; i <= 10*round+10; i++ {
			s.post(town.by("alice"), fmt.Sprintf("m%d", i))
		}
		_, err := s.chat.History(s.ctx(), "acme", "town", tenant.HistoryQuery{})
		if e, ok := tenant.AsError(err); !ok || e.Code != tenant.CodeUnavailable {
			t.Errorf("history without Postgres: got %v, want unavailable", err)
		}
		unblock()
		s.eventually("the pool notices", func() bool { return s.pool.Ping(s.ctx()) == nil })
		s.pool.Reset()
		s.wantTexts("town", numbered(10*round+10)...)
	}
}

func TestNATSGoesAndComes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	s.post(town.by("alice"), "m1")
	s.wantTexts("town", "1:m1")
	s.restartServer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, err := s.chat.History(ctx, "acme", "town", tenant.HistoryQuery{})
		if e, ok := tenant.AsError(err); !ok || e.Code != tenant.CodeUnavailable {
			t.Errorf("history without NATS: got %v, want unavailable", err)
		}
	})
	s.post(town.by("alice"), "m2")
	s.wantTexts("town", "1:m1", "2:m2")
}

func TestStreamThatLostMessagesGoesOnBehindTheCursor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	// A power cut took what was projected.
	s.exec(`UPDATE streams SET last_seq = last_seq + 5`)
	cursor := query[uint64](s, `SELECT last_seq FROM streams`)
	s.run(s.chat)
	s.eventually("the stream has caught up with the cursor", func() bool {
		last, ok, err := s.chat.lastSeq(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std))
		return err == nil && ok && last >= cursor
	})
	s.post(town.by("alice"), "m1")
	s.wantTexts("town", "1:m1")
}

func TestManySendersManyRooms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const senders, each = 8, 100
	for i := range senders {
		s.room(tenant.RoomID(fmt.Sprintf("room%d", i)), tenant.Open, tenant.Std)
	}
	stop := s.run(s.chat)
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for n := 1; n <= each; n++ {
				s.post(venue{tenant.RoomID(fmt.Sprintf("room%d", (i+n)%senders)), tenant.Open, tenant.Std}.by("alice"), "x")
			}
		})
	}
	stop()
	s.run(s.chat)
	wg.Wait()
	for i := range senders {
		room := tenant.RoomID(fmt.Sprintf("room%d", i))
		if got := s.texts(room); len(got) != each || got[each-1] != fmt.Sprintf("%d:x", each) {
			t.Errorf("%s: got %d messages, last %q, want %d numbered ones", room, len(got), got[len(got)-1], each)
		}
	}
}

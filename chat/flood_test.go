package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestFloodgateTakesWhatIsBeyondTheRate(t *testing.T) {
	t.Parallel()
	const perSecond = 10 // a burst of 100
	start := time.Now()
	cases := []struct {
		name  string
		posts int
		every time.Duration
		found int // the post that is too much; 0: none
	}{
		{"a burst of what may be saved up", 100, 0, 0},
		{"one more than that", 101, 0, 101},
		{"the rate itself, for long", 5000, 100 * time.Millisecond, 0},
		{"twice the rate", 300, 50 * time.Millisecond, 200},
		{"ten times the rate", 300, 10 * time.Millisecond, 111},
	}
	for _, c := range cases {
		g := newFloodgate(nil)
		got := 0
		for i := 1; i <= c.posts && got == 0; i++ {
			if g.take(poster{"acme", "eve"}, start.Add(time.Duration(i)*c.every), perSecond) {
				got = i
			}
		}
		if got != c.found {
			t.Errorf("%s: got post %d, want %d", c.name, got, c.found)
		}
	}
}

func TestFloodgateForgetsOnlyFullBuckets(t *testing.T) {
	t.Parallel()
	g := newFloodgate(nil)
	clock := time.Now()
	g.turn(clock)
	at := clock
	for range 100 {
		g.take(poster{"acme", "eve"}, at, 10)
	}
	g.turn(clock.Add(floodBurst + 1))
	if !g.take(poster{"acme", "eve"}, at, 10) {
		t.Error("one turn later an empty bucket is full")
	}
	g.turn(clock.Add(2*floodBurst + 2))
	g.turn(clock.Add(3*floodBurst + 3))
	if n := len(g.now) + len(g.old); n != 0 {
		t.Errorf("got %d buckets of users who are quiet, want none", n)
	}
	for i := range 3 * maxPosters {
		g.turn(clock.Add(3*floodBurst + 3))
		g.take(poster{"acme", tenant.UserID(fmt.Sprint("u", i))}, at, 10)
	}
	if n := len(g.now) + len(g.old); n > 2*maxPosters {
		t.Errorf("got %d buckets, want at most %d", n, 2*maxPosters)
	}
}

// muters notes who is muted, and fails the first time.
type muters struct {
	fakeRooms
	mu    sync.Mutex
	calls []string
}

func (m *muters) MuteFlooder(_ context.Context, t tenant.TenantID, u tenant.UserID, r tenant.RoomID, _ uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, fmt.Sprint(t, "/", r, "/", u))
	if len(m.calls) == 1 {
		return errors.New("the database is away")
	}
	return nil
}

func (m *muters) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Who floods is muted once, and all that was stored before counts; others post on.
func TestFlooderIsMutedAndLosesNothingStored(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.exec(`UPDATE tenants SET limits = '{"messages_per_second": 2}'`) // a burst of 20
	town := s.room("town", tenant.Open, tenant.Std)
	m := &muters{}
	s.chat.rooms = m
	s.run(s.chat)
	var want []string
	n := 0
	post := func(u string) {
		n++
		s.post(town.by(u), fmt.Sprint("m", n))
		want = append(want, fmt.Sprintf("%d:m%d", n, n))
	}
	for range 20 {
		post("alice")
	}
	for range 18 {
		post("bob")
	}
	s.wantTexts("town", want...)
	if got := m.all(); len(got) > 0 {
		t.Fatalf("muted within the rate: got %q, want nobody", got)
	}
	// Each post is a batch: the first call fails, and the next post makes the second.
	s.eventually("alice is muted", func() bool {
		post("alice")
		return len(m.all()) == 2
	})
	for range 30 {
		post("alice")
	}
	s.wantTexts("town", want...)
	if got, want := m.all(), []string{"acme/town/alice", "acme/town/alice"}; !slices.Equal(got, want) {
		t.Errorf("muted: got %q, want %q", got, want)
	}
}

// What passes the mappings, in the long tail or over another path, the projector leaves out.
func TestMutedUsersPostsDoNotCount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town, hall := s.room("town", tenant.Open, tenant.Std), s.room("hall", tenant.Open, tenant.Std)
	for _, m := range []struct{ user, room, why, since, until string }{
		{"alice", "town", "muted", "-1 hour", ""},
		{"bob", "", "over_rate", "-1 hour", "1 hour"},
		{"carol", "", "over_rate", "-2 hours", "-1 hour"},
		{"bot", "town", "muted", "1 hour", ""},
	} {
		s.exec(`INSERT INTO mutes (tenant_id, user_id, room_id, why, since, until)
			VALUES ('acme', $1, $2, $3, now() + $4::interval, now() + nullif($5, '')::interval)`, m.user, m.room, m.why, m.since, m.until)
	}
	notices, err := s.conn.SubscribeSync(subject.PlatformNotice(s.tenant.Account, "*", "refused"))
	if err != nil {
		t.Fatal(err)
	}
	s.post(town.by("alice"), "muted here")
	s.post(hall.by("alice"), "m1")
	s.post(town.by("bob"), "too fast")
	s.post(hall.by("bob"), "too fast here too")
	s.post(venue{"bob.carol", tenant.Direct, tenant.Std}.by("bob"), "nor to one alone")
	s.post(town.by("carol"), "m1")
	s.post(town.by("bot"), "m2")
	s.run(s.chat)
	s.wantTexts("town", "1:m1", "2:m2")
	s.wantTexts("hall", "1:m1")
	s.eventually("what does not count is purged", func() bool {
		info, err := s.chat.streamInfo(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std))
		return err == nil && info.State.Msgs == 3
	})
	if m, err := notices.NextMsgWithContext(s.ctx()); err != nil || m.Subject != subject.PlatformNotice(s.tenant.Account, "alice", "refused") {
		t.Errorf("got %v, %v; want a notice to alice", m, err)
	}
	if m, err := notices.NextMsg(50 * time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("got %v, %v; want no notice for each post of a flooder", m, err)
	}
	for u, want := range map[tenant.UserID]tenant.Code{"alice": tenant.CodeForbidden, "bob": tenant.CodeRateLimited, "carol": ""} {
		_, err := s.chat.Post(s.ctx(), "acme", "town", u, tenant.PostRequest{Text: "over HTTP"})
		e, _ := tenant.AsError(err)
		if want == "" && err != nil || want != "" && (e == nil || e.Code != want) {
			t.Errorf("post of %s over HTTP: got %v, want code %q", u, err, want)
		}
	}
}

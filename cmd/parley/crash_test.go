package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/client"
	"parley/internal/chattest"
	"parley/internal/embedpg"
	"parley/tenant"
)

// A talker posts its share of numbered messages, each with one id until it is acknowledged. Some it posts without waiting, goes
// away, and comes back for the acknowledgement after the absence.
type talker struct {
	user  string
	token string
	rooms []string
	count atomic.Int64 // how many are acknowledged
	acked []posting    // in the order of their acknowledgements; to be read when talk has returned
	p     *peer
	err   error
}

// A posting is a message of a talker's.
type posting struct {
	room, text, id string
	at             time.Time
	away           bool // its acknowledgement was not waited for at first
}

// awayEvery is which part of the messages is left alone until after the absence.
const awayEvery = 25

func (s *server) talk(k *talker, posts int, url string, stop <-chan struct{}) {
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	var away []posting
	// try makes one attempt, on a new connection where the last one failed.
	try := func(m posting) bool {
		select {
		case <-stop:
			return true
		case <-tick.C:
		}
		if k.p == nil {
			if k.p, k.err = s.dial(url, k.user, nats.Token(k.token), nats.NoReconnect()); k.err != nil {
				k.p = nil
				return false
			}
		}
		if _, k.err = k.p.tryPost("chat.std.open."+m.room+"."+k.user, m.text, m.id, time.Second); k.err != nil {
			k.p.Close()
			k.p = nil
		}
		return k.err == nil
	}
	acknowledged := func(m posting) {
		for !try(m) { //nolint:revive // until it is
		}
		k.acked = append(k.acked, m)
		k.count.Add(1)
	}
	for n := range posts {
		m := posting{room: k.rooms[n%len(k.rooms)], text: fmt.Sprintf("%s-%d", k.user, n), id: nats.NewInbox(), at: time.Now()}
		if m.away = n%awayEvery == awayEvery-1; m.away {
			try(m) // whatever comes of it is forgotten
			away = append(away, m)
			continue
		}
		acknowledged(m)
	}
	for _, m := range away {
		select {
		case <-stop:
		case <-time.After(time.Until(m.at.Add(absence))):
		}
		acknowledged(m)
	}
}

// A witness hears all that comes live in a room, and what it missed from history.
type witness struct {
	user  string
	mu    sync.Mutex
	heard []client.Message
}

// order are the texts that were heard, by sequence; where is that of each in the history. Out of order is only what is said to
// be. A retry that came after the absence is heard again where the first was read from history, which does not tell its id.
func (w *witness) order(t *testing.T, where map[string]uint64) (texts []string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []client.Message
	var last uint64
	read := map[string]bool{}
	for _, m := range w.heard {
		switch {
		case m.Sender == tenant.System || where[m.Text] != m.Seq && read[m.Text]:
			continue
		case where[m.Text] != m.Seq:
			t.Errorf("%s hears %s under the sequence %d, want %d", w.user, m.Text, m.Seq, where[m.Text])
		case m.Seq <= last && !m.Late:
			t.Errorf("%s hears %s too late, and is not told so", w.user, m.Text)
		}
		last = max(last, m.Seq)
		read[m.Text] = m.ID == ""
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b client.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, m := range all {
		texts = append(texts, m.Text)
	}
	return texts
}

func (w *witness) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := map[string]bool{}
	for _, m := range w.heard {
		if m.Sender != tenant.System {
			texts[m.Text] = true
		}
	}
	return len(texts)
}

// witness listens in a room until the test ends.
func (s *server) witness(c *client.Client, room string) *witness {
	s.t.Helper()
	r, err := c.Room(s.t.Context(), room)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := c.Listen(s.t.Context(), r, r.Last)
	if err != nil {
		s.t.Fatal(err)
	}
	w := &witness{user: c.User()}
	go func() {
		for m := range l.Messages() {
			w.mu.Lock()
			w.heard = append(w.heard, m)
			w.mu.Unlock()
		}
	}()
	return w
}

func TestEveryAcknowledgedMessageSurvivesKills(t *testing.T) {
	t.Parallel()
	s := house(t)
	// Whoever was connected finds the program again where it was.
	door := chattest.Forward(t, strings.TrimPrefix(s.NATS, "nats://"))
	var rooms []string
	for i := range crashRooms {
		rooms = append(rooms, fmt.Sprintf("hall%d", i))
		s.room("acme", rooms[i], "open")
	}
	witnesses := map[string][]*witness{}
	for _, u := range []string{"alice", "bob"} {
		c, err := client.Connect(t.Context(), client.Options{URL: door.URL, User: u, Token: client.StaticToken(s.userToken("acme", u))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		for _, r := range rooms {
			witnesses[r] = append(witnesses[r], s.witness(c, r))
		}
	}
	var talkers []*talker
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range crashUsers {
		k := &talker{user: fmt.Sprintf("talker%d", i), rooms: rooms}
		talkers = append(talkers, k)
		s.users("acme", k.user)
		k.token = s.userToken("acme", k.user)
	}
	for _, k := range talkers {
		all.Go(func() { s.talk(k, crashPosts/crashUsers, door.URL, stop) })
	}
	t.Cleanup(func() { // where the test has ended before its time
		select {
		case <-stop:
		default:
			close(stop)
		}
		all.Wait()
	})
	for n := range kills {
		eventually(t, "a share of the messages is acknowledged", func() bool { return acknowledged(talkers) >= crashPosts*9/10*(n+1)/(kills+1) })
		s.kill()
		if left := processesIn(t, s.data); len(left) > 0 {
			eventually(t, "Postgres ends with its parent", func() bool { return len(processesIn(t, s.data)) == 0 })
		}
		s.start()
		door.Lead(strings.TrimPrefix(s.NATS, "nats://"))
	}
	all.Wait()
	for _, r := range rooms {
		s.wantAllOnce(r, talkers, witnesses[r])
	}
	t.Logf("%d messages of %d users in %d rooms, %d kills", acknowledged(talkers), crashUsers, crashRooms, kills)
}

func acknowledged(talkers []*talker) (n int) {
	for _, k := range talkers {
		n += int(k.count.Load())
	}
	return n
}

// wantAllOnce wants each acknowledged message of a room once in its history, those of one talker in the order of their
// acknowledgements, and the same to be heard live, in the same order.
func (s *server) wantAllOnce(room string, talkers []*talker, witnesses []*witness) {
	s.t.Helper()
	stored, where := s.storedIn(room)
	acked := 0
	for _, k := range talkers {
		var last uint64
		for _, m := range k.acked {
			if m.room != room {
				continue
			}
			acked++
			seq, there := where[m.text]
			if !there {
				s.t.Errorf("%s, which is acknowledged, is not there", m.text)
			}
			if !m.away {
				if seq <= last {
					s.t.Errorf("%s is stored out of the order of its acknowledgement", m.text)
				}
				last = seq
			}
		}
	}
	if len(stored) != acked {
		s.t.Errorf("%s: got %d messages, want the %d that are acknowledged", room, len(stored), acked)
	}
	for _, w := range witnesses {
		eventually(s.t, w.user+" has heard all of "+room, func() bool { return w.count() >= len(stored) })
		if got := w.order(s.t, where); !slices.Equal(got, stored) {
			s.t.Errorf("%s in %s: got %d messages, want the %d of the history in their order", w.user, room, len(got), len(stored))
		}
	}
}

// storedIn are the texts of a room's history, each of which must be there once, and their sequences.
func (s *server) storedIn(room string) (texts []string, where map[string]uint64) {
	s.t.Helper()
	where = map[string]uint64{}
	var last uint64
	for _, m := range s.allHistory("acme", room) {
		if m.Sender == tenant.System {
			continue
		}
		if m.Seq <= last || where[m.Text] != 0 {
			s.t.Errorf("%s is stored at %d behind %d, and at %d", m.Text, m.Seq, last, where[m.Text])
		}
		last, where[m.Text] = m.Seq, m.Seq
		texts = append(texts, m.Text)
	}
	return texts, where
}

// processesIn lists the processes that work in a folder: an orphaned Postgres would.
func processesIn(t *testing.T, data string) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, d := range dirs {
		cmdline, err := os.ReadFile(filepath.Join(d, "cmdline"))
		cwd, _ := os.Readlink(filepath.Join(d, "cwd"))
		if err == nil && (strings.Contains(string(cmdline), data) || strings.HasPrefix(cwd, data)) {
			pid, err := strconv.Atoi(filepath.Base(d))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// A postgres is a server that the test stops and starts, at one address.
type postgres struct {
	t      *testing.T
	dir    string
	server *embedpg.Server
}

func (p *postgres) start() {
	p.t.Helper()
	var err error
	if p.server, err = embedpg.Start(context.Background(), embedpg.Config{Dir: p.dir, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *postgres) stop() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.server.Stop(ctx); err != nil {
		p.t.Error(err)
	}
}

// outage is how long Postgres is away.
const outage = 30 * time.Second

func TestChatGoesOnWithoutPostgres(t *testing.T) {
	t.Parallel()
	pg := &postgres{t: t, dir: dataFolder(t)}
	pg.start()
	t.Cleanup(pg.stop)
	s := house(t, "--database-url", pg.server.URL())
	alice, bob := s.peer("acme", "alice"), s.peer("acme", "bob")
	live := bob.listen("live.std.open.lobby.*")
	var want []string
	post := func() {
		text := fmt.Sprint(len(want))
		alice.post("chat.std.open.lobby.alice", text, "")
		bob.next(live)
		want = append(want, "alice:"+text)
	}
	post()
	if got := s.texts("acme", "lobby"); got != want[0] {
		t.Fatalf("history: got %q, want %q", got, want[0])
	}

	pg.stop()
	over := time.After(outage)
	for away := true; away; {
		select {
		case <-over:
			away = false
		default:
			post()
			if len(want)%50 == 2 {
				if got := bob.ask("history", `{"room":"lobby"}`); got["ok"] != false || got["code"] != "unavailable" || got["message"] == "" {
					t.Errorf("history without Postgres: got %v, want unavailable", got)
				}
				if got := s.send(s.token, "GET", "/v1/tenants/acme/rooms/lobby/messages", ""); got.status != 503 {
					t.Errorf("HTTP without Postgres: got %d %s, want 503", got.status, got.body)
				}
				if _, err := s.dial(s.NATS, "alice", nats.UserInfo("acme/alice", "alice-password")); err == nil {
					t.Error("a connection was admitted without Postgres")
				}
			}
		}
	}
	pg.start()
	eventually(t, "reads are answered again", func() bool {
		return s.send(s.token, "GET", "/v1/tenants/acme/rooms/lobby/messages", "").status == 200
	})
	var got []string
	for _, m := range s.allHistory("acme", "lobby") {
		got = append(got, m.Sender+":"+m.Text)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("history after the outage: got %d messages, want the %d posted, in order", len(got), len(want))
	}
	s.peer("acme", "mallory")
}

func TestPostgresIsStartedAgainWhenItDies(t *testing.T) {
	t.Parallel()
	s := house(t)
	alice := s.peer("acme", "alice")
	alice.post("chat.std.open.lobby.alice", "before", "")
	b, err := os.ReadFile(filepath.Join(s.data, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(b), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	alice.post("chat.std.open.lobby.alice", "after", "")
	eventually(t, "the history is complete", func() bool {
		a := s.send(s.token, "GET", "/v1/tenants/acme/rooms/lobby/messages", "")
		return a.status == 200 && strings.Count(string(a.body), `"sender":"alice"`) == 2
	})
}

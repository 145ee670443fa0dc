package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/embedpg"
)

// kills is how often the program is killed under load.
const kills = 20

// A talker posts numbered messages until told to stop, each with one id until it is acknowledged.
type talker struct {
	user  string
	count atomic.Int64 // how many are acknowledged
	acked []string     // texts in the order of their acknowledgements; to be read when talk has returned
	err   error
}

func (s *server) talk(k *talker, rate time.Duration, addr func() string, stop <-chan struct{}) {
	user := k.user
	token := s.userToken("acme", user)
	subject := "chat.std.open.lobby." + user
	tick := time.NewTicker(rate)
	defer tick.Stop()
	var p *peer
	for n := 0; ; n++ {
		text, id := fmt.Sprintf("%s-%d", user, n), nats.NewInbox()
		for done := false; !done; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if p == nil {
				if p, k.err = s.dial(addr(), user, nats.Token(token), nats.NoReconnect()); k.err != nil {
					p = nil
					continue
				}
			}
			_, k.err = p.tryPost(subject, text, id, time.Second)
			if done = k.err == nil; !done {
				p.Close()
				p = nil
			}
		}
		k.acked = append(k.acked, text)
		k.count.Add(1)
	}
}

// allAcknowledged waits until each talker has one more message acknowledged than now.
func allAcknowledged(t *testing.T, talkers []*talker) {
	t.Helper()
	for _, k := range talkers {
		before := k.count.Load()
		eventually(t, k.user+" has a message acknowledged", func() bool { return k.count.Load() > before })
	}
}

func TestEveryAcknowledgedMessageSurvivesKills(t *testing.T) {
	t.Parallel()
	s := house(t)
	var mu sync.Mutex
	current := s.NATS
	addr := func() string {
		mu.Lock()
		defer mu.Unlock()
		return current
	}
	users := []string{"alice", "bob", "mallory"}
	talkers := make([]*talker, len(users))
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i, u := range users {
		talkers[i] = &talker{user: u}
		all.Go(func() { s.talk(talkers[i], 15*time.Millisecond, addr, stop) }) // together 200 posts a second
	}
	for range kills {
		allAcknowledged(t, talkers)
		s.kill()
		if left := processesIn(t, s.data); len(left) > 0 {
			eventually(t, "Postgres ends with its parent", func() bool { return len(processesIn(t, s.data)) == 0 })
		}
		s.start()
		mu.Lock()
		current = s.NATS
		mu.Unlock()
	}
	close(stop)
	all.Wait()

	var stored []string
	seen := map[string]int{}
	var last uint64
	for _, m := range s.allHistory("acme", "lobby") {
		if m.Seq <= last {
			t.Errorf("sequence %d comes after %d", m.Seq, last)
		}
		last = m.Seq
		stored = append(stored, m.Text)
		seen[m.Text]++
	}
	for _, k := range talkers {
		next := 0
		for _, text := range stored {
			if next < len(k.acked) && text == k.acked[next] {
				next++
			}
		}
		if next != len(k.acked) {
			t.Errorf("%s: got %d of %d acknowledged messages in order; the first missing is %s", k.user, next, len(k.acked), k.acked[next])
		}
	}
	for text, n := range seen {
		if n != 1 {
			t.Errorf("%s is stored %d times", text, n)
		}
	}
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

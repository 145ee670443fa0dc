package cluster

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/natstest"
	"parley/tenant"
)

// storm is how many connections come at once.
const storm = 500

// A crowd are users with their tokens.
type crowd struct {
	*site
	tokens []string
}

func newCrowd(t *testing.T, c Config) *crowd {
	t.Helper()
	s := &crowd{site: newSite(t, c)}
	for i := range 10 {
		s.tokens = append(s.tokens, s.user(tenant.UserID(fmt.Sprint("u", i))))
	}
	return s
}

// come connects a storm, each again and again until it is in or stop is closed, and counts those who are in.
func (s *crowd) come(stop <-chan struct{}) (in *atomic.Int64, wait func()) {
	in = new(atomic.Int64)
	var wg sync.WaitGroup
	for i := range storm {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				nc, err := s.dial(i, tenant.UserID(fmt.Sprint("u", i%len(s.tokens))), s.tokens[i%len(s.tokens)])
				if err == nil {
					in.Add(1)
					nc.Close()
					return
				}
			}
		})
	}
	return in, wg.Wait
}

// Whatever becomes of one of two callouts while a crowd comes, all get in by the other; without any nobody does, and
// when one is there again, all do.
func TestACrowdGetsInByOneOfTwoCallouts(t *testing.T) { // FLT-14
	t.Parallel()
	var hook atomic.Pointer[func()]
	s := newCrowd(t, Config{Callouts: 2, Delay: func() {
		if fn := hook.Load(); fn != nil {
			(*fn)()
		}
	}})
	s.all("with both", nil)

	var panics atomic.Int64
	crash := func() {
		if panics.Add(1) == 1 {
			panic("one request")
		}
	}
	hook.Store(&crash)
	s.all("while one decision panics", nil)

	// Every tenth decision hangs until long after the servers have given up.
	release := make(chan struct{})
	var asked atomic.Int64
	hang := func() {
		if n := asked.Add(1); n%10 == 0 && n <= 50 {
			<-release
		}
	}
	hook.Store(&hang)
	s.all("while some decisions hang", func() { close(release) })
	hook.Store(nil)

	stop := make(chan struct{})
	in, wait := s.come(stop)
	natstest.Eventually(t, "some to be in", func() bool { return in.Load() > 20 })
	s.KillCallout(1)
	wait()
	if n := in.Load(); n != storm {
		t.Errorf("got %d of %d in when one callout was killed, want all", n, storm)
	}
	s.all("with the other alone", nil)

	s.KillCallout(0)
	stop = make(chan struct{})
	in, wait = s.come(stop)
	for i := range s.Nodes { // one that came after the crowd was refused: the crowd has tried by then
		if nc, err := s.dial(i, "u0", s.tokens[0]); err == nil {
			nc.Close()
			t.Errorf("node %d let somebody in without a callout", i)
		}
	}
	if n := in.Load(); n != 0 {
		t.Errorf("got %d in without a callout, want none", n)
	}
	must(t, s.RestartCallout())
	wait()
	if n := in.Load(); n != storm {
		t.Errorf("got %d of %d in when a callout was there again, want all", n, storm)
	}
}

// all wants that a whole storm gets in; before it waits, after runs.
func (s *crowd) all(when string, after func()) {
	s.t.Helper()
	in, wait := s.come(nil)
	wait()
	if after != nil {
		after()
	}
	if n := in.Load(); n != storm {
		s.t.Errorf("%s: got %d of %d in, want all", when, n, storm)
	}
}

// A user is revoked while the callout has more to decide than it can: of what was decided before nothing stays, and
// of what is decided after it nobody gets in.
func TestARevocationAmongMoreThanTheCalloutCanDecide(t *testing.T) { // REV-17
	t.Parallel()
	var gate atomic.Pointer[chan struct{}]
	var held atomic.Int64
	s := newCrowd(t, Config{Delay: func() {
		if c := gate.Load(); c != nil {
			held.Add(1)
			<-*c
		}
	}})
	token, bob := s.user("alice"), s.user("bob")
	shut := make(chan struct{})
	gate.Store(&shut)
	came := make(chan *nats.Conn, storm)
	for i := range storm {
		go func() {
			nc, err := s.dial(i, "alice", token)
			if err != nil {
				nc = nil
			}
			came <- nc
		}()
	}
	natstest.Eventually(t, "all workers to be at work", func() bool { return held.Load() >= 8 })
	revoked := make(chan error, 1)
	go func() {
		_, err := s.revoke("alice")
		revoked <- err
	}()
	must(t, <-revoked)
	gate.Store(nil)
	close(shut)
	in := 0
	var all []*nats.Conn
	for range storm {
		if nc := <-came; nc != nil {
			in++
			all = append(all, nc)
		}
	}
	if n := int(held.Load()); in > n {
		t.Errorf("got %d connections, more than the %d that were decided before the revocation", in, n)
	}
	natstest.Eventually(t, "those that were half-way in to be closed", func() bool {
		return !slices.ContainsFunc(all, func(nc *nats.Conn) bool { return !nc.IsClosed() })
	})
	open, err := s.Accounts.Connections(t.Context(), s.account(), "alice")
	if err != nil || len(open) != 0 {
		t.Errorf("got %d connections of alice, %v; want none", len(open), err)
	}
	s.wantOut("alice", token)
	nc, err := s.dial(1, "bob", bob)
	if err != nil {
		t.Fatalf("the allowed twin: %v", err)
	}
	nc.Close()
}

func (s *site) account() string {
	s.t.Helper()
	row, err := s.Service.Tenant(s.t.Context(), tenant.Operator(), "acme")
	must(s.t, err)
	return row.Account
}

// From the answer to a revocation on, nothing that is said reaches the revoked, and he is closed at once.
func TestTheRevokedHearNothingAfterTheAnswer(t *testing.T) { // REV-03
	t.Parallel()
	s := newSite(t, Config{Callouts: 2})
	bob, err := s.dial(0, "bob", s.user("bob"))
	must(t, err)
	defer bob.Close()
	var said atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = bob.Publish("sig.std.open.town.bob", fmt.Append(nil, said.Add(1))) // he outlives it
			}
		}
	}()
	defer func() { close(stop); <-done }()
	var took []time.Duration
	for i := range revocations {
		u := tenant.UserID(fmt.Sprint("u", i))
		gone := make(chan struct{})
		nc, err := s.dial(i, u, s.user(u), nats.ClosedHandler(func(*nats.Conn) { close(gone) }))
		must(t, err)
		var heard atomic.Int64
		_, err = nc.Subscribe("sig.std.open.town.*", func(m *nats.Msg) {
			var n int64
			if _, err := fmt.Sscan(string(m.Data), &n); err == nil {
				heard.Store(n)
			}
		})
		must(t, err)
		natstest.Eventually(t, "him to hear", func() bool { return heard.Load() > 0 })
		begun := time.Now()
		r, err := s.revoke(u)
		until := said.Load()
		if err != nil || r.Disconnected != 1 {
			t.Fatalf("revoke %s: got %+v, %v; want one connection closed", u, r, err)
		}
		select {
		case <-gone:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s is revoked, and stays", u)
		}
		took = append(took, time.Since(begun))
		if n := heard.Load(); n > until {
			t.Errorf("%s heard signal %d, and the answer came at %d", u, n, until)
		}
	}
	slices.Sort(took)
	t.Logf("%d revocations on three nodes: the connection was closed after p50 %v, p99 %v, at most %v",
		len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}

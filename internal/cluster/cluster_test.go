package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/natstest"
	"parley/internal/pgtest"
	"parley/tenant"
	"parley/tenant/subject"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// A site is a cluster with the tenant acme.
type site struct {
	*Cluster
	t testing.TB
}

func newSite(t testing.TB, c Config) *site {
	t.Helper()
	c.Pool, c.Dir, c.Log = pgtest.NewPool(t), t.TempDir(), natstest.Log(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cl, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Stop)
	s := &site{cl, t}
	if _, _, err := s.Service.CreateTenant(ctx, tenant.Operator(), tenant.NewTenant{ID: "acme"}); err != nil {
		t.Fatal(err)
	}
	token := s.user("probe")
	for i := range s.Nodes {
		natstest.Eventually(t, "each node to reach a callout", func() bool {
			nc, err := s.dial(i, "probe", token)
			if err == nil {
				nc.Close()
			}
			return err == nil
		})
	}
	return s
}

// user makes a user and returns a token of his.
func (s *site) user(u tenant.UserID) string {
	s.t.Helper()
	token, err := s.newUser(u)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func (s *site) newUser(u tenant.UserID) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, _, err := s.Service.PutUser(ctx, tenant.Operator(), "acme", u, tenant.UserSpec{}); err != nil {
		return "", err
	}
	token, _, err := s.Service.MintToken(ctx, tenant.Operator(), "acme", u, time.Hour)
	return token.Reveal(), err
}

func (s *site) revoke(u tenant.UserID) (tenant.Revocation, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.Service.RevokeUser(ctx, tenant.Operator(), "acme", u, "out")
}

func (s *site) dial(node int, u tenant.UserID, token string, more ...nats.Option) (*nats.Conn, error) {
	return nats.Connect(s.URL(node), append([]nats.Option{
		nats.Token(token), nats.CustomInboxPrefix(subject.Inbox(u)), nats.Timeout(10 * time.Second), nats.NoReconnect(), nats.IgnoreDiscoveredServers(),
	}, more...)...)
}

// wantOut wants that a user gets in on no node.
func (s *site) wantOut(u tenant.UserID, token string) {
	s.t.Helper()
	for i := range s.Nodes {
		if nc, err := s.dial(i, u, token); err == nil {
			nc.Close()
			s.t.Errorf("%s got in on node %d, want him refused", u, i)
		}
	}
}

// The callout has said yes, its answer is slow, and the user is revoked meanwhile: no server looks
// again, so what came in is closed, whichever was first.
func TestARevocationClosesWhoWasHalfWayIn(t *testing.T) {
	t.Parallel()
	var gate atomic.Pointer[func()]
	s := newSite(t, Config{Callouts: 2, Delay: func() {
		if fn := gate.Load(); fn != nil {
			(*fn)()
		}
	}})
	bystander, err := s.dial(1, "carol", s.user("carol"))
	if err != nil {
		t.Fatal(err)
	}
	defer bystander.Close()
	for i := range tries {
		u := tenant.UserID(fmt.Sprint("u", i))
		token := s.user(u)
		halfway, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		hold := func() {
			once.Do(func() { close(halfway) })
			<-goOn
		}
		gate.Store(&hold)
		came := make(chan *nats.Conn, 1)
		closed := make(chan struct{})
		go func() {
			nc, err := s.dial(i, u, token, nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
			if err != nil {
				nc = nil
			}
			came <- nc
		}()
		<-halfway
		gate.Store(nil)
		// The answer leaves before, while and after the revocation runs.
		revoked := make(chan error, 1)
		revoke := func() {
			_, err := s.revoke(u)
			revoked <- err
		}
		switch i % 3 {
		case 0:
			go revoke()
			close(goOn)
		case 1:
			go revoke()
			time.AfterFunc(time.Duration(i%10)*time.Millisecond, func() { close(goOn) })
		default:
			revoke()
			close(goOn)
		}
		nc := <-came
		if err := <-revoked; err != nil {
			t.Fatalf("revoke %s: %v", u, err)
		}
		if nc == nil {
			continue // refused: it was decided on anew, or closed before it knew that it was in
		}
		select {
		case <-closed:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s was revoked while half-way in, and stays", u)
		}
		nc.Close()
		if i%10 == 0 {
			s.wantOut(u, token)
		}
	}
	if err := bystander.Flush(); err != nil {
		t.Errorf("a bystander was closed: %v", err)
	}
}

// A revoked client that goes on trying gets in nowhere.
func TestARevokedUserStaysOutOnAllNodes(t *testing.T) { // REV-04
	t.Parallel()
	s := newSite(t, Config{})
	token := s.user("alice")
	bob, err := s.dial(2, "bob", s.user("bob"))
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	var back atomic.Int64
	var tried atomic.Int64
	var all []*nats.Conn
	for i := range s.Nodes {
		nc, err := nats.Connect(s.URL(i), nats.Token(token), nats.CustomInboxPrefix(subject.Inbox("alice")), nats.Timeout(10*time.Second),
			nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0), nats.IgnoreAuthErrorAbort(),
			nats.ReconnectHandler(func(*nats.Conn) { back.Add(1) }),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) { tried.Add(1) })) // of each refusal
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		all = append(all, nc)
	}
	r, err := s.revoke("alice")
	if err != nil || r.Disconnected != len(all) {
		t.Fatalf("got %+v, %v; want %d connections closed", r, err, len(all))
	}
	natstest.Eventually(t, "the clients to have tried again and again", func() bool { return tried.Load() > 100 })
	if n := back.Load(); n != 0 {
		t.Errorf("got in %d times after the revocation", n)
	}
	s.wantOut("alice", token)
	if err := bob.Flush(); err != nil {
		t.Errorf("a bystander was closed: %v", err)
	}
}

// Two callouts share the work, and either may end.
func TestOneOfTwoCalloutsIsEnough(t *testing.T) { // FLT-14, REV-18
	t.Parallel()
	s := newSite(t, Config{Callouts: 2})
	token := s.user("alice")
	inside, err := s.dial(0, "alice", token)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	everywhere := func() (in int) {
		for i := range 2 * len(s.Nodes) {
			if nc, err := s.dial(i, "alice", token); err == nil {
				in++
				nc.Close()
			}
		}
		return in
	}
	for i, c := range s.Callouts {
		c.Stop()
		natstest.Eventually(t, fmt.Sprintf("all to get in without callout %d", i), func() bool { return everywhere() == 2*len(s.Nodes) })
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		natstest.Eventually(t, "all to get in with both", func() bool { return everywhere() == 2*len(s.Nodes) })
	}
	// Without any nobody gets in, and whoever is in stays.
	for _, c := range s.Callouts {
		c.Stop()
	}
	for i := range s.Nodes {
		// A server that waits for an answer may ping, which the client takes for a fault of its own.
		if nc, err := s.dial(i, "alice", token); err == nil {
			nc.Close()
			t.Errorf("node %d let somebody in without a callout", i)
		}
	}
	if err := inside.Flush(); err != nil {
		t.Errorf("who was in: %v", err)
	}
	if err := s.Callouts[0].Start(); err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "all to get in again", func() bool { return everywhere() == 2*len(s.Nodes) })
}

// A crowd of connections of a revoked user fills the callout's queue; none gets in, and others do.
func TestACrowdOfTheRevokedGetsNobodyIn(t *testing.T) { // REV-17
	t.Parallel()
	s := newSite(t, Config{})
	token := s.user("alice")
	if _, err := s.revoke("alice"); err != nil {
		t.Fatal(err)
	}
	bob := s.user("bob")
	var in atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if nc, err := s.dial(i, "alice", token); err == nil {
				in.Add(1)
				nc.Close()
			}
		})
	}
	natstest.Eventually(t, "another user to get in meanwhile", func() bool {
		nc, err := s.dial(0, "bob", bob)
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
	wg.Wait()
	if n := in.Load(); n != 0 {
		t.Errorf("got %d connections of a revoked user, want none", n)
	}
}

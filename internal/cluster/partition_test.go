package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"parley/accounts"
	"parley/client"
	"parley/internal/chattest"
	"parley/internal/natstest"
	"parley/tenant"
)

// A split is a site whose nodes reach each other through proxies, and whose control role has a clock of the test's.
type split struct {
	*site
	mu      sync.Mutex
	wires   map[[2]int]*chattest.Proxy
	ahead   time.Duration
	account string
	sys     *nats.Conn
	seed    []byte // of a scoped key of acme's
}

func newSplit(t *testing.T) *split {
	t.Helper()
	s := &split{wires: map[[2]int]*chattest.Proxy{}}
	s.site = newSite(t, Config{
		Through: func(from, to int, addr string) string {
			s.mu.Lock()
			defer s.mu.Unlock()
			p := chattest.Forward(t, addr)
			s.wires[[2]int{from, to}] = p
			return p.Addr
		},
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			return time.Now().Add(s.ahead)
		},
	})
	var err error
	s.sys, err = s.connect(0, accounts.RoleControl)
	must(t, err)
	row, err := s.Service.Tenant(t.Context(), tenant.Operator(), "acme")
	must(t, err)
	s.account = row.Account
	public, seed, err := client.NewSigningKey()
	must(t, err)
	s.seed = seed
	must(t, second(s.Service.AddKey(t.Context(), tenant.Operator(), "acme", tenant.KeySpec{Kind: tenant.KeyNATSScoped, Name: "office", KeyDetails: tenant.KeyDetails{Role: "member", PublicKey: public}})))
	return s
}

// signed makes a user whom his tenant signs, with what he connects with.
func (s *split) signed(u tenant.UserID) (nkey string, how nats.Option) {
	s.t.Helper()
	nkey, creds, err := client.SignUser(client.SigningOrder{Account: s.account, Seed: s.seed, Name: string(u), TTL: time.Hour})
	must(s.t, err)
	must(s.t, second(s.Service.PutUser(s.t.Context(), tenant.Operator(), "acme", u, tenant.UserSpec{NKey: &nkey})))
	return nkey, nats.UserCredentialBytes(creds)
}

// knock connects a signed user once.
func (s *split) knock(node int, nkey string, how nats.Option, more ...nats.Option) (*nats.Conn, error) {
	return nats.Connect(s.URL(node), append([]nats.Option{how, nats.CustomInboxPrefix("_INBOX." + nkey), nats.Timeout(10 * time.Second), nats.NoReconnect(), nats.IgnoreDiscoveredServers()}, more...)...)
}

func (s *split) isIn(node int, nkey string, how nats.Option) bool {
	nc, err := s.knock(node, nkey, how)
	if err == nil {
		nc.Close()
	}
	return err == nil
}

// cut takes a node from the others, and waits until all have noticed.
func (s *split) cut(node int) {
	s.t.Helper()
	s.each(node, (*chattest.Proxy).Break)
	natstest.Eventually(s.t, "the nodes to be apart", func() bool { return s.Nodes[node].NumRoutes() == 0 })
}

func (s *split) heal(node int) {
	s.t.Helper()
	s.each(node, (*chattest.Proxy).Mend)
	natstest.Eventually(s.t, "the nodes to be together", func() bool { return s.Nodes[node].NumRoutes() > 0 && acquainted(s.sys, len(s.Nodes)) })
}

func (s *split) each(node int, fn func(*chattest.Proxy)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ends, p := range s.wires {
		if ends[0] == node || ends[1] == node {
			fn(p)
		}
	}
}

// pass lets time go by for the control role, in which it hears of those that it can hear of.
func (s *split) pass(d time.Duration) {
	s.t.Helper()
	const step = 10 * time.Second
	for ; d > 0; d -= step {
		s.mu.Lock()
		s.ahead += step
		s.mu.Unlock()
		_, err := s.Accounts.Servers(s.t.Context())
		must(s.t, err)
	}
}

// holds is the account JWT that a node has of acme.
func (s *split) holds(node int) string {
	r, ok := s.Nodes[node].AccountResolver().(*server.DirAccResolver)
	if !ok {
		s.t.Fatal("the node has another resolver")
	}
	text, err := r.LoadAcc(s.account)
	if err != nil {
		return ""
	}
	return text
}

func (s *split) wanted() (text string, iat int64) {
	s.t.Helper()
	must(s.t, s.conf.Pool.QueryRow(s.t.Context(), `SELECT jwt, iat FROM accounts WHERE account = $1`, s.account).Scan(&text, &iat))
	return text, iat
}

func closing() (<-chan struct{}, nats.Option) {
	gone := make(chan struct{})
	return gone, nats.ClosedHandler(func(*nats.Conn) { close(gone) })
}

func (s *split) wantClosed(what string, gone <-chan struct{}) {
	s.t.Helper()
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		s.t.Errorf("%s stays open", what)
	}
}

// A node that is cut off can't hear of a revocation: whom it holds stays, and whom the servers let in by themselves
// comes in there, for as long as his JWT lasts. The others let him in no more at once; and the node follows when it is back.
func TestANodeThatWasCutOffFollowsARevocation(t *testing.T) { // REV-05
	t.Parallel()
	s := newSplit(t)
	const b = 2
	eve, eveCreds := s.signed("eve")
	bob, bobCreds := s.signed("bob")
	natstest.Eventually(t, "the node to know the key", func() bool { return s.isIn(b, eve, eveCreds) && s.isIn(b, bob, bobCreds) })
	gone, opt := closing()
	_, err := s.knock(b, eve, eveCreds, opt)
	must(t, err)
	stays, err := s.knock(b, bob, bobCreds)
	must(t, err)
	defer stays.Close()
	token := s.user("carol")
	carolGone, opt := closing()
	_, err = s.dial(b, "carol", token, opt)
	must(t, err)

	s.cut(b)
	for _, u := range []tenant.UserID{"eve", "carol"} {
		if _, err := s.revoke(u); !errors.Is(err, tenant.ErrUnavailable) {
			t.Errorf("revoke %s: got %v, want to be told that a node did not answer", u, err)
		}
	}
	if s.isIn(0, eve, eveCreds) || s.isIn(1, eve, eveCreds) {
		t.Error("a node that is not cut off lets eve in")
	}
	if nc, err := s.dial(b, "carol", token); err == nil {
		nc.Close()
		t.Error("a node that can't ask lets carol in")
	}
	again, opt := closing()
	if _, err := s.knock(b, eve, eveCreds, opt); err != nil {
		t.Errorf("eve on the node that is cut off: got %v, want her let in, or the documents are wrong", err)
	}
	// So long that the control role counts the node as gone, and ends its sweeps without it.
	s.pass(time.Minute)
	for _, u := range []tenant.UserID{"eve", "carol"} {
		must(t, s.Service.SweepUser(t.Context(), tenant.SweepUser{Tenant: "acme", User: u}))
	}

	run, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Accounts.Run(run) })
	defer running.Wait()
	defer stop()
	s.heal(b)
	s.wantClosed("eve's connection", gone)
	s.wantClosed("the one that she opened meanwhile", again)
	s.wantClosed("carol's connection", carolGone)
	natstest.Eventually(t, "eve to be refused", func() bool { return !s.isIn(b, eve, eveCreds) })
	natstest.Eventually(t, "bob to be let in", func() bool { return s.isIn(b, bob, bobCreds) })
	text, _ := s.wanted()
	natstest.Eventually(t, "the node to have the newest claims", func() bool { return s.holds(b) == text })
}

// Of two updates within a second one node misses the second, and has it when it is back.
func TestTwoUpdatesInOneSecondReachANodeThatMissedTheSecond(t *testing.T) { // REV-07
	t.Parallel()
	s := newSplit(t)
	const b = 2
	eve, eveCreds := s.signed("eve")
	natstest.Eventually(t, "the node to know the key", func() bool { return s.isIn(b, eve, eveCreds) })
	first, iat := s.wanted()
	natstest.Eventually(t, "the node to have the claims", func() bool { return s.holds(b) == first })
	// As if the second had not ended yet: the next is signed at the same time, or in what is left of it.
	_, err := s.conf.Pool.Exec(t.Context(), `UPDATE accounts SET iat = greatest(iat, extract(epoch FROM now())::bigint) WHERE account = $1`, s.account)
	must(t, err)
	s.cut(b)
	if _, err := s.revoke("eve"); !errors.Is(err, tenant.ErrUnavailable) {
		t.Errorf("got %v, want to be told that a node did not answer", err)
	}
	second, next := s.wanted()
	if next <= iat || second == first || s.holds(0) != second || s.holds(b) != first {
		t.Fatalf("got iat %d after %d; want the node alone to have missed the second", next, iat)
	}
	s.heal(b)
	natstest.Eventually(t, "the node to have the second", func() bool { return s.holds(b) == second })
	natstest.Eventually(t, "eve to be refused", func() bool { return !s.isIn(b, eve, eveCreds) })
}

// The clock is set back by an hour, then somebody is revoked, while a node is away that has claims of the later time:
// they don't come back with it.
func TestAClockSetBackUndoesNoRevocation(t *testing.T) { // REV-08
	t.Parallel()
	s := newSplit(t)
	const b = 2
	eve, eveCreds := s.signed("eve")
	s.mu.Lock()
	s.ahead = time.Hour
	s.mu.Unlock()
	bob, bobCreds := s.signed("bob")
	_, err := s.Service.CreateRoom(t.Context(), tenant.Operator(), "acme", tenant.NewRoom{ID: "town", Kind: string(tenant.Open)})
	must(t, err)
	_, err = s.Service.FreezeRoom(t.Context(), tenant.Operator(), "acme", "town", true) // signs claims of the later time
	must(t, err)
	later, iat := s.wanted()
	if iat < time.Now().Add(50*time.Minute).Unix() {
		t.Fatalf("got iat %d, want one of the later time", iat)
	}
	natstest.Eventually(t, "the node to have the later claims", func() bool { return s.holds(b) == later && s.isIn(b, eve, eveCreds) })
	s.cut(b)
	s.mu.Lock()
	s.ahead = 0
	s.mu.Unlock()
	_, _ = s.revoke("eve") // one node does not answer
	revoked, next := s.wanted()
	if next <= iat {
		t.Errorf("got iat %d after %d, want a greater one", next, iat)
	}
	s.heal(b)
	for i := range s.Nodes {
		natstest.Eventually(t, fmt.Sprintf("node %d to have the claims with the revocation", i), func() bool { return s.holds(i) == revoked })
		natstest.Eventually(t, fmt.Sprintf("node %d to refuse eve", i), func() bool { return !s.isIn(i, eve, eveCreds) })
		if !s.isIn(i, bob, bobCreds) {
			t.Errorf("node %d refuses bob", i)
		}
	}
}

// A node is down while somebody is revoked. Started as ADR 5 wants, with the accounts as Postgres has them before it
// takes connections, it lets him in not once, whatever became of its folder.
func TestANodeThatWasDownKnowsTheRevocations(t *testing.T) { // REV-06, REV-11
	t.Parallel()
	s := newSplit(t)
	const b = 2
	eve, eveCreds := s.signed("eve")
	bob, bobCreds := s.signed("bob")
	natstest.Eventually(t, "the node to know the key", func() bool { return s.isIn(b, eve, eveCreds) })
	s.StopNode(b)
	natstest.Eventually(t, "a revocation without the node", func() bool {
		_, err := s.revoke("eve")
		return err == nil
	})
	must(t, s.StartNode(t.Context(), b))
	for range 20 {
		if s.isIn(b, eve, eveCreds) {
			t.Fatal("eve is let in by the node that was down")
		}
	}
	if !s.isIn(b, bob, bobCreds) {
		t.Error("the node refuses bob")
	}
	text, _ := s.wanted()
	if s.holds(b) != text {
		t.Error("the node has other claims than Postgres")
	}
}

package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// Of more connections than a tenant may have, as many get in as it may, the others are told why, and neither they
// nor a storm of reconnections costs anybody else a connection.
func TestAHundredOfAHundredAndFiftyGetIn(t *testing.T) { // LIM-01
	t.Parallel()
	const limit, all = 100, 150
	s := house(t)
	furnish(s, "umbrella")
	s.limit("acme", fmt.Sprintf(`{"connections":%d,"connections_per_user":%d}`, limit, all))
	token, other := s.userToken("acme", "bob"), s.userToken("umbrella", "alice")
	neighbour := func() {
		t.Helper()
		p, err := s.dial(s.NATS, "alice", nats.Token(other), nats.NoReconnect(), nats.Timeout(patience))
		if err != nil {
			t.Fatalf("a user of another tenant: %v", err)
		}
		p.post("chat.std.open.lobby.alice", "undisturbed", "")
		p.Close()
	}
	type arrival struct {
		*peer
		err error
	}
	came := make(chan arrival, all)
	for range all {
		go func() {
			p, err := s.dial(s.NATS, "bob", nats.Token(token), nats.Timeout(patience))
			for err != nil && strings.Contains(err.Error(), "Authorization Violation") { // nobody decided in time
				p, err = s.dial(s.NATS, "bob", nats.Token(token), nats.Timeout(patience))
			}
			came <- arrival{p, err}
		}()
	}
	neighbour()
	var in []*peer
	for range all {
		a := <-came
		if a.err == nil {
			in = append(in, a.peer)
		} else if !strings.Contains(a.err.Error(), "maximum account active connections exceeded") {
			t.Errorf("one that is not let in: got %v, want to be told why", a.err)
		}
	}
	if len(in) != limit {
		t.Errorf("got %d connections, want the %d of the limit", len(in), limit)
	}
	for _, p := range in[:limit/2] {
		if err := p.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
	}
	neighbour()
	for i, p := range in {
		eventually(t, fmt.Sprintf("connection %d is in", i), func() bool { return p.IsConnected() && p.FlushTimeout(patience) == nil })
		if n := p.Stats().Reconnects; (n > 0) != (i < limit/2) {
			t.Errorf("connection %d: got %d reconnections, want some only of those that were sent away", i, n)
		}
	}
}

// A connection has a bounded number of subscriptions, however deep they are; beyond it the server says so, and others
// don't notice.
func TestSubscriptionsOfAConnectionAreBounded(t *testing.T) { // LIM-02
	t.Parallel()
	const limit, beyond = 1000, 500
	s := house(t)
	mallory, alice := s.peer("acme", "mallory"), s.peer("acme", "alice")
	mallory.post("chat.std.open.lobby.mallory", "before", "") // subscribes to where acknowledgements come
	deep := strings.Repeat(".*", 200)
	for i := range limit - 1 + beyond {
		if _, err := mallory.SubscribeSync(fmt.Sprintf("_INBOX.mallory.%d%s", i, deep)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range beyond {
		select {
		case got := <-mallory.denied:
			if !strings.Contains(strings.ToLower(got), "maximum subscriptions exceeded") {
				t.Fatalf("got %q, want that there are too many subscriptions", got)
			}
		case <-time.After(patience):
			t.Fatalf("got %d refusals of subscriptions, want %d", n, beyond)
		}
	}
	if err := mallory.Flush(); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-mallory.denied:
		t.Errorf("got %q for a subscription within the limit", got)
	default:
	}
	live := alice.listen("live.std.open.lobby.*")
	mallory.post("chat.std.open.lobby.mallory", "twin", "")
	alice.next(live)
}

// A post of the limit's bytes is stored, one more is not; what is beyond the server's own limit is not sent at all.
func TestMessagesAreBounded(t *testing.T) { // LIM-03
	t.Parallel()
	const limit = 4096
	s := house(t)
	s.limit("acme", fmt.Sprintf(`{"message_bytes":%d}`, limit))
	alice, bob := s.peer("acme", "alice"), s.peer("acme", "bob")
	live := bob.listen("live.std.open.lobby.*")
	refused := alice.listen("live.user.alice.refused")
	body := func(n int) string { return `{"text":"` + strings.Repeat("x", n-len(`{"text":""}`)) + `"}` }
	send := func(n int) error {
		_, err := alice.tryBody("chat.std.open.lobby.alice", body(n), "", 10*time.Second)
		return err
	}
	for _, n := range []int{limit - 1, limit} {
		if err := send(n); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if got := len(bob.next(live).Data); got != n {
			t.Errorf("got %d bytes, want %d", got, n)
		}
	}
	if err := send(limit + 1); err == nil { // it may be stored, and does not count
		alice.next(refused)
	}
	if err := send(1 << 20); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("1 MiB: got %v, want the maximum payload", err)
	}
	if err := send(limit - 1); err != nil {
		t.Errorf("the allowed twin: %v", err)
	}
	if got := s.history("acme", "lobby"); len(got) != 3 {
		t.Errorf("history: got %d messages, want the 3 within the limit", len(got))
	}
}

// Each of many users who come at once under a limit of his own gets in once.
func TestACrowdOfUsersOneConnectionEach(t *testing.T) { // LIM-01
	t.Parallel()
	s := house(t)
	s.limit("acme", `{"connections_per_user":1}`)
	var wg sync.WaitGroup
	for _, u := range []string{"alice", "bob", "mallory"} {
		token := s.userToken("acme", u)
		in := make(chan error, 10)
		for range cap(in) {
			wg.Go(func() {
				_, err := s.dial(s.NATS, u, nats.Token(token), nats.NoReconnect(), nats.Timeout(patience))
				in <- err
			})
		}
		wg.Wait()
		n := 0
		for range cap(in) {
			if <-in == nil {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: got %d connections, want one", u, n)
		}
	}
}

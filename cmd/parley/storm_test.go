package main

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/client"
)

// A storm is many clients that come at once: stock ones, that ignore the give-up rule, and some of our SDK.
type storm struct {
	*server
	stock []*peer
	ours  []*client.Client
}

// raise has a storm come, and returns when each client has got in once.
func (s *server) raise(size int) *storm {
	s.t.Helper()
	w := &storm{server: s}
	token := s.userToken("acme", "bob")
	proofs := []nats.Option{nats.Token(token), nats.UserCredentials(s.credsFile("acme", "bob")), nats.UserInfo("acme/bob", "bob-password")}
	stock, ours := make(chan *peer, size), make(chan *client.Client, size)
	for i := range size {
		if i%50 == 0 {
			go func() {
				c, err := client.Connect(s.t.Context(), client.Options{URL: s.NATS, User: "bob", Token: client.StaticToken(token)})
				if err != nil {
					s.t.Error(err)
				}
				ours <- c
			}()
			continue
		}
		go func() {
			p, err := s.dial(s.NATS, "bob", proofs[i%len(proofs)], nats.Timeout(patience), nats.RetryOnFailedConnect(true),
				nats.ReconnectWait(500*time.Millisecond), nats.ReconnectJitter(2*time.Second, 2*time.Second))
			if err != nil {
				s.t.Error(err)
			}
			stock <- p
		}()
	}
	for i := range size {
		if i%50 == 0 {
			if c := <-ours; c != nil {
				w.ours = append(w.ours, c)
			}
		} else if p := <-stock; p != nil {
			w.stock = append(w.stock, p)
		}
	}
	return w
}

// in counts the stock clients that are connected.
func (w *storm) in() (n int) {
	for _, p := range w.stock {
		if p.IsConnected() {
			n++
		}
	}
	return n
}

// whole waits until all are in, those of our SDK as far as they can ask something.
func (w *storm) whole(what string) {
	w.t.Helper()
	eventually(w.t, what, func() bool { return w.in() == len(w.stock) })
	for _, c := range w.ours {
		ctx, cancel := context.WithTimeout(w.t.Context(), patience)
		if _, err := c.WhoAmI(ctx); err != nil {
			w.t.Errorf("%s: a client of ours: %v", what, err)
		}
		cancel()
	}
}

func (w *storm) close() {
	for _, p := range w.stock {
		p.Close()
	}
	for _, c := range w.ours {
		c.Close()
	}
}

// A storm gets in whole, by whatever method, while who is in posts on; and so it does when all were
// thrown out, and refused for a while. It ends no client for good.
func TestAStormGetsInWhileOthersPost(t *testing.T) {
	t.Parallel()
	s := house(t)
	alice := s.peer("acme", "alice")
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		for i := range 50 {
			alice.post("chat.std.open.lobby.alice", strconv.Itoa(i), "")
		}
	}()
	w := s.raise(stormSize)
	defer w.close()
	<-posted
	w.whole("all are in")
	if alice.Stats().Reconnects != 0 {
		t.Error("the storm cost alice her connection")
	}
	s.call(http.MethodPatch, "/v1/tenants/acme", `{"status":"suspended"}`)
	eventually(t, "none is in", func() bool { return !alice.IsConnected() && w.in() == 0 })
	s.call(http.MethodPatch, "/v1/tenants/acme", `{"status":"active"}`)
	w.whole("all are back")
}

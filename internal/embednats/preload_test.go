package embednats_test

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/internal/embednats"
)

// as is an option to connect as a user of the account.
func (w *world) as(pair nkeys.KeyPair) nats.Option {
	c := jwt.NewUserClaims(public(pair))
	text := must(c.Encode(w.account))
	return nats.UserJWT(func() (string, error) { return text, nil }, pair.Sign)
}

// Many come at once when the port opens: a server that builds the account then lets the revoked in meanwhile.
func TestTheRevokedDontComeInWhileTheServerStarts(t *testing.T) { // REV-06
	t.Parallel()
	w := newWorld(t)
	op := must(nkeys.CreateOperator())
	sys := must(nkeys.CreateAccount())
	o := jwt.NewOperatorClaims(public(op))
	o.SystemAccount = public(sys)
	eve, bob := must(nkeys.CreateUser()), must(nkeys.CreateUser())
	a := jwt.NewAccountClaims(public(w.account))
	for i := range 200 { // which takes a while
		a.AddMapping(jwt.Subject(fmt.Sprintf("chat.std.open.r%d.*", i)), jwt.WeightedMapping{Subject: "void.frozen", Weight: 100})
	}
	a.Revocations = jwt.RevocationList{public(eve): 1 << 40}
	w.config.Operator = must(o.Encode(op))
	w.config.Accounts = map[string]string{public(sys): must(jwt.NewAccountClaims(public(sys)).Encode(op)), public(w.account): must(a.Encode(op))}
	byEve, byBob := w.as(eve), w.as(bob)
	for range 5 {
		l := must((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))
		w.config.NATS = l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var in [2]atomic.Int64
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for i := range 8 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					nc, err := nats.Connect("nats://"+w.config.NATS, []nats.Option{byEve, byBob}[i%2], nats.NoReconnect(), nats.Timeout(5*time.Second))
					if err == nil {
						in[i%2].Add(1)
						nc.Close()
					}
				}
			})
		}
		s := must(embednats.Start(w.config))
		nc := must(nats.Connect(s.ClientURL(), byBob))
		nc.Close()
		close(stop)
		wg.Wait()
		s.Kill()
		if n := in[0].Load(); n != 0 {
			t.Errorf("eve got in %d times, want never", n)
		}
	}
}

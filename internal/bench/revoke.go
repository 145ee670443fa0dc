package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

const (
	revocations = 200
	bystanders  = 500
	connections = 2 // of each user, TCP and WebSocket
)

// revoke measures how long a revoked user stays connected.
func revoke(ctx context.Context, b *bench) error {
	var lost atomic.Int64
	others, err := dialAll(bystanders, b.parley.NATS, func(i int) nats.Option { return nats.Token(b.account.tokens[i]) })
	defer closeAll(others)
	if err != nil {
		return err
	}
	for _, nc := range others {
		nc.SetClosedHandler(func(*nats.Conn) { lost.Add(1) })
	}
	n := b.count(revocations)
	tokens := make([]string, n)
	if err := parallel(n, func(i int) (err error) {
		tokens[i], err = b.api.user(ctx, tenantID, victim(i))
		return err
	}); err != nil {
		return err
	}
	var all []revoked
	for i, token := range tokens {
		r, err := b.revokeOne(ctx, victim(i), token)
		if err != nil {
			return fmt.Errorf("user %s: %w", victim(i), err)
		}
		all = append(all, r)
	}
	if n := lost.Load(); n > 0 {
		return fmt.Errorf("%d connections of other users were closed", n)
	}
	fmt.Fprintf(b.out, "\n## Revocations\n\n%d users with a TCP and a WebSocket connection each, one after the other, while %d other connections are open.\n",
		n, bystanders)
	tellRevoked(b, all)
	return nil
}

func victim(i int) tenant.UserID { return tenant.UserID(fmt.Sprintf("victim%03d", i)) }

// revoked is what one revocation took from the start of the call.
type revoked struct {
	closed   time.Duration // until both clients saw their connections closed
	answered time.Duration // until the answer came
	told     time.Duration // what it says
	counted  int           // connections that it says were closed
}

func (b *bench) revokeOne(ctx context.Context, u tenant.UserID, token string) (r revoked, err error) {
	gone := make(chan time.Time, connections)
	closed := nats.ClosedHandler(func(*nats.Conn) { gone <- time.Now() })
	for _, url := range []string{b.parley.NATS, b.parley.WS} {
		nc, err := dial(url, u, nats.Token(token), closed)
		if err != nil {
			return r, err
		}
		defer nc.Close()
	}
	var answer struct {
		Disconnected int
		TookMS       float64 `json:"took_ms"`
	}
	begun := time.Now()
	if err := b.api.call(ctx, http.MethodPost, userPath(tenantID, u)+"/revoke", map[string]string{"reason": "bench"}, &answer); err != nil {
		return r, err
	}
	r.answered = time.Since(begun)
	r.told, r.counted = time.Duration(answer.TookMS*float64(time.Millisecond)), answer.Disconnected
	patience := time.NewTimer(10 * time.Second)
	defer patience.Stop()
	for range connections {
		select {
		case at := <-gone:
			r.closed = max(r.closed, at.Sub(begun))
		case <-patience.C:
			return r, errors.New("a connection was not closed")
		}
	}
	return r, nil
}

func tellRevoked(b *bench, all []revoked) {
	counted := 0
	for _, r := range all {
		counted += r.counted
	}
	fmt.Fprintf(b.out, "The answers count %d closed connections of %d.\n", counted, connections*len(all))
	column := func(of func(revoked) time.Duration) (took []time.Duration) {
		for _, r := range all {
			took = append(took, of(r))
		}
		return took
	}
	tellTimes(b.out, []times{
		{"last connection seen closed by its client", column(func(r revoked) time.Duration { return r.closed })},
		{"answer of the HTTP API", column(func(r revoked) time.Duration { return r.answered })},
		{"`took_ms` in the answer", column(func(r revoked) time.Duration { return r.told })},
	})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"parley/client"
)

const (
	rightsPosts  = 10_000
	rightsWindow = 64
	rightsEvery  = 500 // posts between two changes
)

// rights measures what a listener loses while his rights change: he is put into one room after
// the other, hears so and reconnects, while another user posts.
func rights(ctx context.Context, b *bench) error {
	listener, poster := userID(0), userID(1)
	c, err := client.Connect(ctx, client.Options{
		URL: b.parley.NATS, User: string(listener),
		Token: func(context.Context) (string, error) { return b.account.tokens[0], nil },
	})
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.Room(ctx, roomID)
	if err != nil {
		return err
	}
	l, err := c.Listen(ctx, r, r.Last)
	if err != nil {
		return err
	}
	nc, err := dial(b.parley.NATS, poster, nats.Token(b.account.tokens[1]))
	if err != nil {
		return err
	}
	defer nc.Close()
	n := b.count(rightsPosts)
	sent := make(chan error, 1)
	begun := time.Now()
	go func() { sent <- b.postWhileRightsChange(ctx, nc, n) }()
	got, last := 0, uint64(0)
	for got < n {
		select {
		case m, ok := <-l.Messages():
			switch {
			case !ok:
				return errors.Join(errors.New("the listener ended"), l.Err())
			case m.Sender != string(poster):
			case m.Seq <= last:
				return fmt.Errorf("message %d came after %d", m.Seq, last)
			default:
				got, last = got+1, m.Seq
			}
		case <-time.After(20 * time.Second):
			return fmt.Errorf("%d of %d messages came", got, n)
		}
	}
	if err := <-sent; err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\n## Rights that change\n\n%d messages while the listener's rights changed %d times and he reconnected %d times: "+
		"%d came, each once and in order, in %s.\n", n, n/rightsEvery, c.Stats().Reconnects, got, time.Since(begun).Round(time.Millisecond))
	return nil
}

// postWhileRightsChange keeps some posts in flight, and has the listener put into a room now and then.
func (b *bench) postWhileRightsChange(ctx context.Context, nc *nats.Conn, n int) error {
	acks := make(chan error, rightsWindow)
	inbox := nc.NewInbox()
	sub, err := nc.Subscribe(inbox, func(m *nats.Msg) { acks <- checkAck(m) })
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	flying := 0
	for i := range n {
		if i%rightsEvery == 0 {
			id := fmt.Sprint("side", time.Now().UnixNano())
			if err := b.api.call(ctx, http.MethodPost, "/"+tenantID+"/rooms", map[string]string{"id": id, "kind": "private"}, nil); err != nil {
				return err
			}
			if err := b.api.call(ctx, http.MethodPut, "/"+tenantID+"/rooms/"+id+"/members/"+string(userID(0)), map[string]string{"role": "member"}, nil); err != nil {
				return err
			}
		}
		for ; flying == rightsWindow; flying-- {
			if err := <-acks; err != nil {
				return err
			}
		}
		if err := nc.PublishRequest(room(userID(1)).Chat(), inbox, body); err != nil {
			return err
		}
		flying++
	}
	for ; flying > 0; flying-- {
		if err := <-acks; err != nil {
			return err
		}
	}
	return nil
}

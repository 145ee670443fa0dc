package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant/subject"
)

// delivery measures messages that come to every subscriber of one room, against plain
// publications to as many subscribers of a bare server. Both keep the same number of messages
// in flight: who publishes without waiting has many messages written to a socket at once,
// which makes each of them a lot cheaper.
func delivery(ctx context.Context, b *bench) error {
	var groups [][]result
	for _, size := range []struct{ subscribers, alone, busy int }{{100, 200, 500}, {1000, 30, 100}} {
		r, err := b.delivery(ctx, size.subscribers, []load{{1, b.count(size.alone)}, {16, b.count(size.busy)}})
		if err != nil {
			return err
		}
		groups = append(groups, r...)
	}
	fmt.Fprintf(b.out, "\n## Delivery\n\n%d bytes to each subscriber of one room, every one a TCP connection; %d rounds. "+
		"A message is in flight until all have it; p50 and p99 are of that time.\n", len(body), b.rounds())
	tell(b.out, "delivery", groups...)
	return nil
}

// load is n messages, so many of them in flight.
type load struct{ inFlight, n int }

func (b *bench) delivery(ctx context.Context, subscribers int, loads []load) (groups [][]result, err error) {
	raw, err := gather(subscribers, b.plain.NATS, func(int) nats.Option { return nats.UserInfo(bareUser, barePassword) })
	defer raw.close()
	if err != nil {
		return nil, err
	}
	ours, err := gather(subscribers, b.parley.NATS, func(i int) nats.Option { return nats.Token(b.account.tokens[i]) })
	defer ours.close()
	if err != nil {
		return nil, err
	}
	for _, l := range loads {
		name := fmt.Sprintf("%d subscribers, %d in flight, ", subscribers, l.inFlight)
		r, err := interleave(ctx, b.rounds(), []variant{
			{name + "core NATS", b.plain, l.n * subscribers, func(ctx context.Context) (outcome, error) {
				return raw.hear(ctx, l, raw.publish)
			}},
			{name + "Parley", b.parley, l.n * subscribers, func(ctx context.Context) (outcome, error) {
				o, err := ours.hear(ctx, l, ours.post)
				return o, errors.Join(err, ours.acknowledged(ctx, l.n), b.api.projected(ctx, tenantID+"/rooms/"+roomID))
			}},
		})
		if err != nil {
			return nil, err
		}
		groups = append(groups, r)
	}
	return groups, nil
}

// crowd is a sender and subscribers of one room.
type crowd struct {
	conns []*nats.Conn  // of the subscribers; the first sends too
	count atomic.Int64  // deliveries
	heard chan struct{} // one for each message that all have
	inbox string
	acks  chan error
}

const mostInFlight = 1 << 10

// gather opens the connections. The crowd is to be closed also after an error.
func gather(n int, url string, proof func(user int) nats.Option) (c *crowd, err error) {
	c = &crowd{heard: make(chan struct{}, mostInFlight), acks: make(chan error, mostInFlight)}
	if c.conns, err = dialAll(n, url, proof); err != nil {
		return c, err
	}
	c.inbox = c.conns[0].NewInbox()
	if _, err := c.conns[0].Subscribe(c.inbox, func(m *nats.Msg) { c.acks <- checkAck(m) }); err != nil {
		return c, err
	}
	p := room(subject.Any)
	return c, parallel(n, func(i int) error {
		if _, err := c.conns[i].Subscribe(p.Live(), c.deliver); err != nil {
			return err
		}
		return c.conns[i].FlushTimeout(10 * time.Second)
	})
}

func (c *crowd) close() { closeAll(c.conns) }

func (c *crowd) deliver(*nats.Msg) {
	if c.count.Add(1)%int64(len(c.conns)) == 0 {
		c.heard <- struct{}{}
	}
}

// hear sends messages and returns when every subscriber has them all.
func (c *crowd) hear(ctx context.Context, l load, send func() error) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begun := time.Now()
	var sent []time.Time // and not heard
	for n := 0; n < l.n || len(sent) > 0; {
		if n < l.n && len(sent) < l.inFlight {
			sent = append(sent, time.Now())
			if err := send(); err != nil {
				return o, err
			}
			n++
			continue
		}
		select {
		case <-c.heard:
			o.each = append(o.each, time.Since(sent[0]))
			sent = slices.Delete(sent, 0, 1)
		case <-ctx.Done():
			return o, fmt.Errorf("after %d deliveries: %w", c.count.Load(), ctx.Err())
		}
	}
	o.wall = time.Since(begun)
	return o, nil
}

// publish publishes without an acknowledgement: core NATS has none.
func (c *crowd) publish() error { return c.conns[0].Publish(room(userID(0)).Live(), body) }

// post posts as users do; acknowledged looks at the answers.
func (c *crowd) post() error {
	m := nats.NewMsg(room(userID(0)).Chat())
	m.Data, m.Reply = body, c.inbox
	m.Header.Set("Nats-Msg-Id", rand.Text())
	return c.conns[0].PublishMsg(m)
}

func (c *crowd) acknowledged(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for range n {
		select {
		case err := <-c.acks:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for an acknowledgement: %w", ctx.Err())
		}
	}
	return nil
}

// checkAck wants that an answer is the stream's word that it holds the message.
func checkAck(m *nats.Msg) error {
	var ack struct {
		Seq   uint64
		Error *struct{ Description string }
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return fmt.Errorf("decode the acknowledgement %q: %w", m.Data, err)
	}
	if ack.Error != nil || ack.Seq == 0 {
		return fmt.Errorf("not stored: %s", m.Data)
	}
	return nil
}

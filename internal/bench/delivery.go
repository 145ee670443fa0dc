package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"parley/tenant/subject"
)

// delivery measures messages that come to every subscriber of one room, against plain
// publications to as many subscribers of a bare server. Both keep the same number of messages
// in flight: who publishes without waiting has many messages written to a socket at once,
// which makes each of them a lot cheaper.
func delivery(ctx context.Context, b *bench) error {
	sizes, err := b.crowds()
	if err != nil {
		return err
	}
	most := sizes[len(sizes)-1].subscribers
	raw, err := gather(most, b.plain.NATS, func(int) nats.Option { return nats.UserInfo(bareUser, barePassword) })
	defer raw.close()
	if err != nil {
		return err
	}
	ours, err := gather(most, b.parley.NATS, func(i int) nats.Option { return nats.Token(b.account.tokens[i]) })
	defer ours.close()
	if err != nil {
		return err
	}
	if err := makeStream(ctx, b.plain.NATS, jetstream.StreamConfig{
		Name: "again", Subjects: []string{republished + ">"}, RePublish: &jetstream.RePublish{Source: republished + ">", Destination: "live.>"},
	}); err != nil {
		return err
	}
	var groups [][]result
	for _, size := range sizes {
		if err := errors.Join(raw.grow(size.subscribers), ours.grow(size.subscribers)); err != nil {
			return err
		}
		for _, l := range size.loads {
			r, err := b.deliver(ctx, raw, ours, l)
			if err != nil {
				return err
			}
			groups = append(groups, r)
		}
	}
	fmt.Fprintf(b.out, "\n## Delivery\n\n%d bytes to each subscriber of one room, every one a TCP connection; %d rounds. "+
		"A message is in flight until all have it; p50 and p99 are of that time.\n", len(body), b.rounds())
	tell(b.out, "delivery", groups...)
	return nil
}

// crowdSize is how many listen, and what they hear.
type crowdSize struct {
	subscribers int
	loads       []load
}

// crowds are those for which this process may open files: two for each subscriber, to the bare server and to Parley.
func (b *bench) crowds() ([]crowdSize, error) {
	all := []crowdSize{
		{100, []load{{1, b.count(200)}, {16, b.count(500)}}},
		{1000, []load{{1, b.count(30)}, {16, b.count(100)}}},
		{5000, []load{{1, 5}, {16, 16}}},
	}
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return nil, fmt.Errorf("read the limit of open files: %w", err)
	}
	return slices.DeleteFunc(all, func(c crowdSize) bool {
		left := files.Cur < 1<<20 && 2*c.subscribers+200 > int(files.Cur)
		if left {
			fmt.Fprintf(b.out, "%d subscribers are left out: at most %d open files.\n", c.subscribers, files.Cur)
		}
		return left
	}), nil
}

// load is n messages, so many of them in flight.
type load struct{ inFlight, n int }

func (b *bench) deliver(ctx context.Context, raw, ours *crowd, l load) ([]result, error) {
	name := fmt.Sprintf("%d subscribers, %d in flight, ", ours.size, l.inFlight)
	variants := []variant{
		{name + "core NATS", b.plain, l.n * raw.size, func(ctx context.Context) (outcome, error) {
			return raw.hear(ctx, l, raw.publish)
		}},
		{name + "Parley", b.parley, l.n * ours.size, func(ctx context.Context) (outcome, error) {
			o, err := ours.hear(ctx, l, ours.post)
			return o, errors.Join(err, ours.acknowledged(ctx, l.n), b.api.projected(ctx, tenantID+"/rooms/"+roomID))
		}},
	}
	if raw.size == partsOf && l.inFlight == 1 {
		variants = append(variants, variant{name + "core NATS, headers as long as Parley's", b.plain, l.n * raw.size, func(ctx context.Context) (outcome, error) {
			return raw.hear(ctx, l, raw.publishHeaders)
		}}, variant{name + "raw stream that republishes", b.plain, l.n * raw.size, func(ctx context.Context) (outcome, error) {
			o, err := raw.hear(ctx, l, raw.postAgain)
			return o, errors.Join(err, raw.acknowledged(ctx, l.n))
		}})
	}
	return interleave(ctx, b.rounds(), variants)
}

// partsOf is the size at which what a delivery's cost is made of is measured too.
const partsOf = 1000

// crowd is a sender and subscribers of one room.
type crowd struct {
	conns []*nats.Conn  // the first sends
	size  int           // so many of them have subscribed
	count atomic.Int64  // deliveries
	heard chan struct{} // one for each message that all have
	inbox string
	acks  chan error
}

const mostInFlight = 1 << 10

// gather opens the connections, of which none has subscribed. The crowd is to be closed also after an error.
func gather(n int, url string, proof func(user int) nats.Option) (c *crowd, err error) {
	c = &crowd{heard: make(chan struct{}, mostInFlight), acks: make(chan error, mostInFlight)}
	if c.conns, err = dialAll(n, url, proof); err != nil {
		return c, err
	}
	c.inbox = c.conns[0].NewInbox()
	if _, err := c.conns[0].Subscribe(c.inbox, func(m *nats.Msg) { c.acks <- checkAck(m) }); err != nil {
		return c, err
	}
	return c, nil
}

// grow lets more of the connections subscribe.
func (c *crowd) grow(n int) error {
	from := c.size
	c.size = n
	c.count.Store(0)
	p := room(subject.Any)
	return parallel(n-from, func(i int) error {
		nc := c.conns[from+i]
		if _, err := nc.Subscribe(p.Live(), c.deliver); err != nil {
			return err
		}
		return nc.FlushTimeout(10 * time.Second)
	})
}

func (c *crowd) close() { closeAll(c.conns) }

func (c *crowd) deliver(*nats.Msg) {
	if c.count.Add(1)%int64(c.size) == 0 {
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

// publishHeaders publishes with headers like those that a republished message has.
func (c *crowd) publishHeaders() error {
	m := nats.NewMsg(room(userID(0)).Live())
	m.Data = body
	account := strings.Repeat("A", 56)
	for key, value := range map[string]string{
		nats.MsgIdHdr: rand.Text(), "Nats-Stream": "std-" + account, "Nats-Subject": room(userID(0)).Stored(account),
		"Nats-Sequence": "1795765530940020", "Nats-Time-Stamp": "2026-11-27T07:50:50.723000000Z", "Nats-Last-Sequence": "1795765530940019",
	} {
		m.Header.Set(key, value)
	}
	return c.conns[0].PublishMsg(m)
}

// republished is the prefix of subjects whose stream republishes on live.
const republished = "again."

// postAgain posts into a stream of the bare server that republishes.
func (c *crowd) postAgain() error {
	return c.postOn(republished + strings.TrimPrefix(room(userID(0)).Live(), "live."))
}

// post posts as users do; acknowledged looks at the answers.
func (c *crowd) post() error { return c.postOn(room(userID(0)).Chat()) }

func (c *crowd) postOn(subject string) error {
	m := nats.NewMsg(subject)
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

package client

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// echoTimeout is how long a post waits for its own message on live before it asks for an acknowledgement.
const echoTimeout = 500 * time.Millisecond

// PostEcho is Post for rooms with a Listener: it takes the user's own message, as the
// listener receives it, for the acknowledgement, which costs the servers a third less. It
// asks for an acknowledgement, under the same id, where that does not come or nobody listens.
func (c *Client) PostEcho(ctx context.Context, r Room, d Draft) (Ack, error) {
	m, err := c.encode(r, d)
	if err != nil {
		return Ack{}, err
	}
	if c.listens(r) {
		if err := c.waitConnected(ctx); err != nil {
			return Ack{}, err
		}
		if seq, ok := c.echo(ctx, m); ok {
			return Ack{Seq: seq}, nil
		}
	}
	// A duplicate is not delivered again: from here on only the stream's own word counts.
	return c.postUntil(ctx, r, m)
}

func (c *Client) listens(r Room) (found bool) {
	c.eachListener(func(l *Listener) { found = found || l.room.ID == r.ID })
	return found
}

// echo publishes and waits for the message to come back.
func (c *Client) echo(ctx context.Context, m *nats.Msg) (seq uint64, ok bool) {
	ctx, cancel := c.attempt(ctx, echoTimeout)
	defer cancel()
	ctx, deny := context.WithCancelCause(ctx)
	defer deny(nil)
	defer c.pend(&pending{subject: m.Subject, deny: deny})()
	came, forget := c.echoes.expect(m.Header.Get(nats.MsgIdHdr))
	defer forget()
	if c.nc.PublishMsg(m) != nil {
		return 0, false // what it is, the request says too
	}
	select {
	case seq := <-came:
		return seq, true
	case <-ctx.Done():
		return 0, false
	}
}

// echoes are the posts that wait for their own message, by id.
type echoes struct {
	mu      sync.Mutex
	waiting map[string]chan uint64
}

func (e *echoes) expect(id string) (came <-chan uint64, forget func()) {
	ch := make(chan uint64, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		e.waiting = map[string]chan uint64{}
	}
	e.waiting[id] = ch
	return ch, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.waiting, id)
	}
}

// came notes a message of the user's own.
func (e *echoes) came(m Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ch, ok := e.waiting[m.ID]; ok {
		select {
		case ch <- m.Seq:
		default: // another listener of the room told it
		}
	}
}

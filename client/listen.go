package client

import (
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"
)

// maxHeld is how many live messages wait for history or for a slow reader; what comes beyond is read from history later.
const maxHeld = 4096

// A Listener is the stream of one room's messages: those of history first, then the
// live ones, each once, in the order of their sequence. It outlives reconnections. The
// one exception to the order is marked: a message is Late where history could not be
// read in time, or where a cluster's servers delivered it late.
type Listener struct {
	c       *Client
	room    Room
	subject string
	out     chan Message

	mu   sync.Mutex
	err  error
	held []heldMessage // from the subscription's goroutine to run's
	lost bool          // held had no room for one

	tenants participants // of a shared room
	signers signers

	woken       chan struct{} // each holds one
	reconnected chan struct{}
	denied      chan struct{}
}

// heldMessage is a live message with the connection that it came over.
type heldMessage struct {
	Message
	conn uint64
}

// Listen delivers the messages of a room behind the sequence after, and what is
// posted from then on, until ctx ends, the client stops, or the user loses the room.
// With after = 0 it begins with the oldest message that is kept; with a Room's Last,
// with the next. Messages must be read, though slowly is no harm.
func (c *Client) Listen(ctx context.Context, r Room, after uint64) (*Listener, error) {
	live, err := r.live()
	if err != nil {
		return nil, err
	}
	l := &Listener{
		c: c, room: r, subject: live, out: make(chan Message), tenants: participants{shared: r.Shared},
		woken: make(chan struct{}, 1), reconnected: make(chan struct{}, 1), denied: make(chan struct{}, 1),
	}
	if !c.attach(l) {
		return nil, c.Err()
	}
	sub, err := c.nc.Subscribe(l.subject, l.onMessage)
	if err != nil {
		c.detach(l)
		return nil, errors.Join(c.Err(), err)
	}
	go func() { // Close waits for it
		defer c.detach(l)
		err := l.run(ctx, after)
		_ = sub.Unsubscribe() // fails only where the connection is closed, which unsubscribes too
		l.end(err)
	}()
	return l, nil
}

// Messages is closed when the listener ends; Err says why.
func (l *Listener) Messages() <-chan Message { return l.out }

// Err is nil until Messages is closed: then ctx's error, the client's, or an *Error
// where the room can't be read (any more).
func (l *Listener) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *Listener) end(err error) {
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
	close(l.out)
}

// onMessage runs on the subscription's goroutine and never waits for the reader.
func (l *Listener) onMessage(m *nats.Msg) {
	parsed, err := parseLive(l.participating(), m)
	if errors.Is(err, errStranger) && l.meet(m.Subject) {
		l.lose() // history has it, and is read when the tenants are known
		return
	}
	if err != nil {
		l.c.junk.Add(1)
		return
	}
	if parsed.Sender == string(l.c.user) {
		l.c.echoes.came(parsed)
	}
	if !l.signers.name(&parsed) {
		l.lose() // as above
		return
	}
	// The count rises before a new connection delivers anything: a message of a new
	// connection is never taken for one of the old.
	conn := l.c.nc.Stats().Reconnects
	l.mu.Lock()
	if len(l.held) < maxHeld {
		l.held = append(l.held, heldMessage{parsed, conn})
	} else {
		l.lost = true
	}
	l.mu.Unlock()
	poke(l.woken)
}

// lose notes that nats.go dropped messages.
func (l *Listener) lose() {
	l.mu.Lock()
	l.lost = true
	l.mu.Unlock()
	poke(l.woken)
}

// take empties what is held; where something was lost there is no use for the rest.
func (l *Listener) take() (held []heldMessage, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held, lost = l.held, l.lost
	l.held, l.lost = nil, false
	if lost {
		return nil, true
	}
	return held, false
}

package accounts

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// A mailbox receives the answers of many servers to one request. It subscribes once: on a
// cluster the interest of a subscription made with the request comes too late for the first answers.
type mailbox struct {
	conn   *nats.Conn
	prefix string // ends in a dot
	sub    *nats.Subscription

	mu   sync.Mutex
	next uint64
	open map[string]*inquiry
}

// An inquiry is some requests and their answers.
type inquiry struct {
	box     *mailbox
	id      string
	answers chan *nats.Msg
}

// nobody is a reply subject for requests that are only carried out when they have one.
const nobody = "none"

var errNoResponders = errors.New("no server answers")

func newMailbox(conn *nats.Conn) (*mailbox, error) {
	b := &mailbox{conn: conn, prefix: conn.NewInbox() + ".", open: map[string]*inquiry{}}
	var err error
	if b.sub, err = conn.Subscribe(b.prefix+">", b.receive); err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	return b, nil
}

func (b *mailbox) receive(m *nats.Msg) {
	id, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, b.prefix), ".")
	b.mu.Lock()
	q := b.open[id]
	b.mu.Unlock()
	if q == nil {
		return
	}
	select {
	case q.answers <- m:
	default: // more than were asked for: the inquiry has gone on without them
	}
}

// inquire opens an inquiry that expects up to n answers.
func (b *mailbox) inquire(n int) *inquiry {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	q := &inquiry{box: b, id: strconv.FormatUint(b.next, 10), answers: make(chan *nats.Msg, n)}
	b.open[q.id] = q
	return q
}

func (q *inquiry) close() {
	q.box.mu.Lock()
	defer q.box.mu.Unlock()
	delete(q.box.open, q.id)
}

// ask sends request number i of the inquiry.
func (q *inquiry) ask(i int, subject string, body []byte) error {
	return q.box.conn.PublishRequest(subject, q.box.prefix+q.id+"."+strconv.Itoa(i), body)
}

// answer waits for one answer, and tells to which request it belongs.
func (q *inquiry) answer(ctx context.Context) (int, []byte, error) {
	select {
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	case m := <-q.answers:
		if m.Header.Get("Status") == "503" {
			return 0, nil, errNoResponders
		}
		i, err := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
		return i, m.Data, err
	}
}

// next waits for one answer, at most requestTimeout.
func (q *inquiry) next(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, answer, err := q.answer(ctx)
	return answer, err
}

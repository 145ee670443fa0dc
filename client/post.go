package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	mrand "math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

const (
	postTimeout  = 2 * time.Second // of one attempt
	postPauseMin = 50 * time.Millisecond
	postPauseMax = 2 * time.Second
	// A stream that is just being made, or a server that is just starting, has nobody
	// who listens for a moment. After these attempts nobody does.
	noRespondersMax = 5
)

// A Draft is a message to post.
type Draft struct {
	Text        string          `json:"text,omitempty"`
	Thread      uint64          `json:"thread,omitempty"` // sequence of the message that it answers to
	Mentions    []string        `json:"mentions,omitempty"`
	Attachments []Attachment    `json:"attachments,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`

	// ID makes the post repeatable: the same ID in the same room is stored once. It must
	// not be guessable (NewID), or others could post under it first. "": a new one.
	ID string `json:"-"`
}

// An Ack says that a message is stored.
type Ack struct {
	Seq uint64
	// Duplicate: an earlier attempt had stored it.
	Duplicate bool
}

// Post stores a message in a room and returns when it is stored. It repeats what goes
// unanswered under the same id, so that the message is there once, until ctx ends;
// give ctx a deadline. Refusals are *Error: forbidden, too_large, limit_reached,
// invalid, unavailable. Where the error is ctx's, the message may or may not be stored:
// the same Draft with an ID of the caller's finds out.
func (c *Client) Post(ctx context.Context, r Room, d Draft) (Ack, error) {
	m, err := c.encode(r, d)
	if err != nil {
		return Ack{}, err
	}
	return c.postUntil(ctx, r, m)
}

// Send publishes a message without asking for an acknowledgement: it is stored at most
// once, and where it gets lost or is refused nobody says so.
func (c *Client) Send(r Room, d Draft) error {
	m, err := c.encode(r, d)
	switch {
	case err != nil:
		return err
	case c.Err() != nil:
		return c.Err()
	}
	return c.nc.PublishMsg(m)
}

// NewID is a Draft.ID: 128 random bits as text.
func NewID() string { return rand.Text() }

func (c *Client) encode(r Room, d Draft) (*nats.Msg, error) {
	place, err := r.place(string(c.user))
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(d)
	if err != nil {
		return nil, newError(tenant.CodeInvalid, err, "the draft can't be encoded as JSON")
	}
	id := d.ID
	if id == "" {
		id = NewID()
	}
	return &nats.Msg{Subject: place.Chat(), Data: data, Header: nats.Header{nats.MsgIdHdr: {id}}}, nil
}

func (c *Client) postUntil(ctx context.Context, r Room, m *nats.Msg) (Ack, error) {
	silent := 0
	for pause := postPauseMin; ; pause = min(2*pause, postPauseMax) {
		// Without a connection every attempt would wait in nats.go's buffer, one beside the other.
		if err := c.waitConnected(ctx); err != nil {
			return Ack{}, err
		}
		next := c.untilReconnection()
		ack, err := c.postOnce(ctx, m)
		if err == nil {
			return ack, nil
		}
		if errors.Is(err, nats.ErrNoResponders) {
			if silent++; silent == noRespondersMax {
				return Ack{}, newError(tenant.CodeUnavailable, err, "nobody takes messages for this room")
			}
		}
		switch {
		case c.Err() != nil:
			return Ack{}, c.Err()
		case ctx.Err() != nil:
			return Ack{}, ctx.Err()
		case isDenial(err, m.Subject) && c.open(r):
			// The room was not in the working set: with it, once more.
			if err := c.waitFor(ctx, next); err != nil {
				return Ack{}, err
			}
			continue
		case isFinal(err):
			return Ack{}, err
		case next.Err() != nil:
			continue // cut off by a reconnection
		}
		if !wait(ctx, pause/2+mrand.N(pause)) { //nolint:gosec // G404: jitter, no secret
			return Ack{}, ctx.Err()
		}
	}
}

// pending is an attempt that waits for its acknowledgement. A denial comes beside it, as an error of the connection.
type pending struct {
	subject string
	deny    context.CancelCauseFunc
	suspect atomic.Pointer[Error]
}

// pend makes an attempt known to denyPost, until the function that it returns is called.
func (c *Client) pend(p *pending) (forget func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts[p] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.posts, p)
	}
}

func (c *Client) postOnce(ctx context.Context, m *nats.Msg) (Ack, error) {
	ctx, cancel := c.attempt(ctx, postTimeout)
	defer cancel()
	ctx, deny := context.WithCancelCause(ctx)
	defer deny(nil)
	p := &pending{subject: m.Subject, deny: deny}
	defer c.pend(p)()

	reply, err := c.nc.RequestMsgWithContext(ctx, m)
	var denied *Error
	switch {
	case err == nil:
		return parseAck(reply.Data)
	case errors.As(context.Cause(ctx), &denied):
		return Ack{}, denied
	case p.suspect.Load() != nil && errors.Is(err, context.DeadlineExceeded):
		return Ack{}, p.suspect.Load()
	case errors.Is(err, nats.ErrMaxPayload):
		return Ack{}, newError(tenant.CodeTooLarge, err, "the message is larger than the server allows")
	}
	return Ack{}, err
}

// voidPrefix begins the subjects that closed rooms are mapped to; the rest says why.
const voidPrefix = "void."

// denyPost ends the posts that the server refused. Where a room is closed the server
// names void.<why> in place of the subject, so any of the waiting posts may be meant:
// one alone is, and of several those that stay unanswered.
func (c *Client) denyPost(subj string, denied *Error) {
	why, closed := strings.CutPrefix(subj, voidPrefix)
	if closed {
		denied = newError(tenant.CodeForbidden, denied.cause, "posting is closed here: %s", why)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.posts {
		switch {
		case p.subject == subj, closed && len(c.posts) == 1:
			p.deny(denied)
		case closed:
			p.suspect.Store(denied)
		}
	}
}

// isDenial reports whether the connection lacks the right to the subject itself.
func isDenial(err error, subj string) bool {
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, nats.ErrPermissionViolation) {
		return false
	}
	m := violation.FindStringSubmatch(e.cause.Error())
	return m != nil && m[2] == subj
}

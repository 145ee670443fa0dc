// Package client is the Go SDK of Parley: one connection of one user, over which
// he reads, posts, joins and leaves. It keeps itself connected, asks for a fresh
// token when it needs one, and joins a room's history and its live messages
// without a gap or a double.
//
// It trusts nobody but the servers' own headers: what else arrives on a live
// subject is counted and dropped (DESIGN.md section 3). It never logs a token, a
// password or the text of a message.
package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// A Client is one user's connection. Its methods may be called from any goroutine.
type Client struct {
	user    tenant.UserID
	log     *slog.Logger
	nc      *nats.Conn
	tokens  *tokens
	rooms   *workingSet
	notices *ring[Notice]
	status  *ring[Status]

	life   context.Context // ends when the client stops
	cancel context.CancelFunc
	wg     sync.WaitGroup // goroutines, listeners among them

	mu        sync.Mutex
	err       error              // why it stopped
	stretch   context.Context    // ends, and is replaced, at each reconnection
	endOf     context.CancelFunc // of stretch
	listeners map[*Listener]struct{}
	watches   map[*watch]struct{}
	posts     map[*pending]struct{}
	echoes    echoes
	catchUp   catchUp

	after       func(time.Duration) <-chan time.Time // time.After, but for tests
	me          atomic.Pointer[Me]                   // once it was asked for
	revoked     atomic.Pointer[RevokedError]         // set by the notice, before the client stops
	refusals    atomic.Int64                         // in a row, since it was last connected
	wantRestart chan struct{}                        // holds one when a forced reconnection is due
	junk        atomic.Uint64
	doubles     atomic.Uint64
}

// Stats count what a client did not show.
type Stats struct {
	Junk       uint64 // what arrived on live, notice or signal subjects, or as a question, and was not believed
	Doubles    uint64 // messages that came by history and live, or twice
	Reconnects uint64 // attempts that reached a server
}

// Connect connects the user that o names, and returns when he is admitted. The
// error is ErrRefused where the servers don't let him in, and ctx's own where it
// ends first. The caller owes the client a Close.
func Connect(ctx context.Context, o Options) (*Client, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.Background())
	c := &Client{
		user: tenant.UserID(o.User), log: o.logger(),
		tokens: newTokens(o.Token), rooms: newWorkingSet(o.Rooms),
		notices: newRing[Notice](64), status: newRing[Status](16),
		life: life, cancel: cancel,
		listeners: map[*Listener]struct{}{}, watches: map[*watch]struct{}{}, posts: map[*pending]struct{}{},
		wantRestart: make(chan struct{}, 1), after: time.After,
	}
	c.stretch, c.endOf = context.WithCancel(life)
	if err := c.connect(ctx, o); err != nil {
		c.stop(err)
		return nil, err
	}
	c.wg.Go(c.restarts)
	c.wg.Go(c.keepToken)
	return c, nil
}

func (c *Client) connect(ctx context.Context, o Options) error {
	if err := c.tokens.first(ctx); err != nil {
		return fmt.Errorf("get a token: %w", err)
	}
	untie := context.AfterFunc(ctx, c.cancel)
	nc, err := c.dial(ctx, o)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case isRefusal(err):
		return fmt.Errorf("connect to %s as %s: %w", o.URL, o.User, ErrRefused)
	case err != nil:
		return fmt.Errorf("connect to %s: %w", o.URL, err)
	}
	c.nc = nc
	if _, err := nc.Subscribe(subject.Notice(c.user, subject.Any), c.onNotice); err != nil {
		return fmt.Errorf("subscribe to notices: %w", err)
	}
	if err := nc.FlushTimeout(connectTimeout); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("subscribe to notices: %w", err))
	}
	if !untie() {
		return ctx.Err()
	}
	return nil
}

// User is the id of the user whose client this is.
func (c *Client) User() string { return string(c.user) }

// Notices are what the platform tells the user, in order. The oldest are dropped
// where nobody reads them. The channel is closed when the client stops.
func (c *Client) Notices() <-chan Notice { return c.notices.ch }

// Status tells when the connection is lost, refused and back; dropped and closed as Notices.
func (c *Client) Status() <-chan Status { return c.status.ch }

// Stats counts since Connect.
func (c *Client) Stats() Stats {
	return Stats{Junk: c.junk.Load(), Doubles: c.doubles.Load(), Reconnects: c.nc.Stats().Reconnects}
}

// Done is closed when the client has stopped for good; Err says why.
func (c *Client) Done() <-chan struct{} { return c.life.Done() }

// Err is nil until the client stops; then ErrClosed, or a *RevokedError.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and everything that hangs on it, and waits for it. It may be called twice.
func (c *Client) Close() {
	c.stop(ErrClosed)
	c.wg.Wait()
}

// stop ends the client and its connection. It waits for nothing, since it is called
// from the connection's own callbacks too.
func (c *Client) stop(why error) {
	if c.end(why) && c.nc != nil {
		c.nc.Close()
	}
}

// end stops everything but the connection, for the first reason that is given, unless
// there is a better one.
func (c *Client) end(why error) (first bool) {
	if r := c.revoked.Load(); r != nil {
		why = r
	}
	c.mu.Lock()
	first = c.err == nil
	if first {
		c.err = why
	}
	c.mu.Unlock()
	if first {
		c.cancel()
		c.status.push(Status{State: Stopped, Err: why})
		c.notices.close()
		c.status.close()
	}
	return first
}

// attach makes l known to the callbacks, and its goroutine the client's; false after the client stopped.
func (c *Client) attach(l *Listener) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.listeners[l] = struct{}{}
	c.wg.Add(1)
	return true
}

func (c *Client) detach(l *Listener) {
	c.mu.Lock()
	delete(c.listeners, l)
	c.mu.Unlock()
	c.wg.Done()
}

// eachListener calls fn for every listener, outside the lock.
func (c *Client) eachListener(fn func(*Listener)) {
	c.mu.Lock()
	all := make([]*Listener, 0, len(c.listeners))
	for l := range c.listeners {
		all = append(all, l)
	}
	c.mu.Unlock()
	for _, l := range all {
		fn(l)
	}
}

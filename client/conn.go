package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

const (
	// connectTimeout is longer than the servers' auth timeout of 2 s, or nats.go
	// would give up before they refuse (NATS.md).
	connectTimeout = 5 * time.Second
	// A first connection that fails within undecided was refused, or met no server; else it is tried
	// again, maxDials times in all, up to maxDialPause apart.
	undecided    = 1500 * time.Millisecond
	maxDials     = 10
	maxDialPause = 2 * time.Second
	// minWait to 2*minWait pass before a reconnection: a client that knows one URL
	// waits for that long after each KICK.
	minWait        = 50 * time.Millisecond
	quickAttempts  = 20 // with minWait between; then the server is down rather than restarting
	slowWait       = time.Second
	maxRefusedWait = 10 * time.Second
	// restartPause is the least between two forced reconnections: rights notices are
	// repeated and come in bursts.
	restartPause = 250 * time.Millisecond
)

func (c *Client) natsOptions(o Options) []nats.Option {
	name := o.Name
	if name == "" {
		name = "parley-go"
	}
	opts := []nats.Option{
		nats.Name(name),
		nats.Timeout(connectTimeout),
		nats.SetCustomDialer(lifeDialer{c.life}),
		nats.CustomInboxPrefix(subject.Inbox(c.user)),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(c.reconnectDelay),
		// nats.go closes for good after the same refusal twice. A refused user may be
		// let in again; one who is revoked is told so.
		nats.IgnoreAuthErrorAbort(),
		nats.PingInterval(20 * time.Second),
		nats.TokenHandler(func() string { return c.tokens.current() + c.rooms.suffix() }),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { c.onDisconnect() }),
		nats.ReconnectHandler(func(*nats.Conn) { c.onReconnect() }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) { c.onError(s, err) }),
		// The connection closes by itself only on a protocol error.
		nats.ClosedHandler(func(nc *nats.Conn) { c.end(fmt.Errorf("the connection was closed: %w", nc.LastError())) }),
	}
	// nats.go would also speak TLS to a ws:// server where it has a configuration.
	if o.TLS != nil && !strings.Contains(o.URL, "ws://") {
		opts = append(opts, func(n *nats.Options) error { n.TLSConfig = o.TLS; return nil })
	}
	if o.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(o.CredsFile))
	}
	if o.NKeyFile != "" {
		opts = append(opts, seedFile(o.NKeyFile))
	}
	if o.Password != "" {
		opts = append(opts, nats.UserInfo(o.Tenant+"/"+o.User, o.Password))
	}
	return opts
}

// dial connects, and tries again where the servers did not decide: they drop who comes in a storm, and it
// looks like a refusal but for the time that it takes. A decision comes at once.
func (c *Client) dial(ctx context.Context, o Options) (*nats.Conn, error) {
	for try := 1; ; try++ {
		begun := time.Now()
		nc, err := nats.Connect(o.URL, c.natsOptions(o)...)
		if err == nil || try == maxDials || time.Since(begun) < undecided {
			return nc, err
		}
		if !wait(ctx, rand.N(maxDialPause)) { //nolint:gosec // G404: jitter, no secret
			return nil, ctx.Err()
		}
	}
}

// seedFile is nats.NkeyOptionFromSeed with its error where those of the other options are.
func seedFile(file string) nats.Option {
	return func(o *nats.Options) error {
		option, err := nats.NkeyOptionFromSeed(file)
		if err != nil {
			return err
		}
		return option(o)
	}
}

// reconnectDelay is how long to wait after all known servers were tried.
func (c *Client) reconnectDelay(attempts int) time.Duration {
	wait := minWait
	if n := c.refusals.Load(); n > 0 {
		wait = min(minWait<<min(n, 10), maxRefusedWait/2)
	} else if attempts > quickAttempts {
		wait = slowWait
	}
	return wait + rand.N(wait) //nolint:gosec // G404: jitter, no secret
}

func (c *Client) onDisconnect() {
	if why := c.revoked.Load(); why != nil {
		c.stop(why)
		return
	}
	c.status.push(Status{State: Reconnecting})
}

func (c *Client) onReconnect() {
	c.refusals.Store(0)
	c.mu.Lock()
	c.endOf()
	c.stretch, c.endOf = context.WithCancel(c.life)
	c.mu.Unlock()
	c.status.push(Status{State: Connected})
	c.eachListener(func(l *Listener) { poke(l.reconnected) })
}

func (c *Client) onError(s *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrAuthExpired):
		c.tokens.spoil() // the connection has outlived its token, which is no refusal
	case isRefusal(err):
		c.tokens.spoil()
		if c.refusals.Add(1) == 1 {
			c.status.push(Status{State: Refused, Err: ErrRefused})
		}
		c.log.Warn("connection refused", "user", c.user, "error", err)
	case errors.Is(err, nats.ErrPermissionViolation):
		c.onDenied(err)
	case errors.Is(err, nats.ErrSlowConsumer):
		c.eachListener(func(l *Listener) {
			if s != nil && l.subject == s.Subject {
				l.lose()
			}
		})
	default:
		c.log.Warn("connection error", "user", c.user, "error", err)
	}
}

// violation finds what was denied in the server's text, the only place where it says so.
var violation = regexp.MustCompile(`(?i)violation for (publish|subscription) to "([^" ]+)"`)

func (c *Client) onDenied(err error) {
	m := violation.FindStringSubmatch(err.Error())
	if m == nil {
		c.log.Warn("permission denied", "user", c.user, "error", err)
		return
	}
	denied := newError(tenant.CodeForbidden, err, "you may not do this here")
	if strings.EqualFold(m[1], "publish") {
		c.denyPost(m[2], denied)
		return
	}
	c.eachListener(func(l *Listener) {
		if l.subject == m[2] {
			poke(l.denied)
		}
	})
}

// restart asks for a forced reconnection, which carries new rights and the working set as it is now.
func (c *Client) restart() { poke(c.wantRestart) }

// restarts carries out forced reconnections, not more often than restartPause.
func (c *Client) restarts() {
	for {
		select {
		case <-c.life.Done():
			return
		case <-c.wantRestart:
		}
		if err := c.nc.ForceReconnect(); err != nil {
			return // closed
		}
		if !wait(c.life, restartPause) {
			return
		}
	}
}

// untilReconnection ends with the next reconnection, and with the client.
func (c *Client) untilReconnection() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stretch
}

// attempt derives the context of one request. It ends at a reconnection too: what was
// asked on a lost connection is never answered.
func (c *Client) attempt(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	untie := context.AfterFunc(c.untilReconnection(), cancel)
	return ctx, func() { untie(); cancel() }
}

// waitConnected returns when the connection is up, or with the error of ctx or the stopped client.
func (c *Client) waitConnected(ctx context.Context) error {
	for {
		next := c.untilReconnection()
		if c.nc.IsConnected() {
			return nil
		}
		if err := c.waitFor(ctx, next); err != nil {
			return err
		}
	}
}

// waitFor waits for a reconnection.
func (c *Client) waitFor(ctx, next context.Context) error {
	select {
	case <-next.Done():
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// poke leaves a signal in a channel that holds one.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// wait is false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

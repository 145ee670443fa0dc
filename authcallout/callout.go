// Package authcallout decides who connects. A nats-server asks it about each connection
// (NATS auth callout, operator mode); it decodes the request, finds out who the client is,
// grants what tenant/grant gives him and signs the answer.
//
// It keeps no state but counters, reads the database once for a decision, and fails closed:
// what it can't prove it refuses. It must not push claims, close connections or write
// records; what it learns it hands to Sessions and Refusals, neither of which may block.
package authcallout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus"

	"parley/tenant"
)

const (
	authSubject = "$SYS.REQ.USER.AUTH"
	queueGroup  = "parley-callout"
	// drainTimeout bounds how long Stop waits for requests that are on their way.
	drainTimeout = 2 * time.Second
	flushTimeout = 5 * time.Second
)

// A Directory reads what a decision rests on, in one query.
type Directory interface {
	// Identity answers ErrNotFound where the tenant does not exist or is deleting, and where
	// the claim names credentials or an nkey that are unknown. A user that is unknown or deleted leaves
	// Identity.User.ID empty. A claim may name a tenant without a user: then only what
	// belongs to the tenant matters.
	Identity(ctx context.Context, c tenant.Claim) (tenant.Identity, error)
}

// Keys opens the signing keys of tenants. It is asked for each decision, so it should
// remember them, and the pair's Sign and PublicKey should be cheap.
type Keys interface {
	Signer(k tenant.SealedKey) (nkeys.KeyPair, error)
}

// Sessions is told of the connections that were admitted. It must not block.
type Sessions interface {
	Record(s tenant.Session)
}

// Refusals is told of the connections that were refused. It must not block.
type Refusals interface {
	Refuse(r tenant.Refusal)
}

// Users makes users of those whom the tenants' keys vouch for.
type Users interface {
	// Welcome makes the user of a newcomer. Its errors are tenant.Error of the codes forbidden,
	// limit_reached, not_found and unavailable, or ours.
	Welcome(ctx context.Context, t tenant.TenantID, n tenant.Newcomer) error
}

// Config of a Callout. All fields are required but those with a default.
type Config struct {
	Conn        *nats.Conn    // in AUTH, as one of its auth_users
	AuthAccount string        // public nkey of AUTH
	AuthSigner  nkeys.KeyPair // AUTH's identity or one of its signing keys
	XKey        nkeys.KeyPair // the curve key whose public half AUTH's claims name
	Directory   Directory
	Keys        Keys
	Sessions    Sessions
	Refusals    Refusals
	Users       Users
	Hasher      *Hasher
	HTTP        *http.Client // for the URLs of tenants' keys, which it bounds to those that they may reach

	Workers  int                   // decisions at once; 0: 8 for each CPU, for they mostly wait for the database
	Queue    int                   // requests that wait for a worker; 0: 1,024
	Timeout  time.Duration         // of a decision, the wait among it; less than the servers' authorization.timeout; 0: 1.5 s
	Logger   *slog.Logger          // nil: none
	Registry prometheus.Registerer // nil: metrics are not exported
	Now      func() time.Time      // nil: time.Now
}

// A Callout answers the servers' questions between Start and Stop.
type Callout struct {
	conf      Config
	authSelf  string // public nkey of AuthSigner
	log       *slog.Logger
	metrics   *metrics
	throttle  *throttle
	verifiers verifiers
	keySets   *keySets
	crowd     *crowd
	blind     atomic.Bool // the directory did not answer last time

	requests  *backlog    // what it has no room for is dropped: an answer costs as much as a decision
	passwords chan *guess // apart, so that nobody waits behind passwords who has none
	newcomers chan *newcomer

	mu      sync.Mutex
	sub     *nats.Subscription
	quit    chan struct{}
	workers sync.WaitGroup
	slow    sync.WaitGroup
	fetch   context.Context // of the fetches of key sets
	noFetch context.CancelFunc
	flights sync.WaitGroup
	late    sync.WaitGroup // those who wait for a place
}

// pending is a request as it came.
type pending struct {
	msg      *nats.Msg
	at       time.Time
	again    bool // it waited for a place, and does not wait again
	welcomed bool // its user was made, and is not made again
}

// New returns a callout that does not listen yet.
func New(c Config) (*Callout, error) {
	if c.Conn == nil || c.AuthSigner == nil || c.XKey == nil || c.Directory == nil ||
		c.Keys == nil || c.Sessions == nil || c.Refusals == nil || c.Users == nil || c.HTTP == nil || c.Hasher == nil {
		return nil, errors.New("authcallout: Config lacks a required field")
	}
	if !nkeys.IsValidPublicAccountKey(c.AuthAccount) {
		return nil, fmt.Errorf("authcallout: AuthAccount %q is no account", c.AuthAccount)
	}
	self, err := c.AuthSigner.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("authcallout: AuthSigner: %w", err)
	}
	c.setDefaults()
	m, err := newMetrics(c.Registry)
	if err != nil {
		return nil, err
	}
	return &Callout{
		conf: c, authSelf: self, log: c.Logger, metrics: m, throttle: newThrottle(), crowd: newCrowd(),
		requests: newBacklog(c.Queue), passwords: make(chan *guess, c.Hasher.size()*guessesPerSlot),
		verifiers: verifiers{of: map[string]verifier{}}, keySets: newKeySets(), newcomers: make(chan *newcomer, maxNewcomers),
	}, nil
}

func (c *Config) setDefaults() {
	if c.Workers <= 0 {
		c.Workers = 8 * runtime.GOMAXPROCS(0)
	}
	if c.Queue <= 0 {
		c.Queue = 1024
	}
	if c.Timeout <= 0 {
		c.Timeout = 1500 * time.Millisecond
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Start subscribes and returns when the server knows of it. It may follow a Stop.
func (c *Callout) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sub != nil {
		return errors.New("authcallout: already started")
	}
	sub, err := c.conf.Conn.QueueSubscribe(authSubject, queueGroup, c.enqueue)
	if err != nil {
		return fmt.Errorf("subscribe %s: %w", authSubject, err)
	}
	if err := c.conf.Conn.FlushTimeout(flushTimeout); err != nil {
		return errors.Join(fmt.Errorf("flush: %w", err), sub.Unsubscribe())
	}
	c.sub, c.quit = sub, make(chan struct{})
	c.fetch, c.noFetch = context.WithCancel(context.Background())
	for range c.conf.Workers {
		c.workers.Go(func() { c.work(c.quit) })
	}
	for range c.conf.Hasher.size() {
		c.slow.Go(func() { c.guessWork(c.quit) })
	}
	for range welcomers {
		c.slow.Go(func() { c.welcomeWork(c.quit) })
	}
	return nil
}

// Stop ends the subscription, answers what is queued and waits for it. It may be called twice, and before Start.
func (c *Callout) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sub == nil {
		return
	}
	// What the server has sent is still answered. An error means that the connection is
	// gone, and with it the subscription.
	closed := c.sub.StatusChanged(nats.SubscriptionClosed)
	if err := c.sub.Drain(); err == nil {
		select {
		case <-closed:
		case <-time.After(drainTimeout):
		}
	}
	close(c.quit)
	c.noFetch()
	c.workers.Wait()
	c.slow.Wait()
	c.late.Wait()
	c.flights.Wait()
	c.finishRequests() // what waited for keys
	c.flights.Wait()
	c.finishNewcomers()
	c.finishGuesses()                          // what the last worker handed over after the last of those had looked
	_ = c.conf.Conn.FlushTimeout(drainTimeout) // the answers; without a connection nobody waits for them
	c.sub = nil
}

// Run is Start, and Stop when ctx ends.
func (c *Callout) Run(ctx context.Context) error {
	if err := c.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	c.Stop()
	return nil
}

func (c *Callout) enqueue(m *nats.Msg) {
	if c.requests.push(pending{msg: m, at: c.conf.Now()}) {
		c.metrics.drop(dropOverload)
	}
}

func (c *Callout) work(quit <-chan struct{}) {
	for {
		select {
		case <-c.requests.waiting:
			c.serve(c.requests.pop())
		case <-quit:
			c.finishRequests()
			return
		}
	}
}

func (c *Callout) finishRequests() {
	for {
		select {
		case <-c.requests.waiting:
			c.serve(c.requests.pop())
		default:
			return
		}
	}
}

// serve handles one request. A panic ends in a refusal, for the next request is somebody else's.
func (c *Callout) serve(p pending) {
	if c.conf.Now().Sub(p.at) >= c.conf.Timeout {
		c.metrics.drop(dropStale)
		return
	}
	req, why := c.decode(p.msg)
	if why != "" {
		c.metrics.drop(why)
		return
	}
	a := &attempt{req: req, msg: p.msg, at: p.at, again: p.again, welcomed: p.welcomed}
	defer c.recoverAs(a)
	c.decide(a)
}

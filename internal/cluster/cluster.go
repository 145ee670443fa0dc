// Package cluster runs Parley's accounts, callouts, operations and, where it is wanted, the chat on a
// NATS cluster in one process, for tests and benchmarks of what only a cluster shows. Nothing that ships
// may import it.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/accounts"
	"parley/accounts/keyring"
	"parley/authcallout"
	"parley/chat"
	"parley/tenant"
	"parley/tenant/pgstore"
)

// patience bounds each step of starting.
const patience = time.Minute

// maxReserved is what JetStream lets streams reserve, which is more than they use.
const maxReserved = 1 << 50

// authTimeout is the servers' bound on a callout's answer, in seconds.
const authTimeout = 2

// Config of a Cluster. Pool and Dir are required.
type Config struct {
	Pool     *pgxpool.Pool // of a migrated database
	Dir      string        // for keys and account JWTs
	Nodes    int           // 0: 3
	Callouts int           // 0: 1; the n-th is connected to the n-th node
	Log      *slog.Logger  // nil: none
	Chat     bool          // the servers keep streams, and the chat role runs on the first
	// Delay runs in a callout between the decision and its answer; nil: nothing does.
	Delay func()
	// Through is where a node dials another that listens at addr, a proxy of the test's; nil: there. With it
	// the nodes have no other routes.
	Through func(from, to int, addr string) string
	Now     func() time.Time // of the accounts; nil: time.Now
}

// A Cluster is servers with the roles around them. Jobs are not worked off: what a test wants
// of them it calls.
type Cluster struct {
	Nodes    []*server.Server
	Callouts []*authcallout.Callout
	System   *accounts.System
	Accounts *accounts.Accounts
	Service  *tenant.Service

	conf    Config
	callout authcallout.Config
	lines   []*nats.Conn // of the callouts
	stops   []func()
}

// Start starts the servers and the roles. Stop ends what it started, also after an error.
func Start(ctx context.Context, c Config) (_ *Cluster, err error) {
	if c.Nodes == 0 {
		c.Nodes = 3
	}
	if c.Callouts == 0 {
		c.Callouts = 1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	cl := &Cluster{conf: c}
	defer func() {
		if err != nil {
			cl.Stop()
		}
	}()
	keys, err := keyring.Open(keyring.Config{File: filepath.Join(c.Dir, "master.key")})
	if err != nil {
		return nil, err
	}
	if cl.System, err = accounts.EnsureSystem(ctx, accounts.SystemConfig{Pool: c.Pool, Keys: keys, Log: c.Log, Now: c.Now}); err != nil {
		return nil, err
	}
	if err := cl.startNodes(ctx, c); err != nil {
		return nil, err
	}
	return cl, cl.startRoles(ctx, c, keys)
}

// Stop ends everything, the last that was started first.
func (c *Cluster) Stop() {
	for i := len(c.stops) - 1; i >= 0; i-- {
		c.stops[i]()
	}
	c.stops = nil
}

func (c *Cluster) onStop(fn func()) { c.stops = append(c.stops, fn) }

// URL is where clients of a node connect; nodes are counted round.
func (c *Cluster) URL(node int) string { return c.Nodes[node%len(c.Nodes)].ClientURL() }

func (c *Cluster) startNodes(ctx context.Context, conf Config) error {
	jwts, err := c.System.Materialize(ctx)
	if err != nil {
		return err
	}
	for i := range conf.Nodes {
		n, err := c.startNode(i, jwts)
		if err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		c.Nodes = append(c.Nodes, n)
	}
	for _, n := range c.Nodes {
		if err := until(ctx, "the nodes to find each other", func() bool { return n.NumRoutes() > 0 || conf.Nodes == 1 }); err != nil {
			return err
		}
	}
	return until(ctx, "the nodes to elect who places streams", func() bool {
		return !conf.Chat || conf.Nodes == 1 || slices.ContainsFunc(c.Nodes, (*server.Server).JetStreamIsLeader)
	})
}

// StopNode ends a node as a crash does: its folder stays.
func (c *Cluster) StopNode(i int) {
	c.Nodes[i].Shutdown()
	c.Nodes[i].WaitForShutdown()
}

// StartNode starts a node again, on other ports, with the accounts as Postgres knows them in its folder before it
// takes connections, as ADR 5 wants: nothing that the folder had before counts.
func (c *Cluster) StartNode(ctx context.Context, i int) error {
	jwts, err := c.System.Materialize(ctx)
	if err != nil {
		return err
	}
	n, err := c.startNode(i, jwts)
	if err != nil {
		return err
	}
	c.Nodes[i] = n
	return nil
}

// folder is where a node keeps its accounts and streams.
func (c *Cluster) folder(i int) string { return filepath.Join(c.conf.Dir, fmt.Sprint("n", i)) }

// KillCallout ends a callout's connection with whatever it had in hand, and gives it no other.
func (c *Cluster) KillCallout(i int) { c.lines[i].Close() }

// startNode starts a server as an external one would be configured.
func (c *Cluster) startNode(i int, jwts map[string]string) (*server.Server, error) {
	conf, name, dir := c.conf, fmt.Sprint("n", i), c.folder(i)
	op, err := jwt.DecodeOperatorClaims(c.System.Operator())
	if err != nil {
		return nil, err
	}
	sentinel, err := c.System.Sentinel()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(dir, "accounts")
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o700)); err != nil {
		return nil, err
	}
	resolver, err := server.NewDirAccResolver(folder, 0, 5*time.Second, server.RenameDeleted)
	if err != nil {
		return nil, err
	}
	for account, text := range jwts {
		if err := resolver.SaveAcc(account, text); err != nil {
			return nil, err
		}
	}
	o := &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, DefaultSentinel: sentinel,
		TrustedOperators: []*jwt.OperatorClaims{op}, SystemAccount: op.SystemAccount, AccountResolver: resolver,
		AuthTimeout: authTimeout, MaxControlLine: 32 << 10,
		JetStream: conf.Chat, StoreDir: filepath.Join(dir, "jetstream"), JetStreamMaxMemory: maxReserved, JetStreamMaxStore: maxReserved,
	}
	if conf.Nodes > 1 {
		o.Cluster = server.ClusterOpts{Name: "parley", Host: "127.0.0.1", Port: server.RANDOM_PORT}
	}
	for j, p := range c.Nodes {
		if j != i {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: c.route(i, j, p.ClusterAddr().String())})
		}
	}
	if conf.Through != nil {
		o.Cluster.Advertise = nowhere
	}
	for conf.Chat && len(o.Routes) < conf.Nodes-1 {
		// Servers that keep streams count their peers by these; where the later ones are they hear from them.
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: nowhere})
	}
	n, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	n.Start()
	c.onStop(func() {
		n.Shutdown()
		n.WaitForShutdown()
	})
	if !n.ReadyForConnections(patience) {
		return nil, errors.New("it takes no connections")
	}
	return n, nil
}

// nowhere is an address at which nothing listens.
const nowhere = "127.0.0.1:9"

func (c *Cluster) route(from, to int, addr string) string {
	if c.conf.Through == nil {
		return addr
	}
	return c.conf.Through(from, to, addr)
}

func (c *Cluster) connect(node int, r accounts.Role) (*nats.Conn, error) {
	opts, err := c.System.Login(r)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(c.URL(node), append(opts, nats.Timeout(patience), nats.DontRandomize(), nats.MaxReconnects(-1), nats.IgnoreDiscoveredServers())...)
	if err != nil {
		return nil, fmt.Errorf("connect as %s: %w", r, err)
	}
	c.onStop(nc.Close)
	return nc, nil
}

func (c *Cluster) startRoles(ctx context.Context, conf Config, keys *keyring.Keyring) error {
	sys, err := c.connect(0, accounts.RoleControl)
	if err != nil {
		return err
	}
	// Who asks all servers believes the first that answers how many there are.
	if err := until(ctx, "the nodes to know each other", func() bool { return acquainted(sys, len(c.Nodes)) }); err != nil {
		return err
	}
	notices, err := c.connect(0, accounts.RoleNotices)
	if err != nil {
		return err
	}
	store, err := pgstore.New(pgstore.Config{Pool: conf.Pool, Logger: conf.Log})
	if err != nil {
		return err
	}
	if c.Accounts, err = accounts.New(ctx, accounts.Config{System: c.System, SYS: sys, PARLEY: notices, Refusals: store}); err != nil {
		return err
	}
	c.onStop(c.Accounts.Close)
	hasher, err := authcallout.NewHasher(0)
	if err != nil {
		return err
	}
	if err := c.startService(conf, tenant.Config{Store: store, Accounts: c.Accounts, Streams: noStreams{}, Passwords: hasher}); err != nil {
		return err
	}
	recorder := accounts.NewRecorder(conf.Pool, conf.Log, notices)
	c.background(recorder.Run)
	c.background(func(ctx context.Context) { _ = store.Run(ctx) }) // ends with ctx
	for i := range conf.Callouts {
		if err := c.startCallout(i, authcallout.Config{
			AuthAccount: c.System.AuthAccount(), AuthSigner: c.System.AuthSigner(), XKey: c.System.AuthXKey(),
			Directory: store, Keys: delayed{keys, conf.Delay}, Sessions: recorder, Refusals: store, Users: c.Service, Hasher: hasher, Logger: conf.Log,
			HTTP: &http.Client{}, // for keys at URLs, of which no tenant here has any
		}); err != nil {
			return err
		}
	}
	return nil
}

// acquainted reports whether n servers answer, and each knows of n.
func acquainted(sys *nats.Conn, n int) bool {
	answers, err := sys.SubscribeSync(sys.NewInbox())
	if err != nil {
		return false
	}
	defer func() { _ = answers.Unsubscribe() }() // fails only where the connection is closed
	if err := sys.PublishRequest("$SYS.REQ.SERVER.PING", answers.Subject, nil); err != nil {
		return false
	}
	for range n {
		m, err := answers.NextMsg(time.Second)
		var s server.ServerStatsMsg
		if err != nil || json.Unmarshal(m.Data, &s) != nil || s.Stats.ActiveServers != n {
			return false
		}
	}
	return true
}

// startService makes the operations, with the chat role where it is wanted.
func (c *Cluster) startService(conf Config, of tenant.Config) (err error) {
	if !conf.Chat {
		c.Service, err = tenant.NewService(of)
		return err
	}
	nc, err := c.connect(0, accounts.RoleChat)
	if err != nil {
		return err
	}
	rooms := &lateRooms{}
	role, err := chat.New(chat.Config{Conn: nc, Pool: conf.Pool, Rooms: rooms, Logger: conf.Log})
	if err != nil {
		return err
	}
	of.Streams = role
	if c.Service, err = tenant.NewService(of); err != nil {
		return err
	}
	rooms.Service = c.Service
	c.background(func(ctx context.Context) {
		if err := role.Run(ctx); err != nil {
			conf.Log.Error("chat", "error", err)
		}
	})
	return nil
}

// lateRooms closes the ring of service and chat: each asks the other for something.
type lateRooms struct{ *tenant.Service }

// RestartCallout starts one more callout on the first node.
func (c *Cluster) RestartCallout() error { return c.startCallout(0, c.callout) }

func (c *Cluster) startCallout(node int, conf authcallout.Config) (err error) {
	c.callout = conf
	if conf.Conn, err = c.connect(node, accounts.RoleCallout); err != nil {
		return err
	}
	callout, err := authcallout.New(conf)
	if err != nil {
		return err
	}
	c.Callouts, c.lines = append(c.Callouts, callout), append(c.lines, conf.Conn)
	c.onStop(callout.Stop)
	return callout.Start()
}

func (c *Cluster) background(run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { run(ctx) })
	c.onStop(func() {
		cancel()
		done.Wait()
	})
}

// delayed opens keys when what runs before has run: the directory was read by then.
type delayed struct {
	authcallout.Keys
	before func()
}

func (d delayed) Signer(k tenant.SealedKey) (nkeys.KeyPair, error) {
	if d.before != nil {
		d.before()
	}
	return d.Keys.Signer(k)
}

// noStreams is the chat role where nobody posts: the nil interface stands for what is never asked.
type noStreams struct{ tenant.Streams }

func (noStreams) Ensure(context.Context, tenant.Tenant, tenant.Class) error { return nil }
func (noStreams) EnsureShared(context.Context, tenant.Tenant) error         { return nil }
func (noStreams) Conform(context.Context, tenant.Tenant) error              { return nil }

// until polls, and gives up after a while.
func until(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// Package embednats runs a nats-server in this process, in operator mode and with
// JetStream. It is told everything: it makes no keys, reads no database, and knows
// nothing of tenants.
package embednats

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

const (
	// authTimeout is how long a connection may take to be let in, in seconds. Refusals that
	// the server finds by itself hang that long (NATS.md).
	authTimeout = 2.0
	// resolverInterval is how often nodes compare their accounts: the bound on a missed revocation.
	resolverInterval = 5 * time.Second
	// maxControlLine leaves room for a token with a working set of rooms in CONNECT.
	maxControlLine = 32 << 10
	maxPayload     = 1 << 20
	// maxReserved is what JetStream lets streams reserve. Each tenant's stream reserves the
	// MaxBytes of its plan, and thousands of plans are more than the disk has.
	maxReserved = 1 << 50
	// At a stop clients are told, and after the grace closed one by one, each of them
	// half to one of its share of what is left of lameDuck.
	lameDuck      = 2500 * time.Millisecond
	lameDuckGrace = 500 * time.Millisecond
	stopTimeout   = 5 * time.Second
	startTimeout  = time.Minute
)

// Config of a Server. Dir, Operator, Sentinel, Accounts, NATS, WS and Log are required.
type Config struct {
	Dir      string            // where the accounts and streams are kept
	Operator string            // the operator's JWT, which names the system account
	Sentinel string            // the user JWT of connections that bring none
	Accounts map[string]string // JWTs by public nkey; whatever the folder held before is forgotten
	NATS     string            // host:port; port 0 picks a free one
	WS       string            // host:port of the WebSocket listener, likewise
	Name     string            // "": parley-1. Clients can see it
	// AllowedOrigins are the values of Origin that the WebSocket listener accepts; empty: all.
	AllowedOrigins []string
	TLS            *tls.Config // of the NATS port; nil: plain
	WebsocketTLS   *tls.Config // likewise
	Log            *slog.Logger
}

// A Server is one running nats-server.
type Server struct {
	nats *server.Server
}

// Start starts a server and returns when it takes connections. Every account is in place
// before the ports open, so that nothing that was revoked comes back.
func Start(c Config) (*Server, error) {
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(free("--nats", c.NATS), free("--ws", c.WS)); err != nil {
		return nil, err
	}
	resolver, err := c.resolver()
	if err != nil {
		return nil, err
	}
	opts.AccountResolver = resolver
	s, err := server.NewServer(opts)
	if err != nil {
		resolver.Close()
		return nil, fmt.Errorf("configure nats-server: %w", err)
	}
	l := &logger{log: c.Log}
	s.SetLoggerV2(l, false, false, false)
	if err := c.preload(s); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	s.Start()
	ready := s.ReadyForConnections(startTimeout)
	if err := l.fatal(); err != nil || !ready {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("start nats-server: %w", errors.Join(err, notReady(ready)))
	}
	return &Server{nats: s}, nil
}

func notReady(ready bool) error {
	if ready {
		return nil
	}
	return errors.New("it takes no connections")
}

func (c Config) options() (*server.Options, error) {
	operator, err := jwt.DecodeOperatorClaims(c.Operator)
	if err != nil {
		return nil, fmt.Errorf("decode operator: %w", err)
	}
	host, port, err := listen("--nats", c.NATS)
	if err != nil {
		return nil, err
	}
	wsHost, wsPort, err := listen("--ws", c.WS)
	if err != nil {
		return nil, err
	}
	if c.Name == "" {
		c.Name = "parley-1"
	}
	o := &server.Options{
		ServerName: c.Name, Host: host, Port: port, NoSigs: true,
		TrustedOperators: []*jwt.OperatorClaims{operator}, SystemAccount: operator.SystemAccount, DefaultSentinel: c.Sentinel,
		AuthTimeout: authTimeout, MaxControlLine: maxControlLine, MaxPayload: maxPayload,
		JetStream: true, StoreDir: filepath.Join(c.Dir, "jetstream"), SyncInterval: time.Second,
		JetStreamMaxMemory: maxReserved, JetStreamMaxStore: maxReserved, DisableJetStreamBanner: true,
		LameDuckDuration: lameDuck, LameDuckGracePeriod: lameDuckGrace,
		Websocket: server.WebsocketOpts{
			Host: wsHost, Port: wsPort, NoTLS: c.WebsocketTLS == nil, TLSConfig: c.WebsocketTLS, AllowedOrigins: c.AllowedOrigins,
			AuthTimeout: authTimeout, HandshakeTimeout: 2 * time.Second,
		},
	}
	// Behind a proxy or in a container the addresses of our interfaces help no client, and tell of our network.
	o.Cluster.NoAdvertise = true
	if c.TLS != nil {
		o.TLS, o.TLSConfig, o.TLSTimeout = true, c.TLS, authTimeout
	}
	return o, nil
}

// resolver fills a fresh folder with the accounts. The database is what is true: a folder
// that was lost, or is older than the last revocation, must not matter.
func (c Config) resolver() (*server.DirAccResolver, error) {
	dir := filepath.Join(c.Dir, "accounts")
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("clear resolver folder: %w", err)
	}
	r, err := server.NewDirAccResolver(dir, 0, resolverInterval, server.RenameDeleted)
	if err != nil {
		return nil, fmt.Errorf("open resolver folder: %w", err)
	}
	for account, text := range c.Accounts {
		if err := r.SaveAcc(account, text); err != nil {
			r.Close()
			return nil, fmt.Errorf("load account %s: %w", account, err)
		}
	}
	return r, nil
}

// preload has the server know the accounts that shut somebody out before it takes connections. It builds an
// account when the first client comes, and when two come at once lets the second in on what is built by then:
// the keys that sign users come first, and the revocations last (docs/NATS.md).
func (c Config) preload(s *server.Server) error {
	for account, text := range c.Accounts {
		claims, err := jwt.DecodeAccountClaims(text)
		if err != nil {
			return fmt.Errorf("decode account %s: %w", account, err)
		}
		if len(claims.Revocations) == 0 {
			continue
		}
		if _, err := s.LookupAccount(account); err != nil {
			return fmt.Errorf("load account %s: %w", account, err)
		}
	}
	return nil
}

// listen splits an address into what the server's options take.
func listen(flag, addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%s %q: %w", flag, addr, err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%s %q: the port must be a number up to 65535", flag, addr)
	}
	if port == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(port), nil
}

// free tries the address, for the server itself only logs why it can't listen.
func free(flag, addr string) error {
	l, err := net.Listen("tcp", addr) //nolint:noctx // nothing to wait for
	if err != nil {
		return fmt.Errorf("can't listen on %s; stop what uses it, or choose another address with %s: %w", addr, flag, err)
	}
	return l.Close()
}

// ClientURL is nats://host:port, or tls://.
func (s *Server) ClientURL() string { return s.nats.ClientURL() }

// WebsocketURL is ws://host:port, or wss://.
func (s *Server) WebsocketURL() string { return s.nats.WebsocketURL() }

// InProcessConn makes the server an option of nats.go: nats.InProcessServer(s).
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.InProcessConn() }

// ID is the server's id, which is new at each start.
func (s *Server) ID() string { return s.nats.ID() }

// Stop tells the clients to go elsewhere, closes them, and ends the server: within 5 s, or
// when ctx ends, whatever it has come to. JetStream ends first, so its users are to be closed before.
func (s *Server) Stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.nats.LameDuckShutdown()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	s.Kill()
	<-done
}

// Kill ends the server at once.
func (s *Server) Kill() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

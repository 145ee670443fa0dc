package embednats_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"parley/internal/embednats"
)

func TestMain(m *testing.M) {
	// The server's account timers and the clients' readers end a moment after what they serve.
	goleak.VerifyTestMain(m)
}

// A world is an operator with a system account and one account with JetStream.
type world struct {
	config  embednats.Config
	account nkeys.KeyPair
	log     *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func public(k nkeys.KeyPair) string { return must(k.PublicKey()) }

func newWorld(t testing.TB) *world {
	t.Helper()
	op, sys, acc := must(nkeys.CreateOperator()), must(nkeys.CreateAccount()), must(nkeys.CreateAccount())
	o := jwt.NewOperatorClaims(public(op))
	o.SystemAccount = public(sys)
	a := jwt.NewAccountClaims(public(acc))
	a.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1, MaxAckPending: -1}
	sentinel := jwt.NewUserClaims(public(must(nkeys.CreateUser())))
	sentinel.BearerToken = true
	sentinel.Pub.Deny.Add(">")
	sentinel.Sub.Deny.Add(">")
	w := &world{account: acc, log: &syncBuffer{}}
	w.config = embednats.Config{
		Dir: t.TempDir(), Operator: must(o.Encode(op)), Sentinel: must(sentinel.Encode(acc)),
		Accounts: map[string]string{public(sys): must(jwt.NewAccountClaims(public(sys)).Encode(op)), public(acc): must(a.Encode(op))},
		NATS:     "127.0.0.1:0", WS: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	return w
}

func (w *world) start(t testing.TB) *embednats.Server {
	t.Helper()
	s, err := embednats.Start(w.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

func (w *world) user() nats.Option {
	user := must(nkeys.CreateUser())
	text := must(jwt.NewUserClaims(public(user)).Encode(w.account))
	return nats.UserJWT(func() (string, error) { return text, nil }, user.Sign)
}

func (w *world) connect(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{w.user(), nats.Timeout(20 * time.Second)}, opts...)...)
	if err != nil {
		t.Fatalf("connect to %s: %v", url, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestThreeWaysIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	if !strings.HasPrefix(s.ClientURL(), "nats://127.0.0.1:") || !strings.HasPrefix(s.WebsocketURL(), "ws://127.0.0.1:") {
		t.Errorf("got %s and %s", s.ClientURL(), s.WebsocketURL())
	}
	heard := make(chan string, 3)
	conns := []*nats.Conn{w.connect(t, s.ClientURL()), w.connect(t, s.WebsocketURL()), w.connect(t, "", nats.InProcessServer(s))}
	if _, err := conns[0].Subscribe("x", func(m *nats.Msg) { heard <- string(m.Data) }); err != nil {
		t.Fatal(err)
	}
	if err := conns[0].Flush(); err != nil {
		t.Fatal(err)
	}
	for i, nc := range conns {
		if err := nc.Publish("x", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
		case <-time.After(10 * time.Second):
			t.Errorf("connection %d was not heard", i)
		}
	}
	if got := conns[0].ConnectedServerName(); got != "parley-1" {
		t.Errorf("got server name %s, want a neutral one", got)
	}
	if got := conns[0].MaxPayload(); got != 1<<20 {
		t.Errorf("got max payload %d, want 1 MiB", got)
	}
	if got := conns[0].DiscoveredServers(); len(got) != 0 {
		t.Errorf("the server tells its addresses: %v", got)
	}
}

// Thousands of plans reserve more than any disk has.
func TestReservationsFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := must(w.connect(t, w.start(t).ClientURL()).JetStream())
	for i, kind := range []nats.StorageType{nats.FileStorage, nats.MemoryStorage} {
		for j := range 3 {
			name := fmt.Sprintf("s%d%d", i, j)
			if _, err := js.AddStream(&nats.StreamConfig{Name: name, Subjects: []string{name}, MaxBytes: 1 << 44, Storage: kind}); err != nil {
				t.Errorf("stream %s of 16 TiB: %v", name, err)
			}
		}
	}
}

func TestStreamsSurviveAndAccountsAreReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	js := must(w.connect(t, s.ClientURL()).JetStream())
	if _, err := js.AddStream(&nats.StreamConfig{Name: "s", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish("s", []byte("text")); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	stale := filepath.Join(w.config.Dir, "accounts", public(must(nkeys.CreateAccount()))+".jwt")
	if err := os.WriteFile(stale, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = w.start(t)
	js = must(w.connect(t, s.ClientURL()).JetStream())
	info, err := js.StreamInfo("s")
	if err != nil || info.State.Msgs != 1 {
		t.Errorf("got %v, %v; want the message kept", info, err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("an account that the database does not know survived the start")
	}
}

func TestBusyPort(t *testing.T) {
	t.Parallel()
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer func() { _ = l.Close() }()
	busy := l.Addr().String()
	for flag, set := range map[string]func(*embednats.Config){
		"--nats": func(c *embednats.Config) { c.NATS = busy },
		"--ws":   func(c *embednats.Config) { c.WS = busy },
	} {
		w := newWorld(t)
		set(&w.config)
		_, err := embednats.Start(w.config)
		if err == nil || !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), busy) {
			t.Errorf("got %v, want an error with %s and %s", err, flag, busy)
		}
	}
}

func TestWrongConfig(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*embednats.Config){
		"no port":        func(c *embednats.Config) { c.NATS = "127.0.0.1" },
		"named port":     func(c *embednats.Config) { c.WS = "127.0.0.1:http" },
		"big port":       func(c *embednats.Config) { c.NATS = "127.0.0.1:70000" },
		"no operator":    func(c *embednats.Config) { c.Operator = "" },
		"wrong sentinel": func(c *embednats.Config) { c.Sentinel = "x" },
		"no system": func(c *embednats.Config) {
			op := must(nkeys.CreateOperator())
			c.Operator = must(jwt.NewOperatorClaims(public(op)).Encode(op))
		},
	} {
		w := newWorld(t)
		set(&w.config)
		if s, err := embednats.Start(w.config); err == nil {
			s.Kill()
			t.Errorf("%s: got a server, want an error", name)
		}
	}
}

// A stop tells the clients, and is over in time though one of them stays.
func TestStopTellsClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	told := make(chan struct{})
	w.connect(t, s.ClientURL(), nats.LameDuckModeHandler(func(*nats.Conn) { close(told) }), nats.NoReconnect())
	for range 20 {
		w.connect(t, s.ClientURL(), nats.NoReconnect())
	}
	begun := time.Now()
	s.Stop(context.Background())
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("a stop took %v", took)
	}
	select {
	case <-told:
	case <-time.After(10 * time.Second):
		t.Error("the client was not told")
	}
	if nc, err := nats.Connect(s.ClientURL(), w.user()); err == nil {
		nc.Close()
		t.Error("a stopped server takes connections")
	}
	s.Stop(context.Background()) // again does nothing
}

func TestStopEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	nc := w.connect(t, s.ClientURL(), nats.NoReconnect())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Stop(ctx)
	if err := nc.FlushTimeout(5 * time.Second); err == nil {
		t.Error("the connection survived the stop")
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.AllowedOrigins = []string{"https://app.example"}
	s := w.start(t)
	for origin, want := range map[string]int{"https://app.example": http.StatusSwitchingProtocols, "https://evil.example": http.StatusForbidden} {
		req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(s.WebsocketURL(), "ws", "http", 1), nil))
		req.Header = http.Header{
			"Origin": {origin}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", origin, resp.StatusCode, want)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key))
	w.config.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	w.config.WebsocketTLS = w.config.TLS.Clone()
	s := w.start(t)
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(der)))
	trust := nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool})
	for _, url := range []string{s.ClientURL(), s.WebsocketURL()} {
		if !strings.HasPrefix(url, "tls://") && !strings.HasPrefix(url, "wss://") {
			t.Errorf("got %s, want TLS in the address", url)
		}
		if err := w.connect(t, url, trust).Flush(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := w.connect(t, "", nats.InProcessServer(s)).Flush(); err != nil {
		t.Errorf("in process: %v", err)
	}
	if nc, err := nats.Connect(strings.Replace(s.ClientURL(), "tls", "nats", 1), w.user()); err == nil {
		nc.Close()
		t.Error("a client that does not trust the certificate was let in")
	}
}

// A token with a working set makes CONNECT long; beyond 32 KiB it is refused.
func TestLongConnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	w.connect(t, s.ClientURL(), nats.Name(strings.Repeat("x", 28<<10)))
	if nc, err := nats.Connect(s.ClientURL(), w.user(), nats.Name(strings.Repeat("x", 40<<10))); err == nil {
		nc.Close()
		t.Error("a CONNECT of 40 KiB was taken")
	}
}

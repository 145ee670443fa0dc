// Package chattest runs a NATS server with a chat of one tenant for the tests of the
// client side: posting, acknowledgements, live delivery and permissions are the
// server's own; the chat service is a small fake that speaks the operations of
// DESIGN.md section 9. Nothing but tests may import it.
package chattest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
)

const (
	streamName   = "std"
	serviceToken = "service"
	timeout      = 20 * time.Second
)

// Room is a room of the fake. Members are all but for open and announce rooms.
type Room struct {
	ID      string
	Kind    tenant.Kind
	Title   string
	Members []string
}

// A Server is one tenant's chat. Users connect with their id as token.
type Server struct {
	t    testing.TB
	dir  string
	port int
	ns   *server.Server
	nc   *nats.Conn
	js   jetstream.JetStream

	mu      sync.Mutex
	rooms   []*Room
	log     []entry // what is stored, in order
	next    uint64  // sequence to read next
	read    map[string]uint64
	refused map[string]bool
	logins  map[string][]string // tokens by user
	alias   map[string]string   // users by token
	hook    func(op, user string) map[string]any
}

// Start runs a server until the test ends. Room "lobby" is open.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{
		t: t, dir: t.TempDir(), port: server.RANDOM_PORT,
		rooms: []*Room{{ID: "lobby", Kind: tenant.Open, Title: "The lobby"}},
		read:  map[string]uint64{}, refused: map[string]bool{}, logins: map[string][]string{}, alias: map[string]string{},
	}
	s.run()
	nc, err := nats.Connect(s.URL(), nats.Token(serviceToken), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	s.must(err)
	s.nc = nc
	s.js, err = jetstream.New(nc)
	s.must(err)
	s.next = uint64(time.Now().UnixMicro())
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: streamName, Subjects: []string{"chat.std.>"}, FirstSeq: s.next, Duplicates: time.Minute, Storage: jetstream.FileStorage,
		RePublish: &jetstream.RePublish{Source: "chat.std.>", Destination: "live.std.>"}, MaxMsgSize: 64 << 10,
	})
	s.must(err)
	_, err = nc.Subscribe("chat.api.*.*", s.serve)
	s.must(err)
	s.must(nc.Flush())
	t.Cleanup(func() {
		nc.Close()
		s.ns.Shutdown()
		s.ns.WaitForShutdown()
	})
	return s
}

func (s *Server) run() {
	s.t.Helper()
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: s.port, JetStream: true, StoreDir: s.dir, NoLog: true, NoSigs: true,
		CustomClientAuthentication: s,
	})
	s.must(err)
	ns.Start()
	if !ns.ReadyForConnections(timeout) {
		s.t.Fatal("chattest: the NATS server is not ready")
	}
	s.mu.Lock()
	s.ns = ns
	s.mu.Unlock()
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("chattest: %v", err)
	}
}

// URL is where clients connect.
func (s *Server) URL() string { return s.ns.ClientURL() }

// Stop ends the NATS server; Run starts it again on the same port with the same messages.
func (s *Server) Stop() {
	if addr, ok := s.ns.Addr().(*net.TCPAddr); ok {
		s.port = addr.Port
	}
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// Run starts the server that Stop ended, and waits for the fake service to be back.
func (s *Server) Run() {
	s.t.Helper()
	s.run()
	s.Eventually("the service is connected", func() bool { return s.nc.IsConnected() && s.nc.Flush() == nil })
	s.Eventually("the stream is there", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := s.js.Stream(ctx, streamName)
		return err == nil
	})
}

// Eventually polls until ok, and fails the test after a while.
func (s *Server) Eventually(what string, ok func() bool) {
	s.t.Helper()
	Eventually(s.t, what, ok)
}

// Eventually polls until ok, and fails the test after a while.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v in vain: %s", timeout, what)
		}
	}
}

package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"parley/internal/pgtest"
	"parley/tenant"
	"parley/tenant/subject"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience is how long a state may take to come on a busy machine.
const patience = time.Minute

// fast is the timing of tests: waits are short, bounds are long. A call must end before the test does:
// a server that stops loses some for good.
var fast = timing{
	call: patience / 6, answer: patience, elect: 20 * time.Millisecond, keepalive: 20 * time.Millisecond,
	check: 100 * time.Millisecond, retry: 20 * time.Millisecond, readWait: patience, readPoll: 5 * time.Millisecond,
	coalesce: 20 * time.Millisecond, measure: 0,
}

// A site is one database, one server and one tenant "acme" with users alice, bob, carol, the
// revoked rex and the backend bot. Posts go straight to the platform's subjects, as the tenants' imports do.
type site struct {
	t      testing.TB
	dir    string
	srv    *server.Server
	conn   *nats.Conn
	pool   *pgxpool.Pool
	tenant tenant.Tenant
	chat   *Chat
	ids    atomic.Int64
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), pool: pgtest.NewPool(t)}
	s.tenant = tenant.Tenant{ID: "acme", Account: "A" + strings.Repeat("B", 55), Limits: tenant.Limits{MessageBytes: 4096}}
	s.srv = startServer(t, s.dir, server.RANDOM_PORT)
	t.Cleanup(func() { stopServer(s.srv) })
	s.conn = s.connect()
	s.addTenant(s.tenant)
	for _, u := range []string{"alice", "bob", "carol", "rex"} {
		s.exec(`INSERT INTO users (tenant_id, user_id, kind, name, status, created_at) VALUES ('acme', $1, 'person', $2, 'active', now())`, u, "Name of "+u)
	}
	s.exec(`UPDATE users SET status = 'revoked' WHERE user_id = 'rex'`)
	s.exec(`INSERT INTO users (tenant_id, user_id, kind, name, status, created_at) VALUES ('acme', 'bot', 'service', 'Bot', 'active', now())`)
	s.chat = s.newChat(s.conn, s.pool)
	s.ensure(tenant.Std)
	return s
}

func startServer(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, JetStreamMaxStore: 1 << 50, JetStreamMaxMemory: 1 << 50,
	})
	if err != nil {
		t.Fatalf("make a server: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	return srv
}

func stopServer(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

// restartServer stops the server, runs fn, starts it again where the clients look for it, and waits for them.
func (s *site) restartServer(fn func()) {
	s.t.Helper()
	port := s.srv.Addr().(*net.TCPAddr).Port
	stopServer(s.srv)
	fn()
	s.srv = startServer(s.t, s.dir, port)
	s.eventually("the clients are back", func() bool {
		info, err := s.chat.streamInfo(s.brief(), subject.Stream(s.tenant.Account, tenant.Std))
		return err == nil && info != nil
	})
}

func (s *site) connect() *nats.Conn {
	s.t.Helper()
	conn, err := nats.Connect(s.srv.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		s.t.Fatalf("connect: %v", err)
	}
	s.t.Cleanup(func() {
		closed := conn.StatusChanged(nats.CLOSED)
		conn.Close()
		<-closed
	})
	return conn
}

func (s *site) newChat(conn *nats.Conn, pool *pgxpool.Pool) *Chat {
	s.t.Helper()
	c, err := New(Config{Conn: conn, Pool: pool, Rooms: &fakeRooms{}})
	if err != nil {
		s.t.Fatalf("New: %v", err)
	}
	c.timing = fast
	return c
}

// run starts a chat; the returned function stops it and waits.
func (s *site) run(c *Chat) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("Run: got %v, want nil", err)
		}
	}
	s.t.Cleanup(stop)
	return stop
}

func (s *site) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(cancel)
	return ctx
}

// brief is ctx for a call that may be lost and is made again.
func (s *site) brief() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	s.t.Cleanup(cancel)
	return ctx
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.pool.Exec(s.ctx(), sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func (s *site) addTenant(t tenant.Tenant) {
	s.t.Helper()
	limits, err := json.Marshal(t.Limits)
	if err != nil {
		s.t.Fatal(err)
	}
	s.exec(`INSERT INTO tenants (tenant_id, account, name, timezone, limits, status, created_at)
		VALUES ($1, $2, 'Acme', 'UTC', $3, 'active', now())`, t.ID, t.Account, limits)
}

func (s *site) ensure(c tenant.Class) {
	s.t.Helper()
	if err := s.chat.Ensure(s.ctx(), s.tenant, c); err != nil {
		s.t.Fatalf("Ensure %s: %v", c, err)
	}
}

// room makes a room of acme and returns its place.
func (s *site) room(id tenant.RoomID, kind tenant.Kind, class tenant.Class) venue {
	s.t.Helper()
	s.exec(`INSERT INTO rooms (tenant_id, room_id, kind, class, title, created_at, changed_at)
		VALUES ('acme', $1, $2, $3, 'Room ' || $1, now(), now())`, id, kind, class)
	return venue{id, kind, class}
}

func (s *site) member(r tenant.RoomID, u tenant.UserID, role tenant.Role, state tenant.MemberState) {
	s.t.Helper()
	s.exec(`INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT room_pk, 'acme', $2, $3, $4, now() FROM rooms WHERE room_id = $1`, r, u, role, state)
}

// A venue is where a room's messages go.
type venue struct {
	room  tenant.RoomID
	kind  tenant.Kind
	class tenant.Class
}

func (p venue) by(u string) subject.Post {
	return subject.Post{Class: p.class, Kind: p.kind, Room: p.room, Sender: u}
}

// newID is a Nats-Msg-Id as clients should make them.
func (s *site) newID() string { return fmt.Sprintf("id-%026d", s.ids.Add(1)) }

// post stores a text and returns its sequence.
func (s *site) post(p subject.Post, text string) uint64 {
	s.t.Helper()
	return s.store(p.Stored(s.tenant.Account), fmt.Sprintf(`{"text":%q}`, text), nats.Header{nats.MsgIdHdr: {s.newID()}}).Seq
}

// store stores anything and returns the acknowledgement.
func (s *site) store(to, body string, h nats.Header) pubAck {
	s.t.Helper()
	m, err := s.conn.RequestMsgWithContext(s.ctx(), &nats.Msg{Subject: to, Data: []byte(body), Header: h})
	if err != nil {
		s.t.Fatalf("post to %s: %v", to, err)
	}
	var ack pubAck
	if err = json.Unmarshal(m.Data, &ack); err != nil || ack.Error != nil {
		s.t.Fatalf("post to %s: got %s, want an acknowledgement", to, m.Data)
	}
	return ack
}

// eventually waits until a condition holds.
func (s *site) eventually(what string, fn func() bool) {
	s.t.Helper()
	eventually(s.t, what, fn)
}

func eventually(t testing.TB, what string, fn func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for !fn() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		case <-every.C:
		}
	}
}

// query returns one value.
func query[T any](s *site, sql string, args ...any) T {
	s.t.Helper()
	var v T
	if err := s.pool.QueryRow(s.ctx(), sql, args...).Scan(&v); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// texts are a room's messages as the read model has them, "n:text", once all that is stored is projected.
func (s *site) texts(r tenant.RoomID) []string {
	s.t.Helper()
	page, err := s.chat.History(s.ctx(), "acme", r, tenant.HistoryQuery{Limit: tenant.MaxHistory})
	if err != nil {
		s.t.Fatalf("History of %s: %v", r, err)
	}
	var all []string
	for _, m := range page.Messages {
		all = append(all, fmt.Sprintf("%d:%s", m.N, m.Text))
	}
	return all
}

func (s *site) wantTexts(r tenant.RoomID, want ...string) {
	s.t.Helper()
	if got := s.texts(r); !slices.Equal(got, want) {
		s.t.Errorf("room %s: got %q, want %q", r, got, want)
	}
}

// numbered is "1:m1", "2:m2", …
func numbered(n int) []string {
	var all []string
	for i := 1; i <= n; i++ {
		all = append(all, fmt.Sprintf("%d:m%d", i, i))
	}
	return all
}

// fakeRooms is the service's part of the chat API.
type fakeRooms struct {
	Settings
	Moderation
	Blocking
	noted []uint64 // the sequences of what the tenant itself deleted
}

func (f *fakeRooms) NoteDeletion(_ context.Context, _ tenant.Actor, _ tenant.TenantID, _ tenant.RoomID, seq uint64) error {
	f.noted = append(f.noted, seq)
	return nil
}

func (*fakeRooms) Join(_ context.Context, t tenant.TenantID, _ tenant.UserID, r tenant.RoomID) (tenant.Room, error) {
	if r == "secret" {
		return tenant.Room{}, tenant.NotFound("room")
	}
	return tenant.Room{Tenant: t, ID: r, Kind: tenant.Open, Class: tenant.Std, State: tenant.RoomActive}, nil
}

func (*fakeRooms) MuteFlooder(context.Context, tenant.TenantID, tenant.UserID, tenant.RoomID, uint64) error {
	return nil
}

func (*fakeRooms) Leave(_ context.Context, _ tenant.TenantID, _ tenant.UserID, r tenant.RoomID) error {
	if r == "secret" {
		return tenant.NotFound("room")
	}
	return nil
}

func (*fakeRooms) OpenDirect(_ context.Context, t tenant.TenantID, u, other tenant.UserID) (tenant.Room, error) {
	id, err := tenant.DirectRoomID(u, other)
	return tenant.Room{Tenant: t, ID: id, Kind: tenant.Direct, Class: tenant.Std, State: tenant.RoomActive}, err
}

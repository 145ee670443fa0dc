package pgstore

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"parley/internal/pgtest"
	"parley/tenant"
)

// A door is the way of a pool to its Postgres, and can be shut.
type door struct {
	network, address string // of Postgres
	dialer           net.Dialer

	mu    sync.Mutex
	mode  doorMode
	conns map[net.Conn]bool
}

type doorMode int

const (
	doorOpen   doorMode = iota
	doorShut            // connections are refused, open ones were cut
	doorSilent          // connections are taken, and nobody answers
)

// throughDoor returns a store whose connections pass through a door.
func throughDoor(t *testing.T) (*Store, *door) {
	t.Helper()
	config := pgtest.NewPool(t).Config()
	d := &door{conns: make(map[net.Conn]bool)}
	d.network, d.address = pgconn.NetworkAddress(config.ConnConfig.Host, config.ConnConfig.Port)
	config.ConnConfig.DialFunc = d.dial
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(pool.Close)
	t.Cleanup(func() { d.set(doorShut) }) // before Close, which waits for the connections
	return storeOver(t, pool), d
}

func (d *door) set(m doorMode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mode = m
	if m != doorOpen {
		for c := range d.conns {
			_ = c.Close()
		}
		clear(d.conns)
	}
}

func (d *door) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.mode {
	case doorShut:
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	case doorSilent:
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }() // until ours is closed
		d.conns[ours] = true
		return ours, nil
	}
	c, err := d.dialer.DialContext(ctx, d.network, d.address)
	if err == nil {
		d.conns[c] = true
	}
	return c, err
}

// everyWay calls every method that reaches Postgres by itself.
func everyWay(ctx context.Context, s *Store) map[string]error {
	page := tenant.Page{Limit: 1}
	errs := make(map[string]error)
	_, errs["Tenant"] = s.Tenant(ctx, "acme")
	_, errs["Tenants"] = s.Tenants(ctx, page)
	_, errs["User"] = s.User(ctx, "acme", "alice")
	_, errs["Users"] = s.Users(ctx, "acme", page)
	_, errs["Room"] = s.Room(ctx, "acme", "r")
	_, errs["Rooms"] = s.Rooms(ctx, "acme", page)
	_, errs["Membership"] = s.Membership(ctx, "acme", "r", "alice")
	_, errs["Members"] = s.Members(ctx, "acme", "r", page)
	_, errs["AuditTrail"] = s.AuditTrail(ctx, "acme", page)
	_, errs["Refusals"] = s.Refusals(ctx, "acme", page)
	_, errs["APIKey"] = s.APIKey(ctx, "id")
	_, errs["Keys"] = s.Keys(ctx, "acme", page)
	errs["KeyUsed"] = s.KeyUsed(ctx, "id", base)
	_, errs["Identity"] = s.Identity(ctx, tenant.Claim{Tenant: "acme", User: "alice"})
	errs["Write"] = s.Write(ctx, "acme", func(tenant.Tx, tenant.Tenant) error { return nil })
	errs["Create"] = s.Create(ctx, func(tenant.Tx) error { return nil })
	errs["DropTenant"] = s.DropTenant(ctx, "nobody")
	return errs
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	wantErr(t, what, err, tenant.ErrUnavailable)
	if e, ok := tenant.AsError(err); ok {
		want(t, what+": message", e.Message, "the records can't be reached right now; try again shortly")
	}
	var connect *pgconn.ConnectError
	var server *pgconn.PgError
	if errors.As(err, &connect) || errors.As(err, &server) {
		t.Errorf("%s: got an error of the driver (%v), want none to pass", what, err)
	}
}

func TestPostgresAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	s, d := throughDoor(t)
	addTenant(t, s, "acme")
	addUser(t, s, userOf("acme", "alice"))
	for way, err := range everyWay(within(t), s) {
		if err != nil && !errors.Is(err, tenant.ErrNotFound) {
			t.Errorf("%s before: got error %v, want none", way, err)
		}
	}
	d.set(doorShut)
	for way, err := range everyWay(within(t), s) {
		wantUnavailable(t, way+" while it is away", err)
	}
	d.set(doorSilent)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for way, err := range everyWay(short, s) {
		wantUnavailable(t, way+" while it is silent", err)
	}
	d.set(doorOpen)
	for way, err := range everyWay(within(t), s) {
		if err != nil && !errors.Is(err, tenant.ErrNotFound) {
			t.Errorf("%s afterwards: got error %v, want none", way, err)
		}
	}
}

func TestPostgresGoneWithinAWriteIsUnavailable(t *testing.T) {
	t.Parallel()
	s, d := throughDoor(t)
	addTenant(t, s, "acme")
	runs := 0
	err := try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		runs++
		if err := x.PutUser(ctx, userOf("acme", "alice")); err != nil {
			return err
		}
		d.set(doorShut)
		return x.PutUser(ctx, userOf("acme", "bob"))
	})
	wantUnavailable(t, "Write", err)
	want(t, "runs", runs, 1)
	d.set(doorOpen)
	want(t, "users", count(t, s, `SELECT count(*) FROM users`), 0)
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.PutUser(ctx, userOf("acme", "alice")) })
}

func TestACallerWhoLeavesIsNotToldOfAnOutage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for way, err := range everyWay(gone, s) {
		wantErr(t, way, err, context.Canceled)
		if errors.Is(err, tenant.ErrUnavailable) {
			t.Errorf("%s: got %v, want no outage", way, err)
		}
	}
}

func TestEveryStatementIsBounded(t *testing.T) {
	t.Parallel()
	own, cancel := bound(t.Context())
	defer cancel()
	if _, ok := own.Deadline(); !ok {
		t.Error("without the caller's deadline: got none, want one")
	}
	theirs, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	got, cancel := bound(theirs)
	defer cancel()
	deadline, _ := got.Deadline()
	wanted, _ := theirs.Deadline()
	want(t, "with the caller's deadline", deadline, wanted)
}

package accounts_test

import (
	"context"
	"testing"
	"time"

	"parley/accounts"
	"parley/internal/natstest"
	"parley/internal/pgtest"
	"parley/tenant"
)

// record runs a recorder until the test ends.
func record(t testing.TB, env *natstest.Env) *accounts.Recorder {
	t.Helper()
	r := accounts.NewRecorder(env.Pool, natstest.Log(t), env.Notices(t))
	run(t, r.Run)
	return r
}

func run(t testing.TB, f func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func sessions(t testing.TB, env *natstest.Env) (n int) {
	t.Helper()
	if err := env.Pool.QueryRow(t.Context(), `SELECT count(*) FROM sessions`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConnectionsTellTheMethod(t *testing.T) {
	t.Parallel()
	env := start(t)
	row, other := env.NewTenant(t, "acme"), env.NewTenant(t, "zeta")
	c := newCallout(t, env, row, other)
	c.record = record(t, env).Record
	run(t, env.Accounts.Run)
	ctx := deadline(t)
	begun := time.Now().Add(-time.Second)
	nc := mustDial(t, env.Server.ClientURL(), row, "alice")
	ws := mustDial(t, env.Server.WebsocketURL(), row, "bob")
	mustDial(t, env.Server.ClientURL(), other, "alice")

	one, err := env.Accounts.Connections(ctx, row.Account, "alice")
	if err != nil || len(one) != 1 {
		t.Fatalf("got %d connections, %v; want 1", len(one), err)
	}
	got := one[0]
	if got.User != "alice" || got.Method != tenant.MethodPassword || got.Server != env.Server.ID() || got.Since.Before(begun) {
		t.Errorf("got %+v; want alice by password, just now, on %s", got, env.Server.ID())
	}
	if local := nc.ConnectedAddr(); got.Address == "" || got.Address == local {
		t.Errorf("got address %s, want the client's, not the server's %s", got.Address, local)
	}
	all, err := env.Accounts.Connections(ctx, row.Account, "")
	if err != nil || len(all) != 2 {
		t.Errorf("got %d connections, %v; want 2", len(all), err)
	}
	for _, c := range all {
		if c.Method != tenant.MethodPassword {
			t.Errorf("got method %q of %s, want password", c.Method, c.User)
		}
	}
	ws.Close()
	nc.Close()
	natstest.Eventually(t, "the sessions to be forgotten", func() bool { return sessions(t, env) == 1 })
	natstest.Eventually(t, "no connections", func() bool {
		left, err := env.Accounts.Connections(ctx, row.Account, "")
		return err == nil && len(left) == 0
	})
}

// A connection whose session was lost is listed all the same.
func TestConnectionWithoutSession(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	newCallout(t, env, row)
	mustDial(t, env.Server.ClientURL(), row, "alice")
	got, err := env.Accounts.Connections(deadline(t), row.Account, "alice")
	if err != nil || len(got) != 1 || got[0].Method != "" {
		t.Errorf("got %v, %v; want one connection without a method", got, err)
	}
}

func TestRecorderReplacesAndNeverBlocks(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	r := accounts.NewRecorder(pool, natstest.Log(t), nil)
	s := tenant.Session{Server: "s", CID: 1, Account: "A", User: "alice", Method: tenant.MethodToken, Address: "a", Since: time.Now()}
	for range 5000 { // nobody writes yet
		r.Record(s)
	}
	if r.Dropped() != 5000-4096 {
		t.Errorf("got %d dropped, want %d", r.Dropped(), 5000-4096)
	}
	run(t, r.Run)
	method := func() (m string) {
		_ = pool.QueryRow(t.Context(), `SELECT method FROM sessions WHERE server_id = 's' AND cid = 1`).Scan(&m)
		return m
	}
	natstest.Eventually(t, "the session to be written", func() bool { return method() == "token" })
	s.Method = tenant.MethodCreds
	r.Record(s)
	natstest.Eventually(t, "the session to be replaced", func() bool { return method() == "creds" })
}

func TestReconcilePrunesSessions(t *testing.T) {
	t.Parallel()
	env := start(t)
	env.NewTenant(t, "acme")
	now := time.Now()
	for _, s := range []struct {
		server string
		cid    int
		since  time.Time
	}{
		{"gone", 1, now.Add(-2 * time.Minute)},
		{"new", 2, now}, // a server that is not known yet
		{env.Server.ID(), 3, now.Add(-2 * time.Minute)},
		{env.Server.ID(), 4, now.Add(-3 * time.Hour)}, // no answer of the callout lasts as long
	} {
		_, err := env.Pool.Exec(t.Context(), `INSERT INTO sessions VALUES ($1, $2, 'A', 'alice', 'token', 'a', $3)`, s.server, s.cid, s.since)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := env.Accounts.Reconcile(deadline(t)); err != nil {
		t.Fatal(err)
	}
	var left []int64
	if err := env.Pool.QueryRow(t.Context(), `SELECT array_agg(cid ORDER BY cid) FROM sessions`).Scan(&left); err != nil {
		t.Fatal(err)
	}
	if len(left) != 2 || left[0] != 2 || left[1] != 3 {
		t.Errorf("got sessions %v left, want 2 and 3", left)
	}
}

func TestTheUseOfKeysIsNoted(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	r := record(t, env)
	ctx := deadline(t)
	const insert = `INSERT INTO keys (key_id, tenant_id, kind, name, created_at) VALUES ('used', $1, 'user-token', 'k', now()), ('idle', $1, 'user-token', 'k', now())`
	if _, err := env.Pool.Exec(ctx, insert, row.ID); err != nil {
		t.Fatal(err)
	}
	used := func(key string) (at *time.Time) {
		t.Helper()
		if err := env.Pool.QueryRow(ctx, `SELECT last_used_at FROM keys WHERE key_id = $1`, key).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	session := func(cid uint64) {
		t.Helper()
		r.Record(tenant.Session{Server: "S", CID: cid, Account: row.Account, User: "alice", Proof: tenant.Proof{Key: "used"}, Since: time.Now()})
		natstest.Eventually(t, "the session to be written", func() bool { return sessions(t, env) == int(cid) })
	}
	session(1)
	first := used("used")
	if first == nil || used("idle") != nil {
		t.Fatalf("got used %v and idle %v, want a time and none", first, used("idle"))
	}
	session(2)
	if again := used("used"); !again.Equal(*first) {
		t.Errorf("used again: got %s, want %s", again, first)
	}
}

// A session that can't be written now is written when it can.
func TestSessionsWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	if _, err := env.Pool.Exec(ctx, `ALTER TABLE sessions RENAME TO away`); err != nil {
		t.Fatal(err)
	}
	r := record(t, env)
	r.Record(tenant.Session{Server: "S", CID: 1, Account: row.Account, User: "alice", Since: time.Now()})
	if _, err := env.Pool.Exec(ctx, `ALTER TABLE away RENAME TO sessions`); err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "the session to be written", func() bool { return sessions(t, env) == 1 })
	if n := r.Dropped(); n != 0 {
		t.Errorf("got %d dropped, want none", n)
	}
}

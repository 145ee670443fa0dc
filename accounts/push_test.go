package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/accounts"
	"parley/internal/natstest"
	"parley/internal/pgtest"
	"parley/tenant"
)

func setLimit(t testing.TB, pool *pgxpool.Pool, id tenant.TenantID, connections int64) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), `UPDATE tenants SET limits = $2 WHERE tenant_id = $1`, id, tenant.Limits{Connections: connections}); err != nil {
		t.Fatal(err)
	}
}

func closeRoom(t testing.TB, pool *pgxpool.Pool, id tenant.TenantID, room, state string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `
INSERT INTO rooms (tenant_id, room_id, kind, class, title, state, created_at, changed_at) VALUES ($1, $2, 'open', 'std', $2, $3, now(), now())
ON CONFLICT (tenant_id, room_id) DO UPDATE SET state = excluded.state, changed_at = now()`, id, room, state)
	if err != nil {
		t.Fatal(err)
	}
}

func TestPushSignsOnlyChanges(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	first, iat, pushed := rowOf(t, env, row.Account)
	if pushed != iat || iat == 0 || onServer(t, env, row.Account) != first {
		t.Fatalf("got iat %d, pushed %d; want the server to have what was signed", iat, pushed)
	}
	if err := env.Accounts.Push(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	if again, _, _ := rowOf(t, env, row.Account); again != first {
		t.Error("the same claims were signed twice")
	}
	setLimit(t, env.Pool, "acme", 7)
	if err := env.Accounts.Push(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	second, next, pushed := rowOf(t, env, row.Account)
	if next <= iat || pushed != next || onServer(t, env, row.Account) != second {
		t.Errorf("got iat %d after %d, pushed %d; want a newer one on the server", next, iat, pushed)
	}
	c, err := jwt.DecodeAccountClaims(second)
	if err != nil || c.Limits.Conn != 7 {
		t.Errorf("got %v, %v; want 7 connections", c.Limits.Conn, err)
	}
}

func TestIATIncreasesStrictly(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	seen := map[string]bool{}
	_, last, _ := rowOf(t, env, row.Account)
	for i := range int64(20) {
		setLimit(t, env.Pool, "acme", 100+i)
		if err := env.Accounts.Push(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		text, iat, pushed := rowOf(t, env, row.Account)
		c, err := jwt.DecodeAccountClaims(text)
		if err != nil {
			t.Fatal(err)
		}
		if iat <= last || pushed != iat || c.IssuedAt != iat || seen[c.ID] {
			t.Errorf("got iat %d (in the JWT %d) after %d and jti %s; want all new", iat, c.IssuedAt, last, c.ID)
		}
		last, seen[c.ID] = iat, true
	}
}

// A clock that was set back must not sign what the nodes would take for older.
func TestIATSurvivesAClockSetBack(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	if _, err := env.Pool.Exec(t.Context(), `UPDATE accounts SET iat = iat + 3600 WHERE account = $1`, row.Account); err != nil {
		t.Fatal(err)
	}
	_, last, _ := rowOf(t, env, row.Account)
	setLimit(t, env.Pool, "acme", 7)
	if err := env.Accounts.Push(deadline(t), "acme"); err != nil {
		t.Fatal(err)
	}
	if _, iat, _ := rowOf(t, env, row.Account); iat != last+1 {
		t.Errorf("got iat %d, want %d", iat, last+1)
	}
}

func TestPushesAtOnceConverge(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	var wg sync.WaitGroup
	for i := range int64(8) {
		wg.Go(func() {
			if _, err := env.Pool.Exec(ctx, `UPDATE tenants SET limits = $2 WHERE tenant_id = $1`, "acme", tenant.Limits{Connections: 10 + i}); err != nil {
				t.Error(err)
			}
			if err := env.Accounts.Push(ctx, "acme"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	text, iat, pushed := rowOf(t, env, row.Account)
	if onServer(t, env, row.Account) != text || pushed != iat {
		t.Error("after pushes at once the server has not the newest")
	}
}

func TestPushOfWhatIsGone(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	if err := env.Accounts.Push(ctx, "nobody"); err != nil {
		t.Errorf("got %v for no tenant, want none", err)
	}
	before, _, _ := rowOf(t, env, row.Account)
	if _, err := env.Pool.Exec(ctx, `UPDATE tenants SET status = 'deleting', limits = '{"connections": 3}'`); err != nil {
		t.Fatal(err)
	}
	if err := env.Accounts.Push(ctx, "acme"); err != nil {
		t.Errorf("got %v for a deleting tenant, want none", err)
	}
	if after, _, _ := rowOf(t, env, row.Account); after != before {
		t.Error("claims of a deleting tenant were signed")
	}
	jwts, err := env.System.Materialize(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := jwts[row.Account]; ok || len(jwts) != 3 {
		t.Errorf("got %d accounts, want SYS, AUTH and PARLEY without the deleting one", len(jwts))
	}
}

func TestMaterializeSignsWhatChanged(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	setLimit(t, env.Pool, "acme", 7)
	jwts, err := env.System.Materialize(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := jwt.DecodeAccountClaims(jwts[row.Account])
	if err != nil || c.Limits.Conn != 7 || len(jwts) != 4 {
		t.Errorf("got %d accounts and %v, %v; want 4, and 7 connections", len(jwts), c, err)
	}
}

func TestDropAccountClosesItsConnections(t *testing.T) {
	t.Parallel()
	env := start(t)
	row, other := env.NewTenant(t, "acme"), env.NewTenant(t, "zeta")
	newCallout(t, env, row, other)
	gone := make(chan struct{})
	mustDial(t, env.Server.ClientURL(), row, "alice", nats.ClosedHandler(func(*nats.Conn) { close(gone) }))
	zed := mustDial(t, env.Server.ClientURL(), other, "zed")
	if err := env.Accounts.DropAccount(deadline(t), row.Account); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("a connection of the dropped account is still open")
	}
	if onServer(t, env, row.Account) != "" || onServer(t, env, other.Account) == "" {
		t.Error("want the dropped account gone from the server and the other left")
	}
	if err := zed.Flush(); err != nil {
		t.Errorf("the other account's connection: %v", err)
	}
	if err := env.Accounts.DropAccount(deadline(t), row.Account); err != nil {
		t.Errorf("dropping again: %v", err)
	}
}

func TestReconcileHealsADeletedAccount(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	if err := env.Accounts.DropAccount(ctx, row.Account); err != nil {
		t.Fatal(err)
	}
	if err := env.Accounts.Reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	newCallout(t, env, row)
	mustDial(t, env.Server.ClientURL(), row, "alice")
}

func TestReconcileHealsAForeignJWT(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	rogue, err := nkeys.CreateOperator()
	if err != nil {
		t.Fatal(err)
	}
	c := jwt.NewAccountClaims(row.Account)
	c.Expires = time.Now().Add(time.Hour).Unix()
	text, err := c.Encode(rogue)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.SYS(t).Request("$SYS.REQ.CLAIMS.UPDATE", []byte(text), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if onServer(t, env, row.Account) != text {
		t.Fatal("the server did not take the rogue JWT, so that the test shows nothing")
	}
	if err := env.Accounts.Reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	if got := onServer(t, env, row.Account); got == text || got == "" {
		t.Error("the rogue JWT is still on the server")
	}
	if now, _, _ := rowOf(t, env, row.Account); now != onServer(t, env, row.Account) {
		t.Error("the server has not what was signed last")
	}
}

// After a restore of an older database the servers hold what we don't know to have signed.
func TestReconcileOvertakesANewerJWT(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	if _, err := env.Pool.Exec(ctx, `CREATE TABLE backup AS SELECT * FROM accounts`); err != nil {
		t.Fatal(err)
	}
	for i := range int64(3) {
		setLimit(t, env.Pool, "acme", 10+i)
		if err := env.Accounts.Push(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
	}
	_, newest, _ := rowOf(t, env, row.Account)
	if _, err := env.Pool.Exec(ctx, `UPDATE accounts a SET jwt = b.jwt, content = b.content, iat = b.iat, pushed_iat = b.pushed_iat FROM backup b WHERE a.account = b.account`); err != nil {
		t.Fatal(err)
	}
	setLimit(t, env.Pool, "acme", 10_000)
	if err := env.Accounts.Reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	text, iat, pushed := rowOf(t, env, row.Account)
	if iat <= newest || pushed != iat || onServer(t, env, row.Account) != text {
		t.Errorf("got iat %d, pushed %d; want one beyond %d on the server", iat, pushed, newest)
	}
}

func TestReconcileDropsUnknownAccounts(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	other := env.NewTenant(t, "zeta")
	ctx := deadline(t)
	if _, err := env.Pool.Exec(ctx, `DELETE FROM tenants WHERE tenant_id = 'acme'`); err != nil {
		t.Fatal(err)
	}
	if err := env.Accounts.Reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	if onServer(t, env, row.Account) != "" || onServer(t, env, other.Account) == "" {
		t.Error("want the unknown account gone and the known one left")
	}
}

// One reconciles at a time; when he ends, another does. Both survive a server that is away.
func TestReconcilerRuns(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	second, err := accounts.New(deadline(t), accounts.Config{System: env.System, SYS: env.Conn(t, accounts.RoleControl), PARLEY: env.Conn(t, accounts.RoleNotices), Refusals: natstest.Unheard{}})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	runs := func(a *accounts.Accounts) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); a.Run(ctx) }()
		return func() { cancel(); <-done }
	}
	setLimit(t, env.Pool, "acme", 7)
	stop := runs(env.Accounts)
	natstest.Eventually(t, "the first to push at its start", func() bool { return connLimit(t, env, row.Account) == 7 })
	stop()
	setLimit(t, env.Pool, "acme", 8)
	stop = runs(second)
	defer stop()
	natstest.Eventually(t, "the second to push", func() bool { return connLimit(t, env, row.Account) == 8 })
}

func connLimit(t testing.TB, env *natstest.Env, account string) int64 {
	c, err := jwt.DecodeAccountClaims(onServer(t, env, account))
	if err != nil {
		t.Fatal(err)
	}
	return c.Limits.Conn
}

func TestPushWithoutServer(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	env.Server.Kill()
	setLimit(t, env.Pool, "acme", 7)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := env.Accounts.Push(ctx, "acme"); err == nil {
		t.Error("got no error, want one where no server has the claims")
	}
	text, iat, pushed := rowOf(t, env, row.Account)
	if pushed == iat {
		t.Error("a push that reached no server was marked")
	}
	env.StartServer(t)
	if _, err := jwt.DecodeAccountClaims(text); err != nil || iat == 0 {
		t.Errorf("got %v; want the signed claims to be kept", err)
	}
}

func TestPushWithoutPostgres(t *testing.T) {
	t.Parallel()
	env := start(t)
	env.NewTenant(t, "acme")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := env.Accounts.Push(ctx, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of ctx", err)
	}
}

func TestManyTenantsReconcile(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	env := natstest.Start(t, pool)
	ctx := deadline(t)
	for i := range 150 {
		env.NewTenant(t, tenant.TenantID(fmt.Sprintf("t%03d", i)))
	}
	if _, err := pool.Exec(ctx, `UPDATE tenants SET limits = '{"connections": 9}'`); err != nil {
		t.Fatal(err)
	}
	if err := env.Accounts.Reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	var behind int
	if err := pool.QueryRow(ctx, `SELECT count(*) FROM accounts WHERE pushed_iat <> iat AND name IS DISTINCT FROM 'OPERATOR'`).Scan(&behind); err != nil {
		t.Fatal(err)
	}
	if behind != 0 {
		t.Errorf("got %d accounts that are not pushed, want none", behind)
	}
	var last string
	if err := pool.QueryRow(ctx, `SELECT account FROM accounts WHERE tenant_id = 't149'`).Scan(&last); err != nil {
		t.Fatal(err)
	}
	if got := connLimit(t, env, last); got != 9 {
		t.Errorf("got %d connections, want 9", got)
	}
}

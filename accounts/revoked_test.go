package accounts_test

import (
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"parley/internal/natstest"
	"parley/tenant"
)

// A backend has credentials of the tenant's account, as the rows know them.
type backend struct {
	nkey string
	how  nats.Option
}

func newBackend(t testing.TB, env *natstest.Env, row tenant.Tenant, issued time.Time, revoked any) backend {
	t.Helper()
	public, how := env.SignUser(t, row, "bot", jwt.Permissions{})
	if _, err := env.Pool.Exec(t.Context(), `
INSERT INTO credentials (nkey, tenant_id, user_id, kind, issued_at, revoked_at) VALUES ($1, 'acme', 'bot', 'service', $2, $3)`, public, issued, revoked); err != nil {
		t.Fatal(err)
	}
	return backend{public, how}
}

func (b backend) isIn(t testing.TB, env *natstest.Env) bool {
	t.Helper()
	nc, err := nats.Connect(env.Server.ClientURL(), b.how, nats.Timeout(10*time.Second), nats.NoReconnect())
	if err == nil {
		nc.Close()
	}
	return err == nil
}

// However many a tenant revokes, the claims leave, name the newest, and shut the others out by the age of their JWTs,
// without touching credentials that are good.
func TestTenThousandRevocations(t *testing.T) { // REV-13
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	ctx := deadline(t)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := env.Pool.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO users (tenant_id, user_id, kind, name, status, created_at) VALUES ('acme', 'bot', 'service', 'Bot', 'active', now())`)
	exec(`
INSERT INTO credentials (nkey, tenant_id, user_id, kind, issued_at, revoked_at)
SELECT 'U' || lpad(n::text, 55, 'A'), 'acme', 'bot', 'service', now() - interval '2 days', now() - interval '1 day' + n * interval '1 second' FROM generate_series(1, 10000) n`)
	now := time.Now()
	newest := newBackend(t, env, row, now.Add(-time.Hour), now)
	oldest := newBackend(t, env, row, now.Add(-48*time.Hour), now.Add(-47*time.Hour))
	if err := env.Accounts.Push(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	text, iat, pushed := rowOf(t, env, row.Account)
	claims, err := jwt.DecodeAccountClaims(text)
	if err != nil {
		t.Fatal(err)
	}
	if pushed != iat || onServer(t, env, row.Account) != text || len(text) >= 1<<20 {
		t.Errorf("got %d bytes, iat %d of %d pushed; want less than 1 MiB on the server", len(text), pushed, iat)
	}
	if _, named := claims.Revocations[oldest.nkey]; named || claims.Revocations[newest.nkey] == 0 || claims.Revocations[jwt.All] == 0 || len(claims.Revocations) != 3001 {
		t.Errorf("got %d revocations, the oldest among them: %v; want the 3,000 newest and a time", len(claims.Revocations), named)
	}
	if newest.isIn(t, env) {
		t.Error("who was revoked last is let in")
	}
	// The time is that of the newest that is not named; JWTs of before it are refused.
	at := claims.Revocations[jwt.All]
	if want := now.Add(-24*time.Hour + 7001*time.Second).Unix(); at < want-2 || at > want+2 {
		t.Errorf("got %d, want about %d", at, want)
	}
	good := newBackend(t, env, row, now.Add(-72*time.Hour), nil)
	if err := env.Accounts.Push(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	text, _, _ = rowOf(t, env, row.Account)
	if claims, err = jwt.DecodeAccountClaims(text); err != nil {
		t.Fatal(err)
	}
	if at := claims.Revocations[jwt.All]; at == 0 || at >= now.Add(-72*time.Hour).Unix() {
		t.Errorf("got the time %d, want one before good credentials were issued", at)
	}
	if !good.isIn(t, env) {
		t.Error("credentials that are good are refused")
	}
	exec(`DELETE FROM credentials WHERE nkey <> $1 AND nkey <> $2`, good.nkey, newest.nkey)
	if err := env.Accounts.Push(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	text, _, _ = rowOf(t, env, row.Account)
	if claims, err = jwt.DecodeAccountClaims(text); err != nil || len(claims.Revocations) != 1 {
		t.Errorf("got %v, %v; want one revocation and no time", claims.Revocations, err)
	}
}

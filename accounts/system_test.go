package accounts_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"parley/accounts"
	"parley/accounts/keyring"
	"parley/internal/natstest"
	"parley/internal/pgtest"
)

func TestSystemIsMadeOnce(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	ctx := deadline(t)
	if yes, err := accounts.SealedKeysExist(ctx, pool); err != nil || yes {
		t.Fatalf("got %v, %v before the first start; want no keys", yes, err)
	}
	path := filepath.Join(t.TempDir(), "master.key")
	var wg sync.WaitGroup
	systems := make([]*accounts.System, 4)
	for i := range systems {
		wg.Go(func() {
			keys, err := keyring.Open(keyring.Config{File: path})
			if err != nil {
				t.Error(err)
				return
			}
			if systems[i], err = accounts.EnsureSystem(ctx, accounts.SystemConfig{Pool: pool, Keys: keys, Log: natstest.Log(t)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, s := range systems[1:] {
		if s.Operator() != systems[0].Operator() || s.AuthAccount() != systems[0].AuthAccount() {
			t.Error("two starters have different operators")
		}
	}
	if yes, err := accounts.SealedKeysExist(ctx, pool); err != nil || !yes {
		t.Errorf("got %v, %v after it; want keys", yes, err)
	}
	var rows, keys int
	if err := pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM account_keys)`).Scan(&rows, &keys); err != nil {
		t.Fatal(err)
	}
	if rows != 4 || keys != 9 {
		t.Errorf("got %d accounts and %d keys, want 4 and 9", rows, keys)
	}

	other, err := keyring.Open(keyring.Config{File: filepath.Join(t.TempDir(), "master.key")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.EnsureSystem(ctx, accounts.SystemConfig{Pool: pool, Keys: other, Log: natstest.Log(t)}); err == nil {
		t.Error("another master key was accepted")
	}
}

func TestOperatorJWT(t *testing.T) {
	t.Parallel()
	env := start(t)
	op, err := jwt.DecodeOperatorClaims(env.System.Operator())
	if err != nil {
		t.Fatal(err)
	}
	if !op.StrictSigningKeyUsage || op.SystemAccount == "" || len(op.SigningKeys) != 1 || op.Issuer != op.Subject {
		t.Errorf("got %v; want a self-signed operator with strict signing keys and a system account", op)
	}
	if text, _, _ := rowOf(t, env, op.Subject); text != env.System.Operator() {
		t.Error("the operator's JWT is not the one that is kept")
	}
}

// Each role can do what it is for, and not what another is for.
func TestRolesHaveTheLeastRights(t *testing.T) {
	t.Parallel()
	env := start(t)
	tests := []struct {
		role    accounts.Role
		allowed []string
		denied  []string
	}{
		{accounts.RoleControl, []string{"$SYS.REQ.SERVER.PING.CONNZ"}, []string{"$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.x.RELOAD", "x"}},
		{accounts.RoleCallout, []string{"$SYS._INBOX.x"}, []string{"$SYS.REQ.USER.AUTH", "x"}},
		{accounts.RoleChat, []string{"$JS.API.INFO", "t.A.std.open.town._", "live.A.user.alice.rights"}, []string{"x", "chat.std.open.town.alice"}},
		{accounts.RoleNotices, []string{"live.A.user.alice.revoked"}, []string{"$JS.API.INFO", "live.A.std.open.town.alice", "t.A.std.open.town.alice"}},
	}
	for _, tt := range tests {
		for _, subject := range append(tt.allowed, tt.denied...) {
			denied := make(chan error, 1)
			nc := env.Conn(t, tt.role)
			nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err })
			if err := nc.Publish(subject, nil); err != nil {
				t.Fatal(err)
			}
			// The server writes its error before the PONG, and the handler is called for it
			// before the next message: two flushes leave nothing behind.
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			want := false
			for _, d := range tt.denied {
				want = want || d == subject
			}
			if want {
				select {
				case <-denied:
				case <-time.After(10 * time.Second):
					t.Errorf("%s may publish to %s, want a refusal", tt.role, subject)
				}
				continue
			}
			if err := nc.LastError(); err != nil {
				t.Errorf("%s may not publish to %s: %v", tt.role, subject, err)
			}
		}
	}
}

func TestRestartKeepsKeys(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	before, _, _ := rowOf(t, env, row.Account)
	env.Server.Kill()
	env.StartServer(t)
	if got := onServer(t, env, row.Account); got != before {
		t.Error("after a restart the server has another JWT of the account, or none")
	}
	newCallout(t, env, row)
	mustDial(t, env.Server.ClientURL(), row, "alice")
}

func TestSentinelLeadsToTheCallout(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	newCallout(t, env, row)
	mustDial(t, env.Server.ClientURL(), row, "alice")
	other := row
	other.ID = "nobody"
	if nc, err := dial(env.Server.ClientURL(), other, "alice"); err == nil {
		nc.Close()
		t.Error("a user of no tenant was let in")
	}
	sentinel, err := env.System.Sentinel()
	if err != nil {
		t.Fatal(err)
	}
	c, err := jwt.DecodeUserClaims(sentinel)
	if err != nil {
		t.Fatal(err)
	}
	if !c.BearerToken || !c.Pub.Deny.Contains(">") || !c.Sub.Deny.Contains(">") || c.IssuerAccount != env.System.AuthAccount() {
		t.Errorf("got %v, want a bearer of AUTH who is denied all", c)
	}
}

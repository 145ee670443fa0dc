package accounts_test

import (
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"parley/accounts"
	"parley/accounts/keyring"
	"parley/internal/natstest"
	"parley/internal/pgtest"
	"parley/tenant"
)

// node starts one server of a cluster, as an external one would be configured.
func node(t testing.TB, s *accounts.System, name string, jwts map[string]string, peers ...*server.Server) *server.Server {
	t.Helper()
	op, err := jwt.DecodeOperatorClaims(s.Operator())
	if err != nil {
		t.Fatal(err)
	}
	sentinel, err := s.Sentinel()
	if err != nil {
		t.Fatal(err)
	}
	// An interval so long that nothing but a push brings a JWT here.
	resolver, err := server.NewDirAccResolver(t.TempDir(), 0, time.Hour, server.RenameDeleted)
	if err != nil {
		t.Fatal(err)
	}
	for account, text := range jwts {
		if err := resolver.SaveAcc(account, text); err != nil {
			t.Fatal(err)
		}
	}
	o := &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, DefaultSentinel: sentinel,
		TrustedOperators: []*jwt.OperatorClaims{op}, SystemAccount: op.SystemAccount, AccountResolver: resolver, AuthTimeout: 5,
		Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: -1},
	}
	for _, p := range peers {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: p.ClusterAddr().String()})
	}
	n, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	t.Cleanup(func() { n.Shutdown(); n.WaitForShutdown() })
	if !n.ReadyForConnections(20 * time.Second) {
		t.Fatalf("node %s takes no connections", name)
	}
	return n
}

func TestCluster(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	ctx := deadline(t)
	keys, err := keyring.Open(keyring.Config{File: filepath.Join(t.TempDir(), "master.key")})
	if err != nil {
		t.Fatal(err)
	}
	system, err := accounts.EnsureSystem(ctx, accounts.SystemConfig{Pool: pool, Keys: keys, Log: natstest.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	jwts, err := system.Materialize(ctx)
	if err != nil {
		t.Fatal(err)
	}
	a := node(t, system, "a", jwts)
	b := node(t, system, "b", jwts, a)
	natstest.Eventually(t, "the nodes to find each other", func() bool { return a.NumRoutes() > 0 && b.NumRoutes() > 0 })
	connect := func(n *server.Server, r accounts.Role) *nats.Conn {
		opts, err := system.Login(r)
		if err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect(n.ClientURL(), append(opts, nats.Timeout(20*time.Second), nats.DontRandomize())...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	env := &natstest.Env{Pool: pool, Keys: keys, System: system}
	env.Accounts, err = accounts.New(ctx, accounts.Config{System: system, SYS: connect(a, accounts.RoleControl), PARLEY: connect(a, accounts.RoleNotices), Refusals: natstest.Unheard{}})
	if err != nil {
		t.Fatal(err)
	}
	defer env.Accounts.Close()
	auth := connect(a, accounts.RoleCallout)
	wantServers(t, env.Accounts, "a", "b")

	has := func(n *server.Server, account string) string {
		text, err := n.AccountResolver().(*server.DirAccResolver).LoadAcc(account)
		if err != nil {
			return ""
		}
		return text
	}
	row := env.NewTenant(t, "acme")
	text, iat, pushed := rowOf(t, env, row.Account)
	if has(a, row.Account) != text || has(b, row.Account) != text || pushed != iat {
		t.Fatal("want a push to reach both nodes and to be marked")
	}

	c := &callout{t: t, env: env, tenants: map[string]tenant.Tenant{"acme": row}}
	if _, err := auth.Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) { go c.answer(m) }); err != nil {
		t.Fatal(err)
	}
	if err := auth.Flush(); err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "the other node to reach the callout", func() bool {
		nc, err := dial(b.ClientURL(), row, "probe")
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
	for range 50 {
		var told []chan *nats.Msg
		for _, n := range []*server.Server{a, b} {
			nc := mustDial(t, n.ClientURL(), row, "alice")
			c := make(chan *nats.Msg, 1024)
			if _, err := nc.ChanSubscribe("live.user.alice.*", c); err != nil {
				t.Fatal(err)
			}
			told = append(told, c)
		}
		// A new subscription takes milliseconds to be known on the other node.
		natstest.Eventually(t, "both to hear notices", func() bool {
			if err := env.Accounts.Notify(ctx, row.Account, "alice", "rights", tenant.NoticeRights{}); err != nil {
				t.Fatal(err)
			}
			return len(told[0]) > 0 && len(told[1]) > 0
		})
		if err := env.Accounts.Notify(ctx, row.Account, "alice", "revoked", tenant.NoticeRevoked{}); err != nil {
			t.Fatal(err)
		}
		if n, err := env.Accounts.Kick(ctx, row.Account, "alice", time.Time{}); err != nil || n != 2 {
			t.Fatalf("got %d closed, %v; want one on each node", n, err)
		}
		env.Accounts.Admit(row.Account, "alice")
		for i, c := range told {
			if !hears(c, "live.user.alice.revoked") {
				t.Errorf("the connection on node %d was closed without a notice", i)
			}
		}
	}

	// One node alone has lost the account, or has an old one.
	if err := b.AccountResolver().(*server.DirAccResolver).SaveAcc(row.Account, jwts[system.ParleyAccount()]); err != nil {
		t.Fatal(err)
	}
	if err := env.Accounts.Reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	text, _, _ = rowOf(t, env, row.Account)
	if has(a, row.Account) != text || has(b, row.Account) != text {
		t.Error("want the node that differed to be healed")
	}

	// A node that says goodbye need not answer.
	b.Shutdown()
	b.WaitForShutdown()
	natstest.Eventually(t, "a sweep of the node that is left", func() bool {
		_, err := env.Accounts.Kick(ctx, row.Account, "alice", time.Time{})
		return err == nil
	})
	wantServers(t, env.Accounts, "a")
}

// wantServers wants that all of them answer, and have routes to each other.
func wantServers(t *testing.T, a *accounts.Accounts, want ...string) {
	t.Helper()
	all, err := a.Servers(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		got = append(got, s.Name)
		others := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return name == s.Name })
		if !s.Answers || s.ID == "" || s.Version != server.VERSION || s.Cluster != "test" || s.Memory == 0 || s.Since.IsZero() || !slices.Equal(s.Routes, others) {
			t.Errorf("got %+v, want one that answers, with routes to %v", s, others)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got servers %v, want %v", got, want)
	}
}

func hears(c <-chan *nats.Msg, subject string) bool {
	for {
		select {
		case m := <-c:
			if m.Subject == subject {
				return true
			}
		case <-time.After(time.Second):
			return false
		}
	}
}

package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/accounts"
	"parley/internal/natstest"
	"parley/tenant"
	"parley/tenant/subject"
)

// A service is asked from each node, wherever it is; what is aimed at the chat service runs on none; and after its end
// nobody answers on any.
func TestASharedServiceOnAllNodes(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{})
	ctx, op := t.Context(), tenant.Operator()
	if _, _, err := s.Service.CreateTenant(ctx, op, tenant.NewTenant{ID: "beta"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Service.PutUser(ctx, op, "beta", "zed", tenant.UserSpec{}); err != nil {
		t.Fatal(err)
	}
	token, _, err := s.Service.MintToken(ctx, op, "beta", "zed", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := s.Service.AddKey(ctx, op, "acme", tenant.KeySpec{Kind: tenant.KeyService, Name: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	var bot *nats.Conn
	natstest.Eventually(t, "node 0 to know the service", func() bool {
		bot, err = nats.Connect(s.URL(0), nats.UserCredentialBytes([]byte(secret.Creds.Reveal())), nats.Timeout(10*time.Second), nats.IgnoreDiscoveredServers())
		return err == nil
	})
	t.Cleanup(bot.Close)
	if _, err := bot.Subscribe("svc.echo.*.*", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil { // the requester waits for it
		t.Fatal(err)
	}
	if err := bot.Flush(); err != nil {
		t.Fatal(err)
	}
	sh, err := s.Service.OfferShare(ctx, op, "acme", tenant.NewShare{Service: "echo", Guest: "beta"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.AcceptShare(ctx, op, "beta", sh.ID); err != nil {
		t.Fatal(err)
	}
	const ask = "svc.echo@acme.beta.zed"
	zeds := make([]*nats.Conn, len(s.Nodes))
	for i := range s.Nodes {
		if zeds[i], err = s.dial(i, "zed", token.Reveal()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(zeds[i].Close)
		// Interest reaches the other nodes a little later.
		natstest.Eventually(t, "the service to answer", func() bool {
			m, err := zeds[i].Request(ask, []byte("hi"), 10*time.Second)
			return err == nil && string(m.Data) == "hi"
		})
		aimed(t, s, i, zeds[i], ask)
	}
	begun := time.Now()
	if err := s.Service.EndShare(ctx, op, "acme", sh.ID); err != nil {
		t.Fatal(err)
	}
	for i, zed := range zeds {
		natstest.Eventually(t, "the service to be gone", func() bool {
			_, err := zed.Request(ask, nil, 10*time.Second)
			return errors.Is(err, nats.ErrNoResponders)
		})
		t.Logf("node %d: gone %s after the end was asked for", i, time.Since(begun).Round(100*time.Microsecond))
	}
}

// aimed has the answer of a service aimed at the chat service, beside a request of the user's own.
func aimed(t *testing.T, s *site, node int, zed *nats.Conn, ask string) {
	t.Helper()
	platform, err := s.connect(node, accounts.RoleChat)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := platform.SubscribeSync(subject.PlatformAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := platform.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, aim := range []string{"chat.api.alice.leave", "chat.api.zed.leave", "chat.std.open.lobby.alice"} {
		if err := zed.PublishRequest(ask, aim, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := zed.Request(ask, nil, 10*time.Second); err != nil { // what was asked before has been answered
		t.Fatal(err)
	}
	if err := zed.Publish(subject.API("zed", "whoami"), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	m, err := asked.NextMsg(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, op, ok := subject.ParseAPI(m.Subject); !ok || op != "whoami" {
		t.Errorf("node %d: the chat service is asked on %s, want whoami alone", node, m.Subject)
	}
	if err := asked.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
}

package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/natstest"
	"parley/tenant"
)

// try publishes and returns the server's error, or "" where the subscriber got the message.
func try(t testing.TB, env *natstest.Env, row tenant.Tenant, subject string, heard <-chan *nats.Msg) string {
	t.Helper()
	faults := make(chan error, 8)
	nc := env.UserConn(t, row, "mallory", anything(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { faults <- err }))
	defer nc.Close()
	if err := nc.Publish(subject, []byte("text")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-faults:
		return err.Error()
	case m := <-heard:
		return m.Subject
	case <-time.After(500 * time.Millisecond):
		return "nothing"
	}
}

func hear(t testing.TB, nc *nats.Conn, subject string) <-chan *nats.Msg {
	t.Helper()
	c := make(chan *nats.Msg, 16)
	if _, err := nc.ChanSubscribe(subject, c); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Even a user with all rights in his account can't speak as the platform, nor in a closed room.
func TestMappings(t *testing.T) {
	t.Parallel()
	env := start(t)
	row, other := env.NewTenant(t, "acme"), env.NewTenant(t, "zeta")
	for room, state := range map[string]string{"frost": "frozen", "attic": "archived", "gone": "deleted", "town": "active"} {
		closeRoom(t, env.Pool, "acme", room, state)
	}
	if err := env.Accounts.Push(deadline(t), "acme"); err != nil {
		t.Fatal(err)
	}
	// The chat role hears posts of single rooms here only, to see what comes through.
	posts := make(chan *nats.Msg, 16)
	for _, s := range []string{"t.*.api.*.*", "live.>"} {
		if _, err := env.PARLEY(t).ChanSubscribe(s, posts); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.PARLEY(t).Flush(); err != nil {
		t.Fatal(err)
	}
	heard := hear(t, env.UserConn(t, row, "bob", anything()), "live.>")
	void := hear(t, env.UserConn(t, row, "eve", anything()), "void.>")

	// Users of the tests may publish anything, void too: so a void post reaches eve, and nobody else.
	for _, subject := range []string{
		"live.std.open.town.alice", "live.user.alice.revoked", "live.x",
		"chat.std.open.town._", "chat.keep.private.r._", "chat.std.direct.a.b._", "chat.shared.addr._",
		"chat.std.open.frost.alice", "chat.std.open.attic.alice", "chat.std.open.gone.alice",
	} {
		got := try(t, env, row, subject, void)
		if !strings.HasPrefix(got, "void.") {
			t.Errorf("%s: got %s, want it to be mapped to void", subject, got)
		}
	}
	for _, c := range []<-chan *nats.Msg{heard, posts} {
		select {
		case m := <-c:
			t.Errorf("%s came through", m.Subject)
		default:
		}
	}
	// The allowed twins: everything else passes unchanged.
	if got := try(t, env, row, "chat.api.alice.whoami", posts); got != "t."+row.Account+".api.alice.whoami" {
		t.Errorf("got %s, want the request in the platform's account", got)
	}
	for _, subject := range []string{"sig.std.open.town.alice", "_INBOX.alice.x", "svc.x"} {
		c := hear(t, env.UserConn(t, row, "bob", anything()), subject)
		if got := try(t, env, row, subject, c); got != subject {
			t.Errorf("%s: got %s, want it unchanged", subject, got)
		}
	}
	if got := try(t, env, other, "chat.api.alice.whoami", posts); got != "t."+other.Account+".api.alice.whoami" {
		t.Errorf("got %s, want the request under the other account", got)
	}
	// What the platform publishes is heard in the one account only.
	elsewhere := hear(t, env.UserConn(t, other, "zed", anything()), ">")
	if err := env.PARLEY(t).Publish("live."+row.Account+".std.open.town.alice", []byte("text")); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-heard:
		if m.Subject != "live.std.open.town.alice" {
			t.Errorf("got %s, want the account taken out of the subject", m.Subject)
		}
	case <-time.After(10 * time.Second):
		t.Error("a live message did not arrive")
	}
	select {
	case m := <-elsewhere:
		t.Errorf("%s reached another tenant", m.Subject)
	default:
	}
}

// Posts in open rooms reach the stream, and those in closed ones don't; reopening opens.
func TestClosedRoomsAndTheStream(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	js, err := env.PARLEY(t).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "std-" + row.Account, Subjects: []string{"t." + row.Account + ".std.>"}, MaxBytes: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	alice := env.UserConn(t, row, "alice", anything())
	post := func(room string) string {
		m, err := alice.Request("chat.std.open."+room+".alice", []byte(`{"text":"x"}`), time.Second)
		if err != nil {
			return err.Error()
		}
		return string(m.Data)
	}
	closeRoom(t, env.Pool, "acme", "town", "active")
	for _, step := range []struct {
		state  string
		stored bool
	}{{"active", true}, {"frozen", false}, {"active", true}, {"archived", false}} {
		closeRoom(t, env.Pool, "acme", "town", step.state)
		if err := env.Accounts.Push(deadline(t), "acme"); err != nil {
			t.Fatal(err)
		}
		if got := post("town"); strings.Contains(got, `"seq"`) != step.stored {
			t.Errorf("room %s: got %s, want stored: %v", step.state, got, step.stored)
		}
		if got := post("hall"); !strings.Contains(got, `"seq"`) {
			t.Errorf("another room while one is %s: got %s, want it stored", step.state, got)
		}
	}
}

func TestTenantUsersHaveNoJetStreamOrBearers(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	nc := env.UserConn(t, row, "alice", anything())
	m, err := nc.Request("$JS.API.STREAM.CREATE.x", []byte(`{"name":"x","subjects":["x"]}`), 10*time.Second)
	if err != nil || !strings.Contains(string(m.Data), `"err_code":10039`) {
		t.Errorf("got %v; want JetStream to be off for the account (10039)", err)
	}
	if err := nc.Flush(); err != nil {
		t.Errorf("the connection: %v", err)
	}
}

func TestLimitsOfTheTenant(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenantLimited(t, "acme", tenant.Limits{Connections: 2, MessageBytes: 1024})
	one := env.UserConn(t, row, "alice", anything())
	env.UserConn(t, row, "bob", anything())
	newCallout(t, env, row)
	if nc, err := dial(env.Server.ClientURL(), row, "carol"); err == nil {
		nc.Close()
		t.Error("a third connection was let in")
	}
	if got := one.MaxPayload(); got != 1024+4096 {
		t.Errorf("got max payload %d, want the message and 4 KiB of headers", got)
	}
}

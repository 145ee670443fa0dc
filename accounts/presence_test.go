package accounts_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/natstest"
	"parley/tenant"
	"parley/tenant/subject"
)

func TestPresenceFollowsConnections(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	for _, u := range []string{"alice", "bob"} {
		if _, err := env.Pool.Exec(t.Context(), `INSERT INTO users (tenant_id, user_id, kind, name, status, created_at)
			VALUES ('acme', $1, 'person', $1, 'active', now())`, u); err != nil {
			t.Fatal(err)
		}
	}
	c := newCallout(t, env, row)
	c.record = record(t, env).Record
	run(t, env.Accounts.Run)
	told := make(chan tenant.UserID, 64)
	if _, err := env.PARLEY(t).Subscribe(subject.AllPresence, func(m *nats.Msg) {
		var said tenant.Comings
		if err := json.Unmarshal(m.Data, &said); err != nil || m.Subject != subject.Presence(row.Account) {
			t.Errorf("got %s on %s: %v", m.Data, m.Subject, err)
		}
		for _, u := range said.Users {
			told <- u
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := env.PARLEY(t).Flush(); err != nil {
		t.Fatal(err)
	}
	lastSeen := func(u string) (at time.Time) {
		_ = env.Pool.QueryRow(t.Context(), `SELECT last_seen FROM presence WHERE tenant_id = 'acme' AND user_id = $1`, u).Scan(&at)
		return at
	}
	begun := time.Now().Add(-time.Second)
	nc := mustDial(t, env.Server.ClientURL(), row, "alice")
	if u := <-told; u != "alice" || sessions(t, env) != 1 {
		t.Errorf("alice came: told of %s with %d sessions, want the row before it is told", u, sessions(t, env))
	}
	nc.Close()
	if u := <-told; u != "alice" || sessions(t, env) != 0 || lastSeen("alice").Before(begun) {
		t.Errorf("alice went: told of %s with %d sessions, last seen %s", u, sessions(t, env), lastSeen("alice"))
	}
	if !lastSeen("bob").IsZero() {
		t.Error("bob was never here")
	}
}

// A connection so short that its end is heard before the callout's process has written its session.
func TestShortConnectionLeavesNoSession(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	c := newCallout(t, env, row)
	var short tenant.Session
	c.record = func(s tenant.Session) { short = s }
	run(t, env.Accounts.Run)
	ended := make(chan *nats.Msg, 1)
	if _, err := env.SYS(t).ChanSubscribe("$SYS.ACCOUNT."+row.Account+".DISCONNECT", ended); err != nil {
		t.Fatal(err)
	}
	if err := env.SYS(t).Flush(); err != nil {
		t.Fatal(err)
	}
	mustDial(t, env.Server.ClientURL(), row, "alice").Close()
	<-ended
	if _, err := env.Pool.Exec(t.Context(), `INSERT INTO sessions VALUES ($1, $2, $3, $4, 'token', 'a', now())`,
		short.Server, int64(short.CID), short.Account, short.User); err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "the session to be forgotten", func() bool { return sessions(t, env) == 0 })
}

func TestWhoIsConnectedWhenTheRoleEndsWasSeenThen(t *testing.T) {
	t.Parallel()
	env := start(t)
	row := env.NewTenant(t, "acme")
	if _, err := env.Pool.Exec(t.Context(), `INSERT INTO users (tenant_id, user_id, kind, name, status, created_at)
		SELECT 'acme', u, 'person', u, 'active', now() FROM unnest('{alice,bob,carol}'::text[]) u`); err != nil {
		t.Fatal(err)
	}
	for server, u := range map[string]string{env.Server.ID(): "alice", "gone": "bob"} {
		if _, err := env.Pool.Exec(t.Context(), `INSERT INTO sessions VALUES ($1, 1, $2, $3, 'token', 'a', now())`, server, row.Account, u); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("run", func(t *testing.T) { run(t, env.Accounts.Run) })
	rows, err := env.Pool.Query(t.Context(), `SELECT user_id FROM presence`)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for rows.Next() {
		var u string
		if err := rows.Scan(&u); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, u)
	}
	if !slices.Equal(seen, []string{"alice"}) {
		t.Errorf("got %v seen, want alice alone", seen)
	}
}

package accounts_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"parley/internal/natstest"
	"parley/tenant"
)

func TestKickProofClosesWhatWasOpenedWithIt(t *testing.T) {
	t.Parallel()
	env := start(t)
	row, other := env.NewTenant(t, "acme"), env.NewTenant(t, "zeta")
	c := newCallout(t, env, row, other)
	recorder := record(t, env)
	proofs := map[tenant.UserID]tenant.Proof{
		"a": {Key: "k1", Token: "t1"}, "b": {Key: "k1", Token: "t2"}, "c": {Key: "k2", Token: "t1"}, "d": {Token: "t1"}, "e": {},
	}
	c.record = func(s tenant.Session) {
		s.Proof = proofs[s.User]
		recorder.Record(s)
	}
	ctx := deadline(t)
	for _, want := range []struct {
		proof tenant.Proof
		gone  string // users, in order
	}{
		{tenant.Proof{Key: "k1", Token: "t2"}, "b"},
		{tenant.Proof{Key: "k1"}, "ab"},
		{tenant.Proof{Token: "t1"}, "acd"},
		{tenant.Proof{Key: "t1"}, ""},
	} {
		conns, closing := map[tenant.UserID]*nats.Conn{}, map[tenant.UserID]<-chan struct{}{}
		for u := range proofs {
			gone, opt := closed()
			conns[u], closing[u] = mustDial(t, env.Server.ClientURL(), row, u, opt), gone
		}
		elsewhere := mustDial(t, env.Server.ClientURL(), other, "a")
		natstest.Eventually(t, "the sessions to be written", func() bool { return sessions(t, env) == len(proofs)+1 })
		n, err := env.Accounts.KickProof(ctx, row.Account, want.proof)
		if err != nil || n != len(want.gone) {
			t.Fatalf("%+v: got %d closed, %v; want %d", want.proof, n, err, len(want.gone))
		}
		for _, u := range want.gone {
			wait(t, "a kicked connection to close", closing[tenant.UserID(u)])
			delete(conns, tenant.UserID(u))
		}
		conns["elsewhere"] = elsewhere
		for u, nc := range conns {
			if err := nc.Flush(); err != nil {
				t.Errorf("%+v: the connection of %s: %v", want.proof, u, err)
			}
			nc.Close()
		}
		if _, err := env.Pool.Exec(ctx, `DELETE FROM sessions`); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := env.Accounts.KickProof(ctx, row.Account, tenant.Proof{}); err == nil {
		t.Error("an empty proof: got no error, want one")
	}
}

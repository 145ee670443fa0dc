package accounts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/internal/natstest"
	"parley/tenant"
)

const shareID = "abcdefghijklmnopqrstuvwxyz"

// sharing is acme, which shares its room hall, at raddr, and its service helper with beta, and gamma.
type sharing struct {
	*natstest.Env
	t                 testing.TB
	acme, beta, gamma tenant.Tenant
	operator          nkeys.KeyPair
	service, room     *jwt.Import // beta's
}

func newSharing(t *testing.T) *sharing {
	env := start(t)
	s := &sharing{Env: env, t: t, acme: env.NewTenant(t, "acme"), beta: env.NewTenant(t, "beta"), gamma: env.NewTenant(t, "gamma")}
	for _, insert := range []string{
		`INSERT INTO rooms (tenant_id, room_id, address, kind, class, title, created_at, changed_at) VALUES ('acme', 'hall', 'raddr', 'shared', 'shared1', '', now(), now())`,
		`INSERT INTO shares (share_id, room_pk, host, guest, post, history, status, offered_at, offered_by, accepted_at)
SELECT 'room', room_pk, 'acme', 'beta', true, 'share', 'accepted', now(), 'x', now() FROM rooms`,
		`INSERT INTO shares (share_id, service, host, guest, post, history, status, offered_at, offered_by, accepted_at)
VALUES ('` + shareID + `', 'helper', 'acme', 'beta', false, '', 'accepted', now(), 'x', now())`,
	} {
		if _, err := env.Pool.Exec(t.Context(), insert); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []tenant.TenantID{"acme", "beta"} {
		if err := env.Accounts.Push(deadline(t), id); err != nil {
			t.Fatal(err)
		}
	}
	var k tenant.SealedKey
	err := env.Pool.QueryRow(t.Context(), `SELECT k.account, k.key_id, k.purpose, k.sealed, k.key_version FROM account_keys k JOIN accounts a USING (account)
WHERE a.name = 'OPERATOR' AND k.purpose = 'signing'`).Scan(&k.Account, &k.KeyID, &k.Purpose, &k.Sealed, &k.Version)
	if err != nil {
		t.Fatal(err)
	}
	if s.operator, err = env.Keys.Signer(k); err != nil {
		t.Fatal(err)
	}
	for _, i := range s.claims(s.beta).Imports {
		switch {
		case strings.HasPrefix(string(i.Subject), "svc."):
			s.service = i
		case strings.HasPrefix(string(i.Subject), "shared."):
			s.room = i
		}
	}
	helper := env.UserConn(t, s.acme, "helper", anything())
	if _, err := helper.Subscribe("svc.helper.*.*", func(m *nats.Msg) { _ = m.Respond([]byte(m.Subject)) }); err != nil { // the requester waits for it
		t.Fatal(err)
	}
	if err := helper.Flush(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sharing) claims(row tenant.Tenant) *jwt.AccountClaims {
	s.t.Helper()
	text, _, _ := rowOf(s.t, s.Env, row.Account)
	c, err := jwt.DecodeAccountClaims(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// push gives the server other claims of an account, as nobody without the operator's key can, until the end of the
// test. It returns why the server takes them not.
func (s *sharing) push(t *testing.T, row tenant.Tenant, change func(c *jwt.AccountClaims)) (refusal string) {
	t.Helper()
	update := func(c *jwt.AccountClaims) string {
		text, err := c.Encode(s.operator)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.SYS(t).Request("$SYS.REQ.CLAIMS.UPDATE", []byte(text), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_, refusal, _ := strings.Cut(string(m.Data), `"error":`)
		return refusal
	}
	c := s.claims(row)
	change(c)
	t.Cleanup(func() {
		if refusal := update(s.claims(row)); refusal != "" {
			t.Error(refusal)
		}
	})
	return update(c)
}

// flows reports what comes through to an account: the answer of the service, and a message of the room.
func (s *sharing) flows(t *testing.T, row tenant.Tenant) (service, room bool) {
	t.Helper()
	nc := s.UserConn(t, row, "zed", anything())
	defer nc.Close()
	live, err := nc.SubscribeSync("live.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"svc.helper@acme." + string(row.ID) + ".zed", "svc.helper." + shareID + ".zed"} {
		m, err := nc.Request(subject, nil, 10*time.Second)
		if err != nil && !errors.Is(err, nats.ErrNoResponders) {
			t.Fatal(err)
		}
		service = service || err == nil && string(m.Data) == "svc.helper."+shareID+".zed"
	}
	for _, subject := range []string{"shared.raddr." + s.acme.Account + ".alice", "live." + row.Account + ".end"} {
		if err := s.PARLEY(t).Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	for {
		m, err := live.NextMsg(20 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject == "live.end" {
			return service, room
		}
		room = true
	}
}

// TestActivations has each misuse of an activation beside its allowed twin. ISO-10, ISO-11.
func TestActivations(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	_, stranger := newAccountKey(t)
	activate := func(by nkeys.KeyPair, change func(a *jwt.ActivationClaims)) string {
		a := jwt.NewActivationClaims(s.beta.Account)
		a.ImportSubject, a.ImportType, a.IssuerAccount = s.service.Subject, jwt.Service, s.acme.Account
		change(a)
		text, err := a.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	acme := s.Signer(t, s.acme)
	with := func(change func(service, room *jwt.Import)) func(c *jwt.AccountClaims) {
		return func(c *jwt.AccountClaims) {
			service, room := *s.service, *s.room
			change(&service, &room)
			kept := jwt.Imports{}
			for _, i := range c.Imports {
				if i.Token == "" {
					kept.Add(i)
				}
			}
			c.Imports = kept
			c.Imports.Add(&service, &room)
		}
	}
	if service, room := s.flows(t, s.gamma); service || room {
		t.Errorf("without a share: got service %t, room %t; want neither", service, room)
	}
	for _, c := range []struct {
		name          string
		who           tenant.Tenant
		change        func(c *jwt.AccountClaims)
		service, room bool   // what flows
		refusal       string // of the claims as a whole: what flowed before goes on
	}{
		{"as it is", s.beta, func(*jwt.AccountClaims) {}, true, true, ""},
		{"as it is, signed again", s.beta, with(func(service, _ *jwt.Import) { service.Token = activate(acme, func(*jwt.ActivationClaims) {}) }), true, true, ""},
		{"another tenant with the guest's", s.gamma, with(func(service, _ *jwt.Import) { service.LocalSubject = "svc.helper@acme.gamma.*" }), false, false, "doesn't match account"},
		{"without any", s.gamma, with(func(service, room *jwt.Import) {
			service.LocalSubject, service.Token, room.Token = "svc.helper@acme.gamma.*", "", ""
		}), false, false, ""},
		{"for more than it says", s.beta, with(func(service, room *jwt.Import) {
			service.Subject, service.LocalSubject = "svc.*.*.*", ""
			room.Subject, room.LocalSubject = "shared.>", "live.shared.>"
		}), true, true, "doesn't match import"},
		{"that ran out", s.beta, with(func(service, _ *jwt.Import) {
			service.Token = activate(acme, func(a *jwt.ActivationClaims) { a.Expires = time.Now().Add(-time.Minute).Unix() })
		}), false, true, ""},
		{"signed by a key that the host has not", s.beta, with(func(service, _ *jwt.Import) {
			service.Token = activate(stranger, func(*jwt.ActivationClaims) {})
		}), false, true, ""},
		{"of another account's import", s.gamma, func(c *jwt.AccountClaims) {
			c.Imports.Add(&jwt.Import{
				Name: "theirs", Account: s.System.ParleyAccount(), Type: jwt.Stream,
				Subject: jwt.Subject("live." + s.acme.Account + ".>"), LocalSubject: "live.theirs.>",
			})
		}, false, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if refusal := s.push(t, c.who, c.change); !strings.Contains(refusal, c.refusal) || c.refusal == "" && refusal != "" {
				t.Errorf("got refusal %q, want %q", refusal, c.refusal)
			}
			if service, room := s.flows(t, c.who); service != c.service || room != c.room {
				t.Errorf("got service %t, room %t; want %t, %t", service, room, c.service, c.room)
			}
		})
	}
	t.Run("revoked", func(t *testing.T) {
		later := time.Now().Add(time.Minute) // than any activation is from
		if refusal := s.push(t, s.acme, func(c *jwt.AccountClaims) { c.Exports[0].RevokeAt(s.beta.Account, later) }); refusal != "" {
			t.Fatal(refusal)
		}
		if service, room := s.flows(t, s.beta); service || !room {
			t.Errorf("got service %t, room %t; want the room alone", service, room)
		}
	})
	t.Run("after all", func(t *testing.T) {
		if service, room := s.flows(t, s.beta); !service || !room {
			t.Errorf("got service %t, room %t; want both", service, room)
		}
	})
}

func newAccountKey(t *testing.T) (string, nkeys.KeyPair) {
	t.Helper()
	pair, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public, pair
}

// A tenant that has every right in its own account, and its keys, gives the servers no claims. ISO-10.
func TestTenantsSignNoClaims(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	c := s.claims(s.gamma)
	c.Imports.Add(&jwt.Import{
		Name: "theirs", Account: s.System.ParleyAccount(), Type: jwt.Service,
		Subject: jwt.Subject("t." + s.acme.Account + ".>"), LocalSubject: "theirs.>",
	})
	text, err := c.Encode(s.Signer(t, s.gamma))
	if err != nil {
		t.Fatal(err)
	}
	before := onServer(t, s.Env, s.gamma.Account)
	nc := s.UserConn(t, s.gamma, "eve", anything())
	for _, subject := range []string{"$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.ACCOUNT." + s.gamma.Account + ".CLAIMS.UPDATE"} {
		if m, err := nc.Request(subject, []byte(text), 10*time.Second); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: got %+v %v, want no responders", subject, m, err)
		}
	}
	if after := onServer(t, s.Env, s.gamma.Account); after != before {
		t.Error("the server took claims that a tenant signed")
	}
}

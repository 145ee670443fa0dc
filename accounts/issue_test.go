package accounts_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

func TestTokenIsOfTheTenantsKey(t *testing.T) {
	t.Parallel()
	env := start(t)
	row, other := env.NewTenant(t, "acme"), env.NewTenant(t, "zeta")
	token, err := env.Accounts.Token(deadline(t), row, "alice", time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	key := func(row tenant.Tenant) ed25519.PublicKey {
		var id string
		if err := env.Pool.QueryRow(t.Context(), `SELECT key_id FROM account_keys WHERE account = $1 AND purpose = 'token'`, row.Account).Scan(&id); err != nil {
			t.Fatal(err)
		}
		public, err := base64.RawURLEncoding.DecodeString(id)
		if err != nil {
			t.Fatal(err)
		}
		return public
	}
	text, sig, _ := strings.Cut(token.Reveal()[strings.IndexByte(token.Reveal(), '.')+1:], ".")
	text = token.Reveal()[:strings.IndexByte(token.Reveal(), '.')+1] + text
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(key(row), []byte(text), raw) || ed25519.Verify(key(other), []byte(text), raw) {
		t.Error("want the token to verify under its tenant's key and under no other")
	}
	if got := fmt.Sprintf("%v %+v %#v", token, token, token); strings.Contains(got, text) {
		t.Error("the token prints itself")
	}
	if _, err := env.Accounts.Token(deadline(t), tenant.Tenant{ID: "x", Account: "A"}, "alice", time.Now(), time.Now()); err == nil {
		t.Error("a tenant without a key got a token")
	}
}

func TestCredsLeadToTheCallout(t *testing.T) {
	t.Parallel()
	env := start(t)
	nkey, file, err := env.Accounts.Creds(deadline(t), "acme", "alice")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "alice.creds")
	if err := os.WriteFile(path, []byte(file.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := jwt.ParseDecoratedJWT([]byte(file.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	c, err := jwt.DecodeUserClaims(text)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != nkey || c.Name != "alice" || c.BearerToken || !c.Tags.Contains("tenant:acme") || !c.Tags.Contains("user:alice") ||
		!c.Pub.Deny.Contains(">") || !c.Sub.Deny.Contains(">") || c.IssuerAccount != env.System.AuthAccount() {
		t.Errorf("got %s; want a denied user of AUTH with his tags", c)
	}
	asked := make(chan *jwt.AuthorizationRequestClaims, 1)
	if _, err := env.Auth(t).Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) {
		text, err := env.System.AuthXKey().Open(m.Data, m.Header.Get("Nats-Server-Xkey"))
		if err != nil {
			t.Error(err)
			return
		}
		req, err := jwt.DecodeAuthorizationRequestClaims(string(text))
		if err != nil {
			t.Error(err)
			return
		}
		asked <- req
	}); err != nil {
		t.Fatal(err)
	}
	if err := env.Auth(t).Flush(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if nc, err := nats.Connect(env.Server.ClientURL(), nats.UserCredentials(path), nats.NoReconnect(), nats.Timeout(5*time.Second)); err == nil {
			nc.Close()
			t.Error("let in without an answer of the callout")
		}
	}()
	select {
	case req := <-asked:
		if req.ClientInformation.User != nkey || !req.ClientInformation.Tags.Contains("tenant:acme") || !req.ClientInformation.Tags.Contains("user:alice") {
			t.Errorf("got %+v; want the nkey and the tags", req.ClientInformation)
		}
	case <-time.After(15 * time.Second):
		t.Error("the callout was not asked")
	}
	<-done

	// The same claims with another's key never reach the callout.
	other, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(env.Server.ClientURL(), nats.UserJWT(func() (string, error) { return text, nil }, other.Sign), nats.NoReconnect(), nats.Timeout(5*time.Second))
	if err == nil {
		nc.Close()
		t.Error("let in with a foreign key")
	}
	select {
	case <-asked:
		t.Error("the callout was asked about a wrong signature")
	default:
	}
}

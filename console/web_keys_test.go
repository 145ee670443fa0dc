package console

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"parley/tenant"
)

func TestKeysOfEveryKindAreAddedAndRotated(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.owner("acme")
	public, _, err := ed25519.GenerateKey(nil)
	s.must(err)
	der, err := x509.MarshalPKIXPublicKey(public)
	s.must(err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))

	shown := b.post("/t/acme/keys?kind=api", "name", "backend", "scopes", "read chat")
	b.shows("the API key", shown, http.StatusOK, "This is shown once", "parley_", `data-file="acme-`)
	b.shows("the service", b.post("/t/acme/keys?kind=service", "name", "bot"), http.StatusOK, "the-secret-creds", `data-file="acme-bot.creds"`)
	b.goes("a token key", b.post("/t/acme/keys?kind=user-token", "name", "signer", "alg", "EdDSA", "public_key", text, "create_users", "yes"), "/t/acme/keys?kind=user-token")
	b.goes("a key set", b.post("/t/acme/keys?kind=jwks", "name", "set", "url", "https://id.example.com/keys"), "/t/acme/keys?kind=jwks")
	b.goes("a provider", b.post("/t/acme/keys?kind=oidc", "name", "login", "issuer", "https://id.example.com", "client_id", "app"), "/t/acme/keys?kind=oidc")

	page := b.get("/t/acme/keys")
	b.shows("the keys", page, http.StatusOK, "read chat", "connects as bot", "EdDSA", "https://id.example.com/keys", "https://id.example.com, app")
	if strings.Contains(page.body, "the-secret") {
		t.Error("got a secret in the list, want it shown once")
	}
	if n := s.count("SELECT count(*) FROM keys WHERE tenant_id = 'acme' AND removed_at IS NULL AND kind IN ('api', 'service', 'user-token', 'jwks', 'oidc')"); n < 5 {
		t.Errorf("got %d keys, want one of each kind at least", n)
	}

	id := func(kind string) (id string) {
		s.must(s.pool.QueryRow(t.Context(), "SELECT key_id FROM keys WHERE tenant_id = 'acme' AND kind = $1 AND name <> 'first key'", kind).Scan(&id))
		return "/t/acme/keys/" + id + "/rotate"
	}
	for kind, want := range map[string][]string{"api": {"shown once", "The old key ends"}, "user-token": {"Public key", `value="EdDSA" selected`}, "jwks": {"Address"}, "oidc": {"Client id"}} {
		b.shows("the form of a rotation of "+kind, b.get(id(kind)), http.StatusOK, want...)
	}
	service := id("service")
	b.shows("the new credentials", b.post(service, "overlap_seconds", "86400"), http.StatusOK, "the-secret-creds")
	b.shows("the list", b.get("/t/acme/keys"), http.StatusOK, ">ends ", "connects as bot")
	b.shows("once more", b.get(service), http.StatusOK, "was rotated already")
	b.shows("a second time", b.post(service, "overlap_seconds", "0"), http.StatusConflict, "was rotated already")
	b.shows("the same public key", b.post(id("user-token"), "alg", "EdDSA", "public_key", text, "overlap_seconds", "0"), http.StatusUnprocessableEntity, "Is the old key’s; give a new one")
	b.goes("another address", b.post(id("jwks"), "url", "https://id.example.com/more", "overlap_seconds", "0"), "/t/acme/keys")
}

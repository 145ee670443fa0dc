package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// addKey makes a key of a tenant from a body in JSON.
func (s *server) addKey(tenant, body string) (made keyAnswer) {
	s.t.Helper()
	s.call(http.MethodPost, "/v1/tenants/"+tenant+"/keys", body).into(s.t, &made)
	return made
}

func TestAPIKeysDoWhatTheirScopesSay(t *testing.T) {
	t.Parallel()
	s := house(t)
	for _, c := range []struct {
		scope, method, path, body string
	}{
		{"read", "GET", "/v1/tenants/acme/users", ""},
		{"chat", "POST", "/v1/tenants/acme/users/alice/tokens", `{"ttl_seconds":60}`},
		{"admin", "PUT", "/v1/tenants/acme/users/dora", `{"name":"Dora"}`},
	} {
		for _, scope := range []string{"read", "chat", "admin"} {
			made := s.addKey("acme", fmt.Sprintf(`{"kind":"api","name":"bot","scopes":[%q]}`, scope))
			got := s.send(made.APIKey, c.method, c.path, c.body)
			if allowed := got.status < 300; allowed != (scope == c.scope) || !allowed && got.status != 403 {
				t.Errorf("%s %s with the scope %s: got %d %s", c.method, c.path, scope, got.status, got.body)
			}
			s.call("DELETE", "/v1/tenants/acme/keys/"+made.Key.ID, "")
			if got := s.send(made.APIKey, c.method, c.path, c.body); got.status != 401 {
				t.Errorf("%s %s with a removed key: got %d, want 401", c.method, c.path, got.status)
			}
		}
	}
}

// A signer is a tenant's program that signs tokens.
type signer struct {
	alg  string
	priv crypto.Signer
}

func newSigner(t *testing.T, alg string) signer {
	t.Helper()
	var priv crypto.Signer
	var err error
	switch alg {
	case "EdDSA":
		_, priv, err = ed25519.GenerateKey(rand.Reader)
	case "ES256":
		priv, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "RS256":
		priv, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{alg, priv}
}

func (g signer) pem() string {
	der, err := x509.MarshalPKIXPublicKey(g.priv.Public())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// keySet is the JSON Web Key Set of an ES256 key.
func (g signer) keySet(kid string) string {
	point, err := g.priv.Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		panic(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}]}`, kid, b64(point[1:33]), b64(point[33:]))
}

// token signs claims that go beside iat and exp.
func (g signer) token(kid string, claims map[string]any) string {
	now := time.Now().Unix()
	all := map[string]any{"iat": now, "exp": now + 600}
	for k, v := range claims {
		all[k] = v
	}
	body, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":"JWT"}`, g.alg, kid)) + "." + b64(body)
	return text + "." + b64(g.sign(text))
}

func (g signer) sign(text string) []byte {
	if g.alg == "EdDSA" {
		sig, err := g.priv.Sign(rand.Reader, []byte(text), crypto.Hash(0))
		if err != nil {
			panic(err)
		}
		return sig
	}
	sum := sha256.Sum256([]byte(text))
	sig, err := g.priv.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	if g.alg == "RS256" {
		return sig
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &rs); err != nil {
		panic(err)
	}
	return append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
}

// refused wants a connection of alice refused, and the reason in the tenant's list.
func (s *server) refused(tenantID, code string, how ...nats.Option) {
	s.t.Helper()
	s.refusedWhere(func() bool {
		return strings.Contains(string(s.call("GET", "/v1/tenants/"+tenantID+"/refusals?limit=1", "").body), `"code":"`+code+`"`)
	}, "alice", code, s.NATS, how...)
}

// TestTenantsSignTheirOwnTokens goes the way of a tenant who rotates his keys.
func TestTenantsSignTheirOwnTokens(t *testing.T) {
	t.Parallel()
	s := house(t)
	file := filepath.Join(t.TempDir(), "public.pem")
	for _, alg := range []string{"EdDSA", "ES256", "RS256"} {
		g := newSigner(t, alg)
		if err := os.WriteFile(file, []byte(g.pem()), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := runParley(t, "key", "add", "user-token", "acme", "--name", "app", "--alg", alg, "--public-key", file, "--create-users", "--json", "--data", s.data)
		var made keyAnswer
		if err := json.Unmarshal([]byte(out), &made); code != 0 || err != nil {
			t.Fatalf("key add: got %d %s %s", code, out, errs)
		}
		next := s.addKey("acme", fmt.Sprintf(`{"kind":"user-token","name":"next","alg":%q,"public_key":%q}`, alg, g.pem()))
		old, err := s.dial(s.NATS, "alice", nats.Token(g.token(made.Key.ID, map[string]any{"aud": "parley:acme", "sub": "alice"})), nats.NoReconnect())
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		stays, err := s.dial(s.WS, "alice", nats.Token(g.token(next.Key.ID, map[string]any{"aud": "parley:acme", "sub": "alice"})), nats.NoReconnect())
		if err != nil {
			t.Fatalf("%s with the next key: %v", alg, err)
		}
		newcomer := strings.ToLower("new-" + alg)
		if _, err := s.dial(s.NATS, newcomer, nats.Token(g.token(made.Key.ID, map[string]any{"aud": "parley:acme", "sub": newcomer}))); err != nil {
			t.Errorf("%s: a newcomer: %v", alg, err)
		}
		s.call("GET", "/v1/tenants/acme/users/"+newcomer, "")
		s.refused("acme", "user_unknown", nats.Token(g.token(next.Key.ID, map[string]any{"aud": "parley:acme", "sub": "nobody"})))

		gone := old.StatusChanged(nats.CLOSED)
		s.call("DELETE", "/v1/tenants/acme/keys/"+made.Key.ID, "")
		select {
		case <-gone:
		case <-time.After(patience):
			t.Errorf("%s: the connection of the removed key is open, want it closed", alg)
		}
		s.refused("acme", "token_key_removed", nats.Token(g.token(made.Key.ID, map[string]any{"aud": "parley:acme", "sub": "alice"})))
		if err := stays.Flush(); err != nil {
			t.Errorf("%s: the connection of the next key: %v", alg, err)
		}
	}
	code, out, _ := runParley(t, "tenant", "refusals", "acme", "--data", s.data)
	if code != 0 || !strings.Contains(out, "the key that signed the token was removed") {
		t.Errorf("got %d %s, want the reason in it", code, out)
	}
}

// TestProvidersLetUsersIn has a tenant's own provider beside Parley, on this machine.
func TestProvidersLetUsersIn(t *testing.T) {
	t.Parallel()
	s := house(t, "--allow-private-urls")
	g := newSigner(t, "ES256")
	var issuer string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			fmt.Fprint(w, g.keySet("2026-11"))
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer, issuer+"/keys")
	}))
	defer provider.Close()
	issuer = provider.URL
	code, out, errs := runParley(t, "key", "add", "jwks", "acme", "--name", "set", "--url", issuer+"/keys", "--data", s.data)
	if code != 0 || !strings.Contains(out, "parley:acme") {
		t.Fatalf("key add jwks: got %d %s %s", code, out, errs)
	}
	made := s.addKey("acme", fmt.Sprintf(`{"kind":"oidc","name":"login","issuer":%q,"client_id":"web","user_claim":"email","create_users":true}`, issuer))
	if _, err := s.dial(s.NATS, "alice", nats.Token(g.token("2026-11", map[string]any{"aud": "parley:acme", "sub": "alice"}))); err != nil {
		t.Errorf("a token of the set: %v", err)
	}
	mail := map[string]any{"iss": issuer, "aud": "web", "sub": "17", "email": "erin@acme.example", "email_verified": true, "name": "Erin"}
	s.refused("acme", "token_key_unknown", nats.Token(g.token("other", map[string]any{"aud": "parley:acme", "sub": "alice"})))
	idToken := nats.Token(g.token("2026-11", mail))
	id := s.userID("acme", "erin@acme.example", func() error {
		// Her id is made of her address, and so her inbox is known only when she is a user.
		_, err := s.dial(s.WS, "erin", idToken)
		return err
	})
	erin, err := s.dial(s.WS, id, idToken, nats.NoReconnect())
	if err != nil {
		t.Fatalf("an ID token: %v", err)
	}
	gone := erin.StatusChanged(nats.CLOSED)
	s.call("DELETE", "/v1/tenants/acme/keys/"+made.Key.ID, "")
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("the connection of the removed issuer is open, want it closed")
	}
	s.refused("acme", "token_key_removed", idToken)
}

// userID connects somebody for the first time and finds the user that was made of him.
func (s *server) userID(tenantID, externalID string, connect func() error) string {
	s.t.Helper()
	if err := connect(); err != nil {
		s.t.Fatalf("connect %s for the first time: %v", externalID, err)
	}
	var page struct{ Users []tenant.User }
	s.call("GET", "/v1/tenants/"+tenantID+"/users?query=ext-", "").into(s.t, &page)
	for _, u := range page.Users {
		if u.ExternalID == externalID {
			return string(u.ID)
		}
	}
	s.t.Fatalf("got the users %+v, want one for %s", page.Users, externalID)
	return ""
}

// Without the flag no URL of a private network is taken.
func TestPrivateURLsAreTheOperatorsToAllow(t *testing.T) {
	t.Parallel()
	s := house(t)
	for _, body := range []string{
		`{"kind":"jwks","name":"set","url":"https://127.0.0.1:8443/keys"}`,
		`{"kind":"jwks","name":"set","url":"http://id.example.com/keys"}`,
		`{"kind":"oidc","name":"login","issuer":"https://169.254.169.254","client_id":"c"}`,
	} {
		if got := s.send(s.token, "POST", "/v1/tenants/acme/keys", body); got.status != 422 {
			t.Errorf("%s: got %d %s, want 422", body, got.status, got.body)
		}
	}
}

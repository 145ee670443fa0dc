package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// jti reads the id of a token.
func jti(t *testing.T, token string) string {
	t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal(body, &c); err != nil || c.ID == "" {
		t.Fatalf("got no jti in %s, %v", body, err)
	}
	return c.ID
}

// One credential and one token are taken back, each beside a twin of the same user that stays.
func TestRevokingOneCredentialOrToken(t *testing.T) {
	t.Parallel()
	s := house(t)
	creds, otherCreds := s.credsFile("acme", "bob"), s.credsFile("acme", "bob")
	token, otherToken := s.userToken("acme", "bob"), s.userToken("acme", "bob")
	dial := func(opt nats.Option) *peer {
		t.Helper()
		p, err := s.dial(s.NATS, "bob", opt)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	byCreds, byOtherCreds := dial(nats.UserCredentials(creds)), dial(nats.UserCredentials(otherCreds))
	byToken, byOtherToken := dial(nats.Token(token)), dial(nats.Token(otherToken))
	var list struct{ Connections []tenant.Connection }
	eventually(t, "the sessions are written", func() bool {
		s.call(http.MethodGet, "/v1/tenants/acme/users/bob/connections", "").into(t, &list)
		n := 0
		for _, c := range list.Connections {
			if c.Method != "" {
				n++
			}
		}
		return n == 4
	})

	var found struct{ Credentials []tenant.Credential }
	s.call(http.MethodGet, "/v1/tenants/acme/users/bob/creds", "").into(t, &found)
	if len(found.Credentials) != 2 || !found.Credentials[0].RevokedAt.IsZero() || found.Credentials[0].Kind != tenant.CredentialCreds {
		t.Fatalf("got %+v, want two good credentials", found.Credentials)
	}
	nkey := nkeyOf(t, creds)
	for path, code := range map[string]int{
		"alice/creds/" + nkey + "/revoke":                    404,
		"bob/creds/U/revoke":                                 422,
		"bob/creds/U" + strings.Repeat("A", 55) + "/revoke":  404,
		"bob/tokens/" + strings.Repeat("x", 200) + "/revoke": 422,
		"nobody/tokens/" + jti(t, token) + "/revoke":         404,
	} {
		if got := s.send(s.token, http.MethodPost, "/v1/tenants/acme/users/"+path, ""); got.status != code {
			t.Errorf("%s: got %d %s, want %d", path, got.status, got.body, code)
		}
	}

	code, out, errs := runParley(t, "revoke", "acme", "bob", "--nkey", nkey, "--data", s.data)
	if code != 0 || !strings.Contains(out, "1 connections closed") {
		t.Errorf("revoke --nkey: got %d, %s%s, want one connection closed", code, out, errs)
	}
	code, out, errs = runParley(t, "revoke", "acme", "bob", "--token-id", jti(t, token), "--data", s.data)
	if code != 0 || !strings.Contains(out, "1 connections closed") {
		t.Errorf("revoke --token-id: got %d, %s%s, want one connection closed", code, out, errs)
	}
	eventually(t, "the revoked credential's connection is closed", func() bool { return !byCreds.IsConnected() })
	eventually(t, "the revoked token's connection is closed", func() bool { return !byToken.IsConnected() })
	s.kill()
	s.start()
	s.refusedAs("acme", "bob", "creds_revoked", s.NATS, nats.UserCredentials(creds))
	s.refusedAs("acme", "bob", "token_revoked", s.NATS, nats.Token(token))
	for _, p := range []*peer{byOtherCreds, byOtherToken} {
		p.Close()
	}
	dial(nats.UserCredentials(otherCreds)).post("chat.std.open.lobby.bob", "creds", "")
	dial(nats.Token(otherToken)).post("chat.std.open.lobby.bob", "token", "")
}

// jwtOf reads the JWT of a .creds file.
func jwtOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseDecoratedJWT(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// nkeyOf reads whose a .creds file is.
func nkeyOf(t *testing.T, file string) string {
	t.Helper()
	c, err := jwt.DecodeUserClaims(jwtOf(t, file))
	if err != nil {
		t.Fatal(err)
	}
	return c.Subject
}

// refusalsOf are the kept refusals of a code, "" for those of all.
func (s *server) refusalsOf(tenantID, user, code string) int {
	s.t.Helper()
	var kept struct{ Refusals []tenant.Refusal }
	s.call(http.MethodGet, "/v1/tenants/"+tenantID+"/refusals?limit=1000", "").into(s.t, &kept)
	n := 0
	for _, r := range kept.Refusals {
		if r.User == user && (code == "" || r.Code == code) && r.Reason != "" && r.Address != "" {
			n++
		}
	}
	return n
}

// refusedAs wants that a client can't connect, and that the tenant's admins find why.
func (s *server) refusedAs(tenantID, user, code, url string, how ...nats.Option) {
	s.t.Helper()
	before := s.refusalsOf(tenantID, user, code)
	s.refusedWhere(func() bool { return s.refusalsOf(tenantID, user, code) > before }, user, code, url, how...)
}

// refusedWhere wants a connection refused, and the reason kept. A machine that is too busy to decide in time
// refuses without a reason: then the client comes again, as it would by itself.
func (s *server) refusedWhere(kept func() bool, user, code, url string, how ...nats.Option) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if p, err := s.dial(url, user, how...); err == nil {
			p.Close()
			s.t.Errorf("%s over %s: got in, want %s", user, url, code)
			return
		}
		for again := time.Now().Add(patience / 10); time.Now().Before(again); <-time.After(20 * time.Millisecond) {
			if kept() {
				return
			}
		}
	}
	s.t.Errorf("%s over %s: the refusal %s is not kept", user, url, code)
}

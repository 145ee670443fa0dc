package authcallout

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/tenant"
)

// jwk is the public key as a set has it.
func (p pair) jwk(kid string, more ...set) set {
	k := set{"kid": kid, "use": "sig", "alg": p.alg}
	switch key := p.priv.Public().(type) {
	case ed25519.PublicKey:
		k = merge(k, set{"kty": "OKP", "crv": "Ed25519", "x": b64(string(key))})
	case *ecdsa.PublicKey:
		point := must(key.Bytes())
		k = merge(k, set{"kty": "EC", "crv": "P-256", "x": b64(string(point[1:33])), "y": b64(string(point[33:]))})
	case *rsa.PublicKey:
		k = merge(k, set{"kty": "RSA", "n": b64(string(key.N.Bytes())), "e": b64(string(big.NewInt(int64(key.E)).Bytes()))})
	}
	return merge(append([]set{k}, more...)...)
}

func keySetOf(keys ...set) string { return string(must(json.Marshal(set{"keys": keys}))) }

// A provider is an HTTP server that answers what a test says, and counts.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	answer map[string]string // by path
	status int
	asked  map[string]int
	hang   chan struct{} // not nil: no answer before it is closed
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{answer: map[string]string{}, status: http.StatusOK, asked: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked[r.URL.Path]++
		answer, status, hang := p.answer[r.URL.Path], p.status, p.hang
		p.mu.Unlock()
		if hang != nil {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) set(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
}

func (p *provider) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.asked {
		n += c
	}
	return n
}

// urlKey adds a key of kind jwks or oidc.
func (w *world) urlKey(t tenant.TenantID, id string, kind tenant.KeyKind, d tenant.KeyDetails) {
	k := tenant.Key{ID: id, Tenant: t, KeySpec: tenant.KeySpec{Kind: kind, KeyDetails: d}, CreatedAt: w.clock.now().Add(-time.Hour)}
	w.set(func() { w.keys = append(w.keys, k) })
}

func TestKeySetsAreFetchedOnceAndRotate(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newProvider(t)
	p.answer["/keys"] = keySetOf(edPair.jwk("a"), ecPair.jwk("b"), rsaPair.jwk("c+/="), rsaPair.jwk("enc", set{"use": "enc"}),
		rsaPair.jwk("ps", set{"alg": "PS256"}), set{"kty": "oct", "k": "AAAA", "kid": "mac"}, edPair.jwk("x", set{"crv": "X25519"}))
	w.urlKey("acme", "jwks", tenant.KeyJWKS, tenant.KeyDetails{URL: p.URL + "/keys"})
	token := func(q pair, kid string, header ...set) string {
		return q.token(head(q.alg, kid, header...), w.foreign(nil))
	}
	var wg sync.WaitGroup
	for range 20 { // all of them wait for one fetch
		wg.Go(func() { w.admitted("alice", withToken(token(edPair, "a"))) })
	}
	wg.Wait()
	w.admitted("alice", withToken(token(ecPair, "b")))
	w.admitted("alice", withToken(token(rsaPair, "c+/=", set{"typ": "at+jwt", "x5t": "AAAA"})))
	w.refused("token_algorithm", withToken(token(edPair, "b")))
	w.refused("token_signature", withToken(rsaPair.token(head("ES256", "b"), w.foreign(nil))))
	w.refused("token_header", withToken(token(edPair, "a", set{"jku": p.URL + "/evil"})))
	w.refused("token_header", withToken(token(edPair, "a", set{"typ": "id+jwt"})))
	if n := p.count(); n != 1 {
		t.Fatalf("got %d fetches, want 1", n)
	}
	// Keys that are not for signatures, and a flood of kids, cost no fetch before their time.
	for _, kid := range []string{"enc", "ps", "mac", "x", "d1", "d2", "d3"} {
		w.refused("token_key_unknown", withToken(token(rsaPair, kid)))
	}
	if n := p.count(); n != 1 {
		t.Errorf("got %d fetches, want no more within %s", n, fetchEvery)
	}
	p.set(func() { p.answer["/keys"] = keySetOf(ecPair.jwk("b"), edPair.jwk("new")) })
	w.clock.forward(fetchEvery)
	w.admitted("alice", withToken(token(edPair, "new"))) // waits for the fetch that it causes
	w.refused("token_key_unknown", withToken(token(edPair, "a")))
	if n := p.count(); n != 2 {
		t.Errorf("got %d fetches, want 2", n)
	}
	// An old set is fetched again behind those who use it.
	w.clock.forward(freshFor)
	p.set(func() { p.answer["/keys"] = keySetOf(edPair.jwk("newer")) })
	w.admitted("alice", withToken(token(edPair, "new")))
	waitUntil(t, "the set is fetched again", func() bool { return p.count() == 3 })
	waitUntil(t, "the old key is forgotten", func() bool { return w.ask(withToken(token(edPair, "new"))).code == "token_key_unknown" })
	w.admitted("alice", withToken(token(edPair, "newer")))
}

func TestStaleKeySetsAreUsedForAWhile(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newProvider(t)
	p.answer["/keys"] = keySetOf(edPair.jwk("a"))
	w.urlKey("acme", "jwks", tenant.KeyJWKS, tenant.KeyDetails{URL: p.URL + "/keys"})
	token := func() string { return edPair.token(head("EdDSA", "a"), w.foreign(nil)) }
	w.admitted("alice", withToken(token()))
	p.set(func() { p.status = http.StatusInternalServerError })
	w.clock.forward(staleFor - time.Minute)
	w.admitted("alice", withToken(token()))
	waitUntil(t, "the fetch fails", func() bool { return w.metric("parley_callout_key_fetches_total", "outcome", "failed") == 1 })
	w.clock.forward(2 * time.Minute)
	r := w.refused("token_keys_unavailable", withToken(token()))
	if !strings.Contains(r.Reason, "status 500") || !strings.Contains(r.Reason, "jwks") {
		t.Errorf("got the reason %q, want the key and the status in it", r.Reason)
	}
}

// Each way in which a URL can go wrong ends in a refusal with its reason, and only for those who need it.
func TestKeySetsThatCanNotBeHad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		reason string
	}{
		"HTML":            {"<html>", "no JSON Web Key Set"},
		"nothing":         {"", "no JSON Web Key Set"},
		"a list":          {"[]", "no JSON Web Key Set"},
		"no keys":         {`{"keys":[]}`, "no key for"},
		"keys of nobody":  {`{"keys":[{"kty":"RSA"},{"kty":"EC","crv":"P-256","x":"","y":""},{}]}`, "no key for"},
		"doubled members": {`{"keys":[],"keys":[]}`, "no JSON Web Key Set"},
		"private keys":    {`{"keys":[{"kty":"oct","k":"AAAA","kid":"a","alg":"HS256"}]}`, "no key for"},
		"off the curve":   {keySetOf(ecPair.jwk("a", set{"y": b64(strings.Repeat("\x01", 32))})), "no key for"},
		"a short RSA key": {keySetOf(rsaPair.jwk("a", set{"n": b64(strings.Repeat("\xff", 128))})), "no key for"},
		"RSA with e = 1":  {keySetOf(rsaPair.jwk("a", set{"e": b64("\x01")})), "no key for"},
		"300 KiB":         {strings.Repeat(" ", 300<<10), "longer than"},
		"deep":            {strings.Repeat("[", 100_000), "no JSON Web Key Set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := newWorld(t), newProvider(t)
			p.answer["/keys"] = c.answer
			w.urlKey("acme", "jwks", tenant.KeyJWKS, tenant.KeyDetails{URL: p.URL + "/keys"})
			bad := edPair.token(head("EdDSA", "a"), w.foreign(nil))
			for range 3 {
				r := w.refused("token_keys_unavailable", withToken(bad))
				if !strings.Contains(r.Reason, c.reason) {
					t.Errorf("got the reason %q, want %q in it", r.Reason, c.reason)
				}
			}
			if n := p.count(); n != 1 {
				t.Errorf("got %d fetches, want 1", n)
			}
			w.admitted("alice", withToken(w.token(nil)))
			p.set(func() { p.answer["/keys"] = keySetOf(edPair.jwk("a")) })
			w.clock.forward(fetchEvery)
			w.admitted("alice", withToken(edPair.token(head("EdDSA", "a"), w.foreign(nil))))
		})
	}
}

// A URL that never answers holds up nobody but those who need it, and these not beyond their time.
func TestASlowKeySetHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, func(c *Config) { c.Workers = 1 }), newProvider(t)
	p.hang = make(chan struct{})
	w.urlKey("acme", "jwks", tenant.KeyJWKS, tenant.KeyDetails{URL: p.URL + "/keys"})
	slow := edPair.token(head("EdDSA", "a"), w.foreign(nil))
	refused := make(chan tenant.Refusal, 1)
	go func() { refused <- w.refused("token_keys_unavailable", withToken(slow)) }()
	waitUntil(t, "the set is asked for", func() bool { return p.count() == 1 })
	for range 3 { // with the one worker that there is
		w.admitted("alice", withToken(w.token(nil)))
	}
	w.clock.forward(testTimeout - lateMargin + time.Millisecond)
	if r := <-refused; !strings.Contains(r.Reason, "not answered yet") {
		t.Errorf("got the reason %q, want that it has not answered yet", r.Reason)
	}
	close(p.hang)
}

func TestStoppingEndsFetches(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newProvider(t)
	p.hang = make(chan struct{})
	w.urlKey("acme", "jwks", tenant.KeyJWKS, tenant.KeyDetails{URL: p.URL + "/keys"})
	refused := make(chan tenant.Refusal, 1)
	go func() {
		refused <- w.refused("token_keys_unavailable", withToken(edPair.token(head("EdDSA", "a"), w.foreign(nil))))
	}()
	waitUntil(t, "the set is asked for", func() bool { return p.count() == 1 })
	w.callout.Stop()
	if r := <-refused; !strings.Contains(r.Reason, "stopping") {
		t.Errorf("got the reason %q, want that the server is stopping", r.Reason)
	}
}

func TestIDTokens(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newProvider(t)
	w.addTenant("other")
	w.addUser(tenant.User{Tenant: "other", ID: "zed"})
	w.addUser(tenant.User{Tenant: "acme", ID: "mailed", ExternalID: "mailed@acme.example"})
	p.answer["/.well-known/openid-configuration"] = fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"x":[1]}`, p.URL, p.URL+"/keys")
	p.answer["/keys"] = keySetOf(rsaPair.jwk("r"), edPair.jwk("e"))
	w.urlKey("acme", "oidc1", tenant.KeyOIDC, tenant.KeyDetails{Issuer: p.URL, ClientID: "client", UserClaim: "sub"})
	w.urlKey("acme", "oidc2", tenant.KeyOIDC, tenant.KeyDetails{Issuer: p.URL, ClientID: "mails", UserClaim: "email", CreateUsers: true})
	w.urlKey("other", "oidc3", tenant.KeyOIDC, tenant.KeyDetails{Issuer: p.URL, ClientID: "others", UserClaim: "https://acme.example/user"})
	id := func(q pair, kid string, claims set, header ...set) string {
		return q.token(head(q.alg, kid, header...), w.foreign(merge(set{"iss": p.URL, "aud": "client"}, claims)))
	}
	verified := set{"aud": "mails", "sub": "123", "email": "mailed@acme.example", "email_verified": true}

	w.admitted("alice", withToken(id(rsaPair, "r", nil)))
	w.admitted("alice", withToken(id(edPair, "e", set{"aud": []string{"client"}, "azp": "client", "nonce": "n"}, set{"x5t": "AAAA"})))
	w.admitted("mailed", withToken(id(rsaPair, "r", verified)))
	w.admitted("mailed", withToken(id(rsaPair, "r", merge(verified, set{"email_verified": "true"}))))
	w.admitted("zed", withToken(id(rsaPair, "r", set{"aud": "others", "sub": "alice", "https://acme.example/user": "zed"})))
	for _, c := range []struct{ name, want, token string }{
		{"another client", "token_issuer", id(rsaPair, "r", set{"aud": "somebody"})},
		{"another issuer", "token_issuer", id(rsaPair, "r", set{"iss": "https://evil.example"})},
		{"its issuer with a slash", "token_issuer", id(rsaPair, "r", set{"iss": p.URL + "/"})},
		{"made for another client", "token_audience", id(rsaPair, "r", set{"azp": "somebody"})},
		{"two clients", "token_malformed", id(rsaPair, "r", set{"aud": []string{"client", "somebody"}})},
		{"mail not verified", "token_email_unverified", id(rsaPair, "r", merge(verified, set{"email_verified": false}))},
		{"mail without a word", "token_email_unverified", id(rsaPair, "r", set{"aud": "mails", "email": "mailed@acme.example"})},
		{"no mail", "token_user_claim", id(rsaPair, "r", set{"aud": "mails", "email_verified": true})},
		{"the claim is a number", "token_user_claim", id(rsaPair, "r", set{"aud": "others", "https://acme.example/user": 7})},
		{"typ at+jwt", "token_header", id(rsaPair, "r", nil, set{"typ": "at+jwt"})},
		{"jku", "token_header", id(rsaPair, "r", nil, set{"jku": p.URL + "/evil"})},
		{"unknown user", "user_unknown", id(rsaPair, "r", set{"sub": "nobody"})},
		{"wrong key", "token_signature", ecPair.token(head("RS256", "r"), w.foreign(set{"iss": p.URL, "aud": "client"}))},
		{"expired", "token_expired", id(rsaPair, "r", set{"iat": w.clock.now().Unix() - 90, "exp": w.clock.now().Unix() - 30})},
		{"no exp", "token_times", id(rsaPair, "r", set{"exp": nil})},
		{"older than the key", "token_outdated", id(rsaPair, "r", set{"iat": w.clock.now().Unix() - 4000})},
	} {
		if a := w.ask(withToken(c.token)); a.code != c.want {
			t.Errorf("%s: got %q, want %s", c.name, a.code, c.want)
		}
	}
	made := w.admitted("made", withToken(id(rsaPair, "r", merge(verified, set{"email": "new@acme.example", "name": "New"}))))
	if len(w.welcomed) != 1 || w.welcomed[0].Handle.External != "new@acme.example" || w.welcomed[0].Name != "New" || made == nil {
		t.Errorf("got the newcomers %+v, want new@acme.example", w.welcomed)
	}
	if p.asked["/evil"] != 0 {
		t.Error("got a fetch of what a token names, want none")
	}
}

func TestIssuersThatCanNotBeUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, reason string }{
		"down":            {"", "no unambiguous JSON"},
		"another issuer":  {`{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys"}`, "another issuer"},
		"no keys":         {`{"issuer":"ISSUER"}`, "no key set"},
		"keys of a file":  {`{"issuer":"ISSUER","jwks_uri":"file:///etc/passwd"}`, "no key set"},
		"doubled members": {`{"issuer":"ISSUER","issuer":"ISSUER","jwks_uri":"ISSUER/keys"}`, "no unambiguous JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := newWorld(t), newProvider(t)
			p.answer["/.well-known/openid-configuration"] = strings.ReplaceAll(c.config, "ISSUER", p.URL)
			p.answer["/keys"] = keySetOf(edPair.jwk("e"))
			w.urlKey("acme", "oidc", tenant.KeyOIDC, tenant.KeyDetails{Issuer: p.URL, ClientID: "client", UserClaim: "sub"})
			r := w.refused("token_keys_unavailable", withToken(edPair.token(head("EdDSA", "e"), w.foreign(set{"iss": p.URL, "aud": "client"}))))
			if !strings.Contains(r.Reason, c.reason) || r.Tenant != "acme" {
				t.Errorf("got %+v, want acme told of %q", r, c.reason)
			}
		})
	}
}

func FuzzParseKeySet(f *testing.F) {
	for _, s := range []string{
		keySetOf(edPair.jwk("a"), ecPair.jwk("b"), rsaPair.jwk("c")), `{"keys":[{}]}`, `{"keys":null}`, `null`, `[]`, ``,
		keySetOf(ecPair.jwk("b", set{"x": b64(strings.Repeat("\x00", 32)), "y": b64(strings.Repeat("\x00", 32))})),
		keySetOf(rsaPair.jwk("c", set{"n": "", "e": ""})), keySetOf(rsaPair.jwk("c", set{"e": b64(strings.Repeat("\xff", 9))})),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeySet(text)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("got %d keys and %v", len(keys), err)
		}
		for kid, v := range keys {
			if !validKid(kid) || v.alg == "" || v.alg != tenant.AlgorithmOf(v.key) {
				t.Fatalf("%q: got %+v", kid, v)
			}
			v.verify("text", []byte("signature")) // must not panic
		}
	})
}

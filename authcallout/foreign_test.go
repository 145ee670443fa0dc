package authcallout

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
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
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

// A pair signs tokens as an issuer does.
type pair struct {
	alg  string
	priv crypto.Signer
}

// Pairs are made once: RSA takes its time.
var (
	edPair  = pair{tenant.AlgEdDSA, must2(ed25519.GenerateKey(rand.Reader))}
	ecPair  = pair{tenant.AlgES256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	rsaPair = pair{tenant.AlgRS256, must(rsa.GenerateKey(rand.Reader, 2048))}
)

func must2[A, B any](_ A, v B, err error) B { return must(v, err) }

func (p pair) pem() string {
	der := must(x509.MarshalPKIXPublicKey(p.priv.Public()))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// raw signs text as the pair's algorithm says.
func (p pair) raw(text string) []byte {
	if p.alg == tenant.AlgEdDSA {
		return must(p.priv.Sign(nil, []byte(text), crypto.Hash(0)))
	}
	sum := sha256.Sum256([]byte(text))
	sig := must(p.priv.Sign(rand.Reader, sum[:], crypto.SHA256))
	if p.alg != tenant.AlgES256 {
		return sig
	}
	var rs struct{ R, S *big.Int }
	must(asn1.Unmarshal(sig, &rs))
	return append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
}

type set = map[string]any

func (p pair) token(header, claims set) string {
	text := b64(string(must(json.Marshal(header)))) + "." + b64(string(must(json.Marshal(claims))))
	return text + "." + base64.RawURLEncoding.EncodeToString(p.raw(text))
}

// userTokenKey adds a key of the pair to a tenant.
func (w *world) userTokenKey(t tenant.TenantID, id string, p pair, change ...func(*tenant.Key)) {
	spec := tenant.KeySpec{Kind: tenant.KeyUserToken, KeyDetails: tenant.KeyDetails{Alg: p.alg, PublicKey: p.pem()}}
	k := tenant.Key{ID: id, Tenant: t, KeySpec: spec, CreatedAt: w.clock.now().Add(-time.Hour)}
	for _, fn := range change {
		fn(&k)
	}
	w.set(func() { w.keys = append(w.keys, k) })
}

// foreign are the claims of a token for alice that a program of acme signs.
func (w *world) foreign(change set) set { return w.claimSet(merge(set{"iss": "acme.example"}, change)) }

func merge(of ...set) set {
	all := set{}
	for _, s := range of {
		for k, v := range s {
			all[k] = v
		}
	}
	return all
}

func head(alg, kid string, more ...set) set {
	return merge(append([]set{{"alg": alg, "kid": kid, "typ": "JWT"}}, more...)...)
}

// TestUserTokens has IDN-09 to IDN-11 for the tokens that tenants sign, refused beside allowed.
func TestUserTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addTenant("other")
	w.addUser(tenant.User{Tenant: "other", ID: "alice"})
	w.addUser(tenant.User{Tenant: "acme", ID: "mailed", ExternalID: "mailed@acme.example"})
	w.addUser(tenant.User{Tenant: "acme", ID: "gone", Status: tenant.UserRevoked})
	for _, p := range []pair{edPair, ecPair, rsaPair} {
		w.userTokenKey("acme", "key"+strings.ToLower(p.alg), p)
	}
	w.userTokenKey("acme", "rotated", edPair) // the overlap: two keys at once
	w.userTokenKey("acme", "removed", edPair, func(k *tenant.Key) { k.RemovedAt = w.clock.now() })
	w.userTokenKey("acme", "young", edPair, func(k *tenant.Key) { k.CreatedAt = w.clock.now().Add(-time.Minute) })
	w.userTokenKey("other", "others", edPair)
	now := w.clock.now().Unix()
	type test struct{ name, token, want string }
	var tests []test
	add := func(want, name, token string) { tests = append(tests, test{name, token, want}) }

	for _, p := range []pair{edPair, ecPair, rsaPair} {
		kid := "key" + strings.ToLower(p.alg)
		good := p.token(head(p.alg, kid), w.foreign(nil))
		parts := strings.Split(good, ".")
		sig := must(base64.RawURLEncoding.DecodeString(parts[2]))
		other := append([]byte{}, sig...)
		other[len(other)-1] ^= 1
		with := func(sig []byte) string {
			return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(sig)
		}
		add("", p.alg, good)
		add("", p.alg+" without iss", p.token(head(p.alg, kid), w.foreign(set{"iss": nil})))
		add("", p.alg+" of an external id", p.token(head(p.alg, kid), w.foreign(set{"sub": "mailed@acme.example"})))
		add("token_signature", p.alg+" with a bit changed", with(other))
		add("token_signature", p.alg+" with a signature of zeros", with(make([]byte, len(sig))))
		add("token_signature", p.alg+" without a signature", with(nil))
		add("token_signature", p.alg+" with half a signature", with(sig[:len(sig)/2]))
		add("token_signature", p.alg+" with a byte more", with(append(append([]byte{}, sig...), 0)))
		add("token_malformed", p.alg+" with a signature of 1,025 bytes", with(make([]byte, 1025)))
		for _, alg := range []string{"none", "None", "HS256", "ES384", "PS256", "RS512", "", "eddsa"} {
			add("token_algorithm", p.alg+" that says "+alg, p.token(head(alg, kid), w.foreign(nil)))
		}
		for _, q := range []pair{edPair, ecPair, rsaPair} {
			if q.alg == p.alg {
				continue
			}
			add("token_algorithm", p.alg+"'s key with "+q.alg, q.token(head(q.alg, kid), w.foreign(nil)))
			add("token_signature", p.alg+"'s key signed by "+q.alg, q.token(head(p.alg, kid), w.foreign(nil)))
		}
		// What everybody knows as the secret of a MAC, in the forms that libraries have taken it.
		der := must(x509.MarshalPKIXPublicKey(p.priv.Public()))
		for i, secret := range [][]byte{[]byte(p.pem()), der, []byte(strings.TrimSpace(p.pem())), []byte(kid)} {
			for want, alg := range map[string]string{"token_algorithm": "HS256", "token_signature": p.alg} {
				text := b64(fmt.Sprintf(`{"alg":%q,"kid":%q}`, alg, kid)) + "." + parts[1]
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(text))
				add(want, fmt.Sprintf("%s that says %s, a MAC of form %d", p.alg, alg, i), text+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
			}
		}
	}
	ed := func(want, name string, header, claims set) {
		add(want, name, edPair.token(merge(head("EdDSA", "keyeddsa"), header), w.foreign(claims)))
	}
	ed("", "the second key of a rotation", set{"kid": "rotated"}, nil)
	ed("token_key_removed", "a removed key", set{"kid": "removed"}, nil)
	ed("token_key_unknown", "no key", set{"kid": "nothing"}, nil)
	ed("token_key_unknown", "another tenant's key", set{"kid": "others"}, nil)
	ed("token_key_unknown", "for another tenant", nil, set{"aud": "parley:other"})
	ed("token_key_unknown", "our own key's kid", set{"kid": w.acme.kid()}, nil)
	ed("token_key_unknown", "that says it is Parley's", nil, set{"iss": "parley"})
	ed("tenant_unknown", "for no tenant", nil, set{"aud": "parley:nobody"})
	ed("token_audience", "without aud", nil, set{"aud": nil})
	ed("token_kid", "without kid", set{"kid": ""}, nil)
	ed("token_kid", "kid of a path", set{"kid": "../../etc/passwd"}, nil)
	for _, name := range []string{"jku", "jwk", "x5u", "x5c", "crit", "b64", "enc", "zip", "x5t", "cty"} {
		ed("token_header", name, set{name: "https://evil.example/keys"}, nil)
	}
	ed("token_header", "typ at+jwt", set{"typ": "at+jwt"}, nil)
	ed("token_before_key", "older than its key", set{"kid": "young"}, set{"iat": now - 91})
	ed("", "older than its key by an issuer's clock", set{"kid": "young"}, set{"iat": now - 89})
	ed("token_outdated", "older than its user", nil, set{"iat": now - 4000, "exp": now + 60})
	ed("user_unknown", "unknown user", nil, set{"sub": "nobody"})
	ed("user_unknown", "unknown external id", nil, set{"sub": "nobody@acme.example"})
	ed("token_subject", "the id of a user that was made of an external id", nil, set{"sub": "ext-abc"})
	ed("token_subject", "the system", nil, set{"sub": "_"})
	ed("token_subject", "no sub", nil, set{"sub": nil})
	ed("token_subject", "sub of two lines", nil, set{"sub": "a\nb"})
	ed("user_revoked", "revoked user", nil, set{"sub": "gone"})
	ed("token_expired", "expired", nil, set{"iat": now - 100, "exp": now - 1})
	ed("token_times", "no exp", nil, set{"exp": nil})
	ed("token_life", "of 25 hours", nil, set{"exp": now + 25*3600})
	ed("token_not_yet_valid", "issued in a minute", nil, set{"iat": now + 60})
	ed("", "issued by a clock that is ahead", nil, set{"iat": now + 25})
	ed("token_too_large", "a claim of 16 KiB", nil, set{"x": strings.Repeat("a", 16<<10)})

	for _, c := range tests {
		a := w.ask(withToken(c.token))
		got := a.code
		if got != c.want || (a.user != nil) != (c.want == "") {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got != "" {
			if r := <-w.refusals; r.Reason == "" || r.Method != tenant.MethodToken {
				t.Errorf("%s: got %+v in the list", c.name, r)
			}
			continue
		}
		if s := <-w.sessions; s.Proof.Key == "" {
			t.Errorf("%s: got the session %+v, want its key in it", c.name, s)
		}
	}
	if len(w.welcomed) > 0 {
		t.Errorf("got the newcomers %v, want none", w.welcomed)
	}
}

func TestUnknownUsersBecomeUsersWhereTheKeySaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.userTokenKey("acme", "creating", ecPair, func(k *tenant.Key) { k.CreateUsers = true })
	token := func(sub string) string { return ecPair.token(head("ES256", "creating"), w.foreign(set{"sub": sub})) }

	w.admitted("carol", withToken(token("carol")))
	w.admitted("carol", withToken(token("carol"))) // is one by now
	w.admitted("made", withToken(token("dora@acme.example")))
	w.admitted("alice", withToken(token("alice")))
	if len(w.welcomed) != 2 || w.welcomed[0].Handle.ID != "carol" || w.welcomed[1].Handle.External != "dora@acme.example" {
		t.Errorf("got the newcomers %+v, want carol and dora", w.welcomed)
	}
	good := token("emil")
	w.refused("token_signature", withToken(good[:len(good)-4]+"AAAA"))
	w.refused("token_expired", withToken(ecPair.token(head("ES256", "creating"), w.foreign(set{"sub": "emil", "iat": 1e9, "exp": 1e9 + 60}))))
	if len(w.welcomed) != 2 {
		t.Errorf("got the newcomers %+v, want nobody by a bad token", w.welcomed)
	}
	for err, code := range map[error]string{
		tenant.Errorf(tenant.CodeLimitReached, "full"): "users_limit",
		tenant.Errorf(tenant.CodeForbidden, "deleted"): "user_deleted",
		tenant.ErrUnavailable:                          "unavailable",
		tenant.NotFound("key"):                         "token_key_removed",
	} {
		w.set(func() { w.welcome = err })
		w.refused(code, withToken(good))
	}
}

package authcallout

import (
	"encoding/base64"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// withNKey is a client that signs the nonce of its connection.
func withNKey(kp nkeys.KeyPair) func(*jwt.AuthorizationRequestClaims) {
	return func(q *jwt.AuthorizationRequestClaims) {
		q.ClientInformation.Nonce = "nonce-of-" + q.UserNkey
		q.ConnectOptions.Nkey, q.ClientInformation.User = public(kp), public(kp)
		q.ConnectOptions.SignedNonce = sign(kp, q.ClientInformation.Nonce, base64.RawURLEncoding)
	}
}

func sign(kp nkeys.KeyPair, text string, enc *base64.Encoding) string {
	return enc.EncodeToString(must(kp.Sign([]byte(text))))
}

func TestNKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, other := newKey(nkeys.PrefixByteUser), newKey(nkeys.PrefixByteUser)
	nina := tenant.User{Tenant: "acme", ID: "nina", NKey: public(key)}
	w.addUser(nina)
	sig := func(s string) func(*jwt.AuthorizationRequestClaims) {
		return func(q *jwt.AuthorizationRequestClaims) { q.ConnectOptions.SignedNonce = s }
	}
	nonce := func(s string) func(*jwt.AuthorizationRequestClaims) {
		return func(q *jwt.AuthorizationRequestClaims) { q.ClientInformation.Nonce = s }
	}
	w.admitted("nina", withNKey(key))
	if got := w.claims()[0]; got.NKey != public(key) || got.Tenant != "" || got.User != "" {
		t.Errorf("got claim %+v, want the nkey alone", got)
	}
	w.admitted("nina", withNKey(key), nonce("n"), sig(sign(key, "n", base64.StdEncoding)))

	for name, c := range map[string]struct {
		code   string
		change []func(*jwt.AuthorizationRequestClaims)
	}{
		"no signature":              {"nkey_signature", []func(*jwt.AuthorizationRequestClaims){withNKey(key), sig(""), nonce("")}},
		"an empty nonce, signed":    {"nkey_signature", []func(*jwt.AuthorizationRequestClaims){withNKey(key), sig(sign(key, "", base64.RawURLEncoding)), nonce("")}},
		"another key's signature":   {"nkey_signature", []func(*jwt.AuthorizationRequestClaims){withNKey(key), nonce("n"), sig(sign(other, "n", base64.RawURLEncoding))}},
		"another nonce's signature": {"nkey_signature", []func(*jwt.AuthorizationRequestClaims){withNKey(key), nonce("n"), sig(sign(key, "m", base64.RawURLEncoding))}},
		"a cut signature":           {"nkey_signature", []func(*jwt.AuthorizationRequestClaims){withNKey(key), nonce("n"), sig(sign(key, "n", base64.RawURLEncoding)[:40])}},
		"no base64":                 {"nkey_signature", []func(*jwt.AuthorizationRequestClaims){withNKey(key), sig("\x00*")}},
	} {
		if r := w.refused(c.code, c.change...); r.Tenant != "acme" || r.User != "nina" || r.Method != tenant.MethodNKey {
			t.Errorf("%s: got %+v, want nina of acme by nkey", name, r)
		}
	}
	w.refused("nkey_unknown", withNKey(other))
	for _, malformed := range []string{"U", "*", public(newKey(nkeys.PrefixByteAccount)), string(must(key.Seed()))} {
		w.refused("nkey_malformed", withNKey(key), func(q *jwt.AuthorizationRequestClaims) { q.ConnectOptions.Nkey = malformed })
	}

	nina.Status = tenant.UserRevoked
	w.addUser(nina)
	w.refused("user_revoked", withNKey(key))
	nina.Status = tenant.UserActive
	w.addUser(nina)
	w.set(func() { w.acme.status = tenant.Suspended })
	w.refused("tenant_suspended", withNKey(key))
	w.set(func() { w.acme.status = tenant.Active })
	w.admitted("nina", withNKey(key))
}

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// A forge makes NATS user JWTs part by part, of which a tenant's own key is the strongest that an attacker has.
type forge struct {
	*signingOffice
	user   nkeys.KeyPair // registered as bob's
	signer nkeys.KeyPair // the tenant's scoped key
}

type parts map[string]any

func newForge(t *testing.T) *forge {
	t.Helper()
	o := newSigningOffice(t)
	f := &forge{signingOffice: o, user: newPair(t, nkeys.PrefixByteUser)}
	var err error
	if f.signer, err = nkeys.FromSeed(o.seed); err != nil {
		t.Fatal(err)
	}
	o.call(http.MethodPut, "/v1/tenants/acme/users/bob", fmt.Sprintf(`{"nkey":%q}`, publicOf(f.user)))
	return f
}

func newPair(t *testing.T, prefix nkeys.PrefixByte) nkeys.KeyPair {
	t.Helper()
	pair, err := nkeys.CreatePair(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func publicOf(pair nkeys.KeyPair) string {
	public, err := pair.PublicKey()
	if err != nil {
		panic(err)
	}
	return public
}

var userJWTHeader = parts{"typ": "JWT", "alg": "ed25519-nkey"}

// claims are those of a good user JWT of the scoped key, changed; a nil takes a claim away.
func (f *forge) claims(change parts) parts {
	c := parts{
		"jti": "x", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "iss": publicOf(f.signer), "sub": publicOf(f.user), "name": "bob",
		"nats": parts{"pub": parts{}, "sub": parts{}, "issuer_account": f.account, "type": "user", "version": 2},
	}
	maps.Copy(c, change)
	return c
}

// within changes what stands in the claim nats.
func (f *forge) within(change parts) parts {
	inner := parts{}
	maps.Copy(inner, f.claims(nil)["nats"].(parts))
	maps.Copy(inner, change)
	return f.claims(parts{"nats": inner})
}

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// sign signs as NATS does; by nil leaves the signature empty.
func sign(by nkeys.KeyPair, header, claims any) string {
	text := segment(header) + "." + segment(claims)
	if by == nil {
		return text + "."
	}
	sig, err := by.Sign([]byte(text))
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// knock connects with a JWT that the user's key stands for.
func (f *forge) knock(url, text string) error {
	nc, err := nats.Connect(url, nats.UserJWT(func() (string, error) { return text, nil }, f.user.Sign), nats.Timeout(patience), nats.NoReconnect(),
		nats.CustomInboxPrefix("_INBOX."+publicOf(f.user)))
	if err == nil {
		nc.Close()
	}
	return err
}

// forged are user JWTs that no server may take, some of them truly signed by the tenant's key.
func (f *forge) forged() map[string]string {
	stranger := newPair(f.t, nkeys.PrefixByteAccount)
	other, err := f.database().Query(f.t.Context(), `SELECT name, account FROM accounts WHERE name IS NOT NULL`)
	if err != nil {
		f.t.Fatal(err)
	}
	defer other.Close()
	good := sign(f.signer, userJWTHeader, f.claims(nil))
	body := good[:strings.LastIndex(good, ".")]
	mac := hmac.New(sha256.New, []byte(publicOf(f.signer)))
	mac.Write([]byte(segment(parts{"typ": "JWT", "alg": "HS256"}) + "." + segment(f.claims(nil))))
	sig := func(n int) string { return body + "." + base64.RawURLEncoding.EncodeToString(make([]byte, n)) }
	all := map[string]string{
		"alg none":                     sign(nil, parts{"typ": "JWT", "alg": "none"}, f.claims(nil)),
		"alg none, signed":             sign(f.signer, parts{"typ": "JWT", "alg": "none"}, f.claims(nil)),
		"alg HS256 of the public key":  segment(parts{"typ": "JWT", "alg": "HS256"}) + "." + segment(f.claims(nil)) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"alg EdDSA":                    sign(f.signer, parts{"typ": "JWT", "alg": "EdDSA"}, f.claims(nil)),
		"no alg":                       sign(f.signer, parts{"typ": "JWT"}, f.claims(nil)),
		"another typ":                  sign(f.signer, parts{"typ": "JWS", "alg": "ed25519-nkey"}, f.claims(nil)),
		"header null":                  sign(f.signer, nil, f.claims(nil)),
		"no signature":                 sig(0),
		"a signature of 1 byte":        sig(1),
		"a signature of 63 bytes":      sig(63),
		"a signature of 64 zeros":      sig(64),
		"a signature of 65 bytes":      sig(65),
		"two parts":                    body,
		"four parts":                   good + ".x",
		"claims null":                  sign(f.signer, userJWTHeader, nil),
		"claims a list":                sign(f.signer, userJWTHeader, []int{1}),
		"nats null":                    sign(f.signer, userJWTHeader, f.claims(parts{"nats": nil})),
		"nats a text":                  sign(f.signer, userJWTHeader, f.claims(parts{"nats": "user"})),
		"nats empty":                   sign(f.signer, userJWTHeader, f.claims(parts{"nats": parts{}})),
		"type account":                 sign(f.signer, userJWTHeader, f.within(parts{"type": "account"})),
		"type operator":                sign(f.signer, userJWTHeader, f.within(parts{"type": "operator"})),
		"type unknown":                 sign(f.signer, userJWTHeader, f.within(parts{"type": "root"})),
		"version 99":                   sign(f.signer, userJWTHeader, f.within(parts{"version": 99})),
		"version -1":                   sign(f.signer, userJWTHeader, f.within(parts{"version": -1})),
		"no issuer":                    sign(f.signer, userJWTHeader, f.claims(parts{"iss": ""})),
		"issuer truncated":             sign(f.signer, userJWTHeader, f.claims(parts{"iss": publicOf(f.signer)[:40]})),
		"issuer of one letter":         sign(f.signer, userJWTHeader, f.claims(parts{"iss": "A"})),
		"issuer himself":               sign(f.user, userJWTHeader, f.claims(parts{"iss": publicOf(f.user)})),
		"issuer the account":           sign(f.signer, userJWTHeader, f.claims(parts{"iss": f.account})),
		"a stranger's account":         sign(stranger, userJWTHeader, f.claims(parts{"iss": publicOf(stranger)})),
		"a stranger's, in its account": sign(stranger, userJWTHeader, f.claims(parts{"iss": publicOf(stranger), "nats": parts{"issuer_account": publicOf(stranger), "type": "user", "version": 2}})),
		"an account that is none":      sign(f.signer, userJWTHeader, f.within(parts{"issuer_account": "A"})),
		"no account":                   sign(f.signer, userJWTHeader, f.within(parts{"issuer_account": ""})),
		"subject truncated":            sign(f.signer, userJWTHeader, f.claims(parts{"sub": publicOf(f.user)[:40]})),
		"subject an account":           sign(f.signer, userJWTHeader, f.claims(parts{"sub": f.account})),
		"subject another user":         sign(f.signer, userJWTHeader, f.claims(parts{"sub": publicOf(newPair(f.t, nkeys.PrefixByteUser))})),
		"expired":                      sign(f.signer, userJWTHeader, f.claims(parts{"exp": time.Now().Add(-time.Minute).Unix()})),
		"not yet":                      sign(f.signer, userJWTHeader, f.claims(parts{"nbf": time.Now().Add(time.Hour).Unix()})),
		"rights of its own":            sign(f.signer, userJWTHeader, f.within(parts{"pub": parts{"allow": []string{">"}}})),
		"a bearer":                     sign(f.signer, userJWTHeader, f.within(parts{"bearer_token": true})),
	}
	var name, account string
	for other.Next() {
		if err := other.Scan(&name, &account); err != nil {
			f.t.Fatal(err)
		}
		all["of "+name] = sign(f.signer, userJWTHeader, f.within(parts{"issuer_account": account}))
	}
	return all
}

// Whatever a user JWT says of itself, the server lets in what a key of the tenant's has signed for its own account,
// survives the rest, and disturbs nobody.
func TestForgedUserJWTs(t *testing.T) { // IDN-12
	t.Parallel()
	f := newForge(t)
	alice := f.peer("acme", "alice")
	all := f.forged()
	if len(all) != 44 {
		t.Errorf("got %d forgeries, want 40 and one for the operator and each of its accounts", len(all))
	}
	for transport, url := range map[string]string{"tcp": f.NATS, "ws": f.WS} {
		var wg sync.WaitGroup
		for name, text := range all {
			wg.Go(func() {
				if f.knock(url, text) == nil {
					t.Errorf("%s over %s: got in, want refused", name, transport)
				}
			})
		}
		wg.Wait()
		if err := f.knock(url, sign(f.signer, userJWTHeader, f.claims(nil))); err != nil {
			t.Errorf("the allowed twin over %s: %v", transport, err)
		}
	}
	alice.post("chat.std.open.lobby.alice", "still here", "")
	if n := alice.Stats().Reconnects; n != 0 {
		t.Errorf("alice was disconnected %d times, want never", n)
	}
}

// What stands in a page or a file without its key opens nothing; and what is public of the platform opens nothing alone.
func TestAStolenUserJWTOpensNothing(t *testing.T) { // IDN-23
	t.Parallel()
	f := newForge(t)
	creds := f.credsFile("acme", "alice")
	var made keyAnswer
	f.call(http.MethodPost, "/v1/tenants/acme/keys", `{"kind":"service","name":"bot"}`).into(t, &made)
	service, err := jwt.ParseDecoratedJWT([]byte(made.Creds))
	if err != nil {
		t.Fatal(err)
	}
	bearer := jwt.NewUserClaims(publicOf(f.user))
	bearer.IssuerAccount, bearer.BearerToken = f.account, true
	byAccount, err := bearer.Encode(f.server.signer(f.account))
	if err != nil {
		t.Fatal(err)
	}
	thief := newPair(t, nkeys.PrefixByteUser)
	unsigned := func([]byte) ([]byte, error) { return nil, nil }
	for name, c := range map[string]struct {
		jwt  string
		sign func([]byte) ([]byte, error)
	}{
		"credentials, signed by another key": {jwtOf(t, creds), thief.Sign},
		"credentials, not signed":            {jwtOf(t, creds), unsigned},
		"a backend's, signed by another key": {service, thief.Sign},
		"a backend's, not signed":            {service, unsigned},
		"a signed user's, not signed":        {sign(f.signer, userJWTHeader, f.claims(nil)), unsigned},
		"a bearer of the account's own key":  {byAccount, unsigned},
		"the sentinel alone":                 {f.sentinel(), unsigned},
	} {
		for transport, url := range map[string]string{"tcp": f.NATS, "ws": f.WS} {
			nc, err := nats.Connect(url, nats.UserJWT(func() (string, error) { return c.jwt, nil }, c.sign), nats.Timeout(patience), nats.NoReconnect())
			if err == nil {
				nc.Close()
				t.Errorf("%s over %s: got in, want refused", name, transport)
			}
		}
	}
	bot := filepath.Join(t.TempDir(), "bot.creds")
	if err := os.WriteFile(bot, []byte(made.Creds), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, opt := range map[string]nats.Option{
		"alice": nats.UserCredentials(creds), "bot": nats.UserCredentials(bot), "the sentinel with a token": nats.Token(f.userToken("acme", "alice")),
	} {
		if _, err := f.dial(f.NATS, "alice", opt); err != nil {
			t.Errorf("the allowed twin, %s: %v", name, err)
		}
	}
}

// sentinel is a user of AUTH as the server's own is, which anybody could learn: a bearer without rights.
func (f *forge) sentinel() string {
	f.t.Helper()
	var auth string
	if err := f.database().QueryRow(f.t.Context(), `SELECT account FROM accounts WHERE name = 'AUTH'`).Scan(&auth); err != nil {
		f.t.Fatal(err)
	}
	c := jwt.NewUserClaims(publicOf(newPair(f.t, nkeys.PrefixByteUser)))
	c.IssuerAccount, c.BearerToken = auth, true
	c.Pub.Deny.Add(">")
	c.Sub.Deny.Add(">")
	text, err := c.Encode(f.server.signer(auth))
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}

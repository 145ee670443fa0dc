package authcallout

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"parley/tenant"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const testTimeout = 10 * time.Second

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newKey(prefix nkeys.PrefixByte) nkeys.KeyPair { return must(nkeys.CreatePair(prefix)) }

func public(kp nkeys.KeyPair) string { return must(kp.PublicKey()) }

// A world is a callout behind a server that the test plays.
type world struct {
	*directory
	t        testing.TB
	callout  *Callout
	conn     *nats.Conn
	registry *prometheus.Registry
	auth     nkeys.KeyPair // account AUTH, and its signing key
	authXKey nkeys.KeyPair
	server   nkeys.KeyPair
	xkey     nkeys.KeyPair // the server's
	acme     *testTenant
	clock    *clock
}

// A clock stands still at the time of its start until a test puts it forward.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newWorld has tenant acme with users alice and bob.
func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	d := newDirectory()
	w := &world{
		directory: d, t: t, registry: prometheus.NewRegistry(), acme: d.addTenant("acme"), clock: &clock{at: time.Now()},
		auth: newKey(nkeys.PrefixByteAccount), authXKey: newKey(nkeys.PrefixByteCurve),
		server: newKey(nkeys.PrefixByteServer), xkey: newKey(nkeys.PrefixByteCurve),
	}
	d.addUser(tenant.User{Tenant: "acme", ID: "alice"})
	d.addUser(tenant.User{Tenant: "acme", ID: "bob"})
	w.conn = plainServer(t)
	conf := Config{
		Conn: w.conn, AuthAccount: public(w.auth), AuthSigner: w.auth, XKey: w.authXKey,
		Directory: d, Keys: d, Sessions: d, Refusals: d, Users: d, HTTP: &http.Client{}, Hasher: cheapHasher(2), Registry: w.registry,
		Timeout: testTimeout, Now: w.clock.now,
	}
	for _, fn := range change {
		fn(&conf)
	}
	w.callout = must(New(conf))
	if err := w.callout.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.callout.Stop)
	return w
}

// cheapHasher costs tests no time.
func cheapHasher(slots int) *Hasher {
	h := &Hasher{slots: make(chan struct{}, slots), memory: newMemory(), params: argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}}
	h.decoy = must(h.Hash(context.Background(), ""))
	return h
}

// plainServer runs a server without accounts and connects to it.
func plainServer(t testing.TB) *nats.Conn {
	t.Helper()
	s := must(server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, DontListen: true, NoSigs: true}))
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	nc := must(nats.Connect("", nats.InProcessServer(s)))
	t.Cleanup(nc.Close)
	return nc
}

// question is a request as a server makes it for a client over TCP that brings the sentinel.
func (w *world) question(change ...func(*jwt.AuthorizationRequestClaims)) *jwt.AuthorizationRequestClaims {
	c := jwt.NewAuthorizationRequestClaims(public(w.auth))
	c.Audience = requestAudience
	c.UserNkey = public(newKey(nkeys.PrefixByteUser))
	c.Server = jwt.ServerID{Name: "parley-1", Host: "127.0.0.1", ID: public(w.server), Version: "2.15.2", XKey: public(w.xkey)}
	c.ClientInformation = jwt.ClientInformation{Host: "192.0.2.1", ID: 7, Kind: "Client", Type: "nats"}
	c.Type, c.Version = jwt.AuthorizationRequestClaim, 2
	c.Issuer = public(w.server)
	c.IssuedAt = w.clock.now().Unix()
	c.Expires = c.IssuedAt + 2
	c.ConnectOptions = jwt.ConnectOptions{JWT: sentinel(w.auth, public(w.auth)), Protocol: 1}
	for _, fn := range change {
		fn(c)
	}
	return c
}

// sentinel is signed by a key of the account.
func sentinel(signer nkeys.KeyPair, account string) string {
	c := jwt.NewUserClaims(public(newKey(nkeys.PrefixByteUser)))
	c.IssuerAccount = account
	c.Name, c.BearerToken = "sentinel", true
	c.Pub.Deny.Add(">")
	c.Sub.Deny.Add(">")
	c.AllowedConnectionTypes = jwt.StringList{jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket}
	return must(c.Encode(signer))
}

// encode signs claims as NATS does, and lets tests choose every part.
func encode(kp nkeys.KeyPair, header, claims any) []byte {
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))) }
	text := part(header) + "." + part(claims)
	return []byte(text + "." + base64.RawURLEncoding.EncodeToString(must(kp.Sign([]byte(text)))))
}

var natsHeader = map[string]string{"typ": "JWT", "alg": "ed25519-nkey"}

// message encrypts a question.
func (w *world) message(c *jwt.AuthorizationRequestClaims) *nats.Msg {
	return w.sealed(encode(w.server, natsHeader, c))
}

func (w *world) sealed(text []byte) *nats.Msg {
	m := nats.NewMsg(authSubject)
	m.Header.Set(xkeyHeader, public(w.xkey))
	m.Data = must(w.xkey.Seal(text, public(w.authXKey)))
	return m
}

// An answer is what the server makes of the callout's.
type answer struct {
	code string // of the refusal
	user *jwt.UserClaims
}

// ask sends a question and takes the answer apart, with all checks of a server.
func (w *world) ask(change ...func(*jwt.AuthorizationRequestClaims)) answer {
	w.t.Helper()
	q := w.question(change...)
	reply, err := w.conn.RequestMsg(w.message(q), testTimeout)
	if err != nil {
		w.t.Fatalf("no answer: %v", err)
	}
	return w.open(q, reply.Data)
}

func (w *world) open(q *jwt.AuthorizationRequestClaims, data []byte) answer {
	w.t.Helper()
	plain, err := w.xkey.Open(data, public(w.authXKey))
	if err != nil {
		w.t.Fatalf("the answer is not encrypted for the server: %v", err)
	}
	r := must(jwt.DecodeAuthorizationResponseClaims(string(plain)))
	vr := jwt.CreateValidationResults()
	r.Validate(vr)
	if len(vr.Issues) > 0 {
		w.t.Fatalf("the answer is not valid: %v", vr.Issues[0])
	}
	if r.Subject != q.UserNkey || r.Audience != q.Server.ID {
		w.t.Fatalf("got an answer for %s at %s, want %s at %s", r.Subject, r.Audience, q.UserNkey, q.Server.ID)
	}
	if r.Issuer != public(w.auth) {
		w.t.Fatalf("got issuer %s, want AUTH", r.Issuer)
	}
	if r.Error != "" {
		return answer{code: r.Error}
	}
	u := must(jwt.DecodeUserClaims(r.Jwt))
	u.Validate(vr)
	if len(vr.Issues) > 0 {
		w.t.Fatalf("the user JWT is not valid: %v", vr.Issues[0])
	}
	if u.Subject != q.UserNkey {
		w.t.Fatalf("the user JWT is for %s, want %s", u.Subject, q.UserNkey)
	}
	return answer{user: u}
}

// refused asserts a refusal with its code, the same in the tenant's list, and no secret in it.
func (w *world) refused(want string, change ...func(*jwt.AuthorizationRequestClaims)) tenant.Refusal {
	w.t.Helper()
	a := w.ask(change...)
	if a.user != nil {
		w.t.Fatalf("%s was admitted, want %s", a.user.Name, want)
	}
	if a.code != want {
		w.t.Errorf("got refusal %s, want %s", a.code, want)
	}
	select {
	case r := <-w.refusals:
		if r.Code != a.code || r.Reason == "" {
			w.t.Errorf("got %+v in the list, want code %s and a reason", r, a.code)
		}
		return r
	case <-time.After(testTimeout):
		w.t.Fatal("the refusal is not told")
	}
	return tenant.Refusal{}
}

// admitted asserts that a user is let in.
func (w *world) admitted(want tenant.UserID, change ...func(*jwt.AuthorizationRequestClaims)) *jwt.UserClaims {
	w.t.Helper()
	a := w.ask(change...)
	if a.user == nil {
		w.t.Fatalf("refused with %s, want %s admitted", a.code, want)
	}
	if a.user.Name != string(want) {
		w.t.Errorf("got user %s, want %s", a.user.Name, want)
	}
	return a.user
}

// dropped waits until a message was counted as dropped for the reason.
func (w *world) dropped(reason string, n float64) {
	w.t.Helper()
	waitUntil(w.t, "messages are dropped for "+reason, func() bool {
		return w.metric("parley_callout_dropped_total", "reason", reason) >= n
	})
}

func waitUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(testTimeout), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// metric sums a family's values that have a label.
func (w *world) metric(family, label, value string) float64 {
	w.t.Helper()
	sum := 0.0
	for _, f := range must(w.registry.Gather()) {
		if f.GetName() != family {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
				}
			}
		}
	}
	return sum
}

// Tokens.

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// claimSet is the payload of a good token for alice.
func (w *world) claimSet(change map[string]any) map[string]any {
	now := w.clock.now().Unix()
	c := map[string]any{"iss": "parley", "aud": "parley:acme", "sub": "alice", "iat": now, "exp": now + 3600}
	maps.Copy(c, change)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

// token signs a token with acme's key.
func (w *world) token(change map[string]any) string {
	return signToken(w.acme.tokenKey, w.header(nil), string(must(json.Marshal(w.claimSet(change)))))
}

func (w *world) header(change map[string]any) string {
	h := map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": w.acme.kid()}
	maps.Copy(h, change)
	for k, v := range h {
		if v == nil {
			delete(h, k)
		}
	}
	return string(must(json.Marshal(h)))
}

func signToken(key ed25519.PrivateKey, header, claims string) string {
	text := b64(header) + "." + b64(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

// withToken is a client that sends the token field.
func withToken(token string) func(*jwt.AuthorizationRequestClaims) {
	return func(c *jwt.AuthorizationRequestClaims) { c.ConnectOptions.Token = token }
}

func withPassword(user, password string) func(*jwt.AuthorizationRequestClaims) {
	return func(c *jwt.AuthorizationRequestClaims) {
		c.ConnectOptions.Username, c.ConnectOptions.Password = user, password
	}
}

func from(host string) func(*jwt.AuthorizationRequestClaims) {
	return func(c *jwt.AuthorizationRequestClaims) { c.ClientInformation.Host = host }
}

func withCreds(userJWT string) func(*jwt.AuthorizationRequestClaims) {
	c := must(jwt.DecodeUserClaims(userJWT))
	return func(q *jwt.AuthorizationRequestClaims) {
		q.ConnectOptions.JWT = userJWT
		q.ClientInformation.User, q.ClientInformation.NameTag, q.ClientInformation.Tags = c.Subject, c.Name, c.Tags
	}
}

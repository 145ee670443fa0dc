package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/client"
	"parley/tenant"
)

// A signingOffice is a tenant that signs users by itself.
type signingOffice struct {
	*server
	account string
	key     tenant.Key
	seed    []byte
}

func newSigningOffice(t *testing.T) *signingOffice {
	t.Helper()
	s := serve(t)
	o := &signingOffice{server: s}
	o.account, _ = furnish(s, "acme")
	o.key, o.seed = o.scopedKey("member")
	return o
}

func (o *signingOffice) scopedKey(role string) (tenant.Key, []byte) {
	o.t.Helper()
	public, seed, err := client.NewSigningKey()
	if err != nil {
		o.t.Fatal(err)
	}
	var made keyAnswer
	o.call(http.MethodPost, "/v1/tenants/acme/keys", fmt.Sprintf(`{"kind":"nats-scoped","name":"office","role":%q,"public_key":%q}`, role, public)).into(o.t, &made)
	return made.Key, seed
}

// sign makes credentials without the server; user "" leaves the nkey to nobody.
func (o *signingOffice) sign(seed []byte, user string) (nkey, file string) {
	o.t.Helper()
	nkey, creds, err := client.SignUser(client.SigningOrder{Account: o.account, Seed: seed, Name: user, TTL: time.Hour})
	if err != nil {
		o.t.Fatal(err)
	}
	if user != "" {
		o.call(http.MethodPut, "/v1/tenants/acme/users/"+user, fmt.Sprintf(`{"nkey":%q}`, nkey))
	}
	file = filepath.Join(o.t.TempDir(), "user.creds")
	if err := os.WriteFile(file, creds, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return nkey, file
}

func (o *signingOffice) enter(url, nkey, file string) *peer {
	o.t.Helper()
	p, err := o.dial(url, nkey, nats.UserCredentials(file))
	if err != nil {
		o.t.Fatalf("connect a signed user: %v", err)
	}
	return p
}

// senders are who posted in lobby, by the history.
func (o *signingOffice) senders() (all []string) {
	o.t.Helper()
	for _, m := range o.history("acme", "lobby") {
		if m.Sender != tenant.System {
			all = append(all, m.Sender)
		}
	}
	return all
}

func TestTenantsSignNATSUsersByThemselves(t *testing.T) { // IDN-19
	t.Parallel()
	o := newSigningOffice(t)
	nkey, file := o.sign(o.seed, "bob")
	alice := o.peer("acme", "alice")
	heard := alice.listen("live.std.open.lobby.*")
	for _, url := range []string{o.NATS, o.WS} {
		p := o.enter(url, nkey, file)
		p.post("chat.std.open.lobby."+nkey, "hello", "")
		if m := alice.next(heard); m.Subject != "live.std.open.lobby."+nkey {
			t.Errorf("got %s, want the signed user's post under the nkey", m.Subject)
		}
		if got := p.ask("whoami", "{}"); got["user"] != "bob" {
			t.Errorf("whoami: got %v, want bob", got)
		}
		if got := p.ask("history", `{"room":"lobby"}`); got["ok"] != true {
			t.Errorf("history: got %v", got)
		}
		for _, to := range []string{
			"chat.std.open.lobby.bob", "chat.std.open.lobby.alice", "chat.std.announce.news." + nkey, "chat.std.private.board." + nkey,
			"chat.api.alice.whoami", "_INBOX.alice.x", "$JS.API.INFO",
		} {
			if err := p.Publish(to, []byte(`{"text":"x"}`)); err != nil {
				t.Fatal(err)
			}
			p.wantDenied(to)
		}
		for to, void := range map[string]string{"live.std.open.lobby." + nkey: "void.std.open.lobby." + nkey, "chat.std.open.lobby._": "void.system"} {
			if err := p.Publish(to, []byte(`{"text":"x"}`)); err != nil {
				t.Fatal(err)
			}
			p.wantDenied(void)
		}
		for _, from := range []string{"live.std.private.board.*", "_INBOX.alice.>", "live.user.alice.*", ">", "svc.>"} {
			if _, err := p.SubscribeSync(from); err != nil {
				t.Fatal(err)
			}
			p.wantDenied(from)
		}
		p.Close()
	}
	if got := o.senders(); !slices.Equal(got, []string{"bob", "bob"}) {
		t.Errorf("history has posts of %v, want two of bob's", got)
	}
	p := o.enter(o.NATS, nkey, file)
	eventually(t, "the connection is listed as bob's", func() bool {
		var page struct{ Connections []tenant.Connection }
		o.call(http.MethodGet, "/v1/tenants/acme/users/bob/connections", "").into(t, &page)
		return len(page.Connections) == 1 && page.Connections[0].Method == "creds" && page.Connections[0].User == "bob"
	})
	if p.IsClosed() {
		t.Error("the connection was closed")
	}
	for _, name := range []string{"*", ">", "a.b", "a b", "bob\r\n", "Bob"} {
		if _, _, err := client.SignUser(client.SigningOrder{Account: o.account, Seed: o.seed, Name: name, TTL: time.Hour}); err == nil {
			t.Errorf("a user named %q is signed", name)
		}
	}
}

func TestSignedServices(t *testing.T) {
	t.Parallel()
	o := newSigningOffice(t)
	_, seed := o.scopedKey("service")
	nkey, file := o.sign(seed, "mallory")
	bot := o.enter(o.NATS, nkey, file)
	if _, err := bot.Subscribe("svc.oracle.*.*", func(m *nats.Msg) { _ = m.Respond([]byte("42")) }); err != nil { // the requester waits for it
		t.Fatal(err)
	}
	if err := bot.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"chat.std.open.lobby.", "chat.std.announce.news.", "chat.std.private.board."} {
		bot.post(to+nkey, "by a service", "")
	}
	if m, err := o.peer("acme", "alice").Request("svc.oracle.acme.alice", nil, 10*time.Second); err != nil || string(m.Data) != "42" {
		t.Errorf("the service's answer: got %v, %v", m, err)
	}
	for _, to := range []string{"chat.std.direct.alice.bob." + nkey, "chat.std.open.lobby.alice", "chat.shared.rx." + nkey} {
		if err := bot.Publish(to, []byte(`{"text":"x"}`)); err != nil {
			t.Fatal(err)
		}
		bot.wantDenied(to)
	}
	if got := o.history("acme", "board"); len(got) != 1 || got[0].Sender != "mallory" {
		t.Errorf("got %v in board, want mallory's post", got)
	}
}

// An nkey that is nobody's gets nothing stored, and is not let stay.
func TestSignedStrangersAreThrownOut(t *testing.T) {
	t.Parallel()
	o := newSigningOffice(t)
	nkey, file := o.sign(o.seed, "")
	closed := make(chan struct{}, 1)
	p, err := o.dial(o.NATS, nkey, nats.UserCredentials(file), nats.DisconnectErrHandler(func(*nats.Conn, error) {
		select {
		case closed <- struct{}{}:
		default:
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = p.tryPost("chat.std.open.lobby."+nkey, "who am I", "", time.Second) // stored or not, it does not count
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("a signed user whose nkey is nobody's stays connected")
	}
	p.Close()
	eventually(t, "the admins find why", func() bool { return o.refusalsOf("acme", "", "nkey_unknown") > 0 })
	if got := o.senders(); len(got) > 0 {
		t.Errorf("history has posts of %v, want none", got)
	}
}

// Whatever ends a signed user ends him at once, and keeps him out; an other stays.
func TestSignedUsersAreRevoked(t *testing.T) { // IDN-22
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(o *signingOffice)
		back func(o *signingOffice) // what lets him in again, or nil
	}{
		{
			"the user is revoked", func(o *signingOffice) {
				o.call(http.MethodPost, "/v1/tenants/acme/users/bob/revoke", `{"reason":"left"}`)
			},
			func(o *signingOffice) { o.call(http.MethodPost, "/v1/tenants/acme/users/bob/restore", "") },
		},
		{"the user is deleted", func(o *signingOffice) { o.call(http.MethodDelete, "/v1/tenants/acme/users/bob", "") }, nil},
		{"the nkey is taken away", func(o *signingOffice) { o.call(http.MethodPut, "/v1/tenants/acme/users/bob", `{"nkey":""}`) }, nil},
		{
			"the tenant is suspended", func(o *signingOffice) { o.call(http.MethodPatch, "/v1/tenants/acme", `{"status":"suspended"}`) },
			func(o *signingOffice) { o.call(http.MethodPatch, "/v1/tenants/acme", `{"status":"active"}`) },
		},
		{"the key is removed", func(o *signingOffice) { o.call(http.MethodDelete, "/v1/tenants/acme/keys/"+o.key.ID, "") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newSigningOffice(t)
			o.t = t
			_, otherSeed := o.scopedKey("member")
			nkey, file := o.sign(o.seed, "bob")
			otherKey, otherFile := o.sign(otherSeed, "mallory")
			other := o.enter(o.NATS, otherKey, otherFile)
			gone := make(chan struct{}, 10)
			p, err := o.dial(o.NATS, nkey, nats.UserCredentials(file), nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { gone <- struct{}{} }))
			if err != nil {
				t.Fatal(err)
			}
			p.post("chat.std.open.lobby."+nkey, "while it lasts", "")
			c.end(o)
			select {
			case <-gone:
			case <-time.After(patience):
				t.Fatal("the connection stays open")
			}
			again := func() error {
				nc, err := o.dial(o.NATS, nkey, nats.UserCredentials(file), nats.NoReconnect())
				if err == nil {
					nc.Close()
				}
				return err
			}
			if again() == nil {
				t.Error("he is let in again")
			}
			if c.name != "the tenant is suspended" {
				other.post("chat.std.open.lobby."+otherKey, "still here", "")
			}
			if c.back != nil {
				c.back(o)
				if err := again(); err != nil {
					t.Errorf("he is restored, and is refused: %v", err)
				}
			}
		})
	}
}

func TestSignedUsersAreHeldBack(t *testing.T) {
	t.Parallel()
	o := newSigningOffice(t)
	nkey, file := o.sign(o.seed, "bob")
	to := "chat.std.open.lobby." + nkey
	// A change of his rights closes what is open, and what is on its way in.
	posts := func(text string) (posted, connected bool) {
		p, err := o.dial(o.NATS, nkey, nats.UserCredentials(file))
		if err != nil {
			return false, false
		}
		defer p.Close()
		_, err = p.tryPost(to, text, "", 500*time.Millisecond)
		return err == nil, true
	}
	for _, c := range []struct{ name, method, path, body, undoMethod, undo string }{
		{"muted", http.MethodPut, "/rooms/lobby/mutes/bob", `{}`, http.MethodDelete, "/rooms/lobby/mutes/bob"},
		{"banned", http.MethodPut, "/rooms/lobby/bans/bob", `{}`, http.MethodDelete, "/rooms/lobby/bans/bob"},
	} {
		eventually(t, "he posts", func() bool { posted, _ := posts("before"); return posted })
		o.call(c.method, "/v1/tenants/acme"+c.path, c.body)
		eventually(t, c.name+" users don't post", func() bool {
			posted, connected := posts("while " + c.name)
			return connected && !posted
		})
		o.call(c.undoMethod, "/v1/tenants/acme"+c.undo, "")
		eventually(t, "he posts again", func() bool { posted, _ := posts("after"); return posted })
	}
}

// A tenant's other keys, and claims beside the role, give nothing (IDN-20, IDN-21).
func TestWhatAScopedKeyDoesNotGive(t *testing.T) {
	t.Parallel()
	o := newSigningOffice(t)
	signer, err := nkeys.FromSeed(o.seed)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	nkey, _ := o.sign(o.seed, "bob")
	sign := func(by nkeys.KeyPair, change func(*jwt.UserClaims)) error {
		t.Helper()
		user, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		public, _ := user.PublicKey()
		c := jwt.NewUserClaims(public)
		c.IssuerAccount, c.Expires = o.account, time.Now().Add(time.Hour).Unix()
		c.SetScoped(true)
		change(c)
		text, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		o.call(http.MethodPut, "/v1/tenants/acme/users/mallory", fmt.Sprintf(`{"nkey":%q}`, public))
		p, err := o.dial(o.NATS, public, nats.UserJWT(func() (string, error) { return text, nil }, user.Sign), nats.NoReconnect())
		if err != nil {
			return err
		}
		defer p.Close()
		if err := p.Publish("chat.std.open.lobby."+nkey, []byte(`{"text":"x"}`)); err != nil {
			t.Fatal(err)
		}
		p.wantDenied("chat.std.open.lobby." + nkey)
		return nil
	}
	for _, c := range []struct {
		name    string
		by      nkeys.KeyPair
		allowed bool
		change  func(*jwt.UserClaims)
	}{
		{"as it should be", signer, true, func(*jwt.UserClaims) {}},
		{"with tags of wildcards", signer, true, func(c *jwt.UserClaims) { c.Tags.Add("user:*", "room:>", "account:"+o.account) }},
		{"named *", signer, true, func(c *jwt.UserClaims) { c.Name = "*" }},
		{"with rights of its own", signer, false, func(c *jwt.UserClaims) { c.SetScoped(false); c.Pub.Allow.Add(">") }},
		{"as a bearer", signer, false, func(c *jwt.UserClaims) { c.SetScoped(false); c.BearerToken = true }},
		{"of a key that nobody added", stranger, false, func(*jwt.UserClaims) {}},
		{"expired", signer, false, func(c *jwt.UserClaims) { c.Expires = time.Now().Add(-time.Minute).Unix() }},
	} {
		if err := sign(c.by, c.change); (err == nil) != c.allowed {
			t.Errorf("%s: got %v, want let in: %v", c.name, err, c.allowed)
		}
	}
}

func TestScopedKeysThatCantBe(t *testing.T) {
	t.Parallel()
	o := newSigningOffice(t)
	s := o.server
	beta, _ := s.tenant("beta")
	var signing string
	if claims, err := jwt.DecodeUserClaims(s.userJWTOf("acme")); err == nil {
		signing = claims.Issuer
	}
	public, seed, err := client.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, body, field string }{
		{"no role", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","public_key":%q}`, public), "role"},
		{"another role", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","role":"owner","public_key":%q}`, public), "role"},
		{"no key", `{"kind":"nats-scoped","name":"x","role":"member"}`, "public_key"},
		{"a seed", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","role":"member","public_key":%q}`, strings.TrimSpace(string(seed))), "public_key"},
		{"a user's nkey", `{"kind":"nats-scoped","name":"x","role":"member","public_key":"U` + strings.Repeat("A", 55) + `"}`, "public_key"},
		{"its own account", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","role":"member","public_key":%q}`, o.account), "public_key"},
		{"another's account", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","role":"member","public_key":%q}`, beta), "public_key"},
		{"the key that signs for us", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","role":"member","public_key":%q}`, signing), "public_key"},
		{"twice", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","role":"member","public_key":%q}`, o.key.PublicKey), "public_key"},
		{"a field of another kind", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","role":"member","public_key":%q,"alg":"EdDSA"}`, public), "alg"},
	} {
		a := s.send(s.token, http.MethodPost, "/v1/tenants/acme/keys", c.body)
		var e struct{ Fields map[string]string }
		if err := json.Unmarshal(a.body, &e); err != nil || a.status != 422 && a.status != 409 || e.Fields[c.field] == "" {
			t.Errorf("%s: got %d %s, want a refusal that names %s", c.name, a.status, a.body, c.field)
		}
	}
	s.call(http.MethodDelete, "/v1/tenants/acme/keys/"+o.key.ID, "")
	if a := s.send(s.token, http.MethodPost, "/v1/tenants/acme/keys", fmt.Sprintf(`{"kind":"nats-scoped","name":"x","role":"member","public_key":%q}`, o.key.PublicKey)); a.status != http.StatusConflict {
		t.Errorf("a key that was removed: got %d %s, want 409", a.status, a.body)
	}
}

// userJWTOf is a JWT that the platform signed in a tenant's account.
func (s *server) userJWTOf(tenant string) string {
	s.t.Helper()
	_, creds := s.serviceKey(tenant, "probe")
	o := nats.GetDefaultOptions()
	if err := creds(&o); err != nil {
		s.t.Fatal(err)
	}
	text, err := o.UserJWT()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func TestSignedUsersByCommandAndSDK(t *testing.T) {
	t.Parallel()
	o := newSigningOffice(t)
	dir := t.TempDir()
	seed, creds := filepath.Join(dir, "office.seed"), filepath.Join(dir, "bob.creds")
	code, out, errs := runParley(t, "key", "add", "nats-scoped", "acme", "--name", "cli", "--seed-out", seed, "--data", o.data)
	if code != 0 || !strings.Contains(out, "role     member") {
		t.Fatalf("key add: %d %s %s", code, out, errs)
	}
	code, out, errs = runParley(t, "key", "issue", "--account", o.account, "--seed-file", seed, "--out", creds, "--ttl", "1h")
	if code != 0 {
		t.Fatalf("key issue: %d %s %s", code, out, errs)
	}
	nkey := strings.Fields(out)[1]
	if code, out, errs := runParley(t, "user", "put", "acme", "bob", "--nkey", nkey, "--data", o.data); code != 0 {
		t.Fatalf("user put: %d %s %s", code, out, errs)
	}
	ctx := t.Context()
	bob, err := client.Connect(ctx, client.Options{URL: o.NATS, User: nkey, CredsFile: creds})
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	alice, err := client.Connect(ctx, client.Options{URL: o.NATS, User: "alice", CredsFile: o.credsFile("acme", "alice")})
	if err != nil {
		t.Fatal(err)
	}
	defer alice.Close()
	room, err := alice.Room(ctx, "lobby")
	if err != nil {
		t.Fatal(err)
	}
	l, err := alice.Listen(ctx, room, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "three"} {
		if _, err := bob.Post(ctx, room, client.Draft{Text: text}); err != nil {
			t.Fatal(err)
		}
		if m := <-l.Messages(); m.Sender != "bob" || m.Text != text {
			t.Errorf("got %q of %s, want %q of bob", m.Text, m.Sender, text)
		}
	}
	for _, args := range [][]string{
		{"--account", "acme", "--seed-file", seed}, {"--account", o.account, "--seed-file", creds}, {"--account", o.account, "--seed-file", seed, "--ttl", "25h"},
	} {
		if code, out, _ := runParley(t, append([]string{"key", "issue", "--out", filepath.Join(dir, "x")}, args...)...); code == 0 {
			t.Errorf("key issue %v: %s, want it refused", args, out)
		}
	}
}

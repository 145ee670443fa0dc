package authcallout

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/tenant"
	"parley/tenant/subject"
)

// A site is a real server in operator mode with a default sentinel, and the callout in AUTH.
type site struct {
	*directory
	t         *testing.T
	server    *server.Server
	auth      nkeys.KeyPair
	authKey   nkeys.KeyPair // signing key of AUTH
	acme      *testTenant
	other     *testTenant
	callout   *Callout
	conn      *nats.Conn // the callout's
	xkey      nkeys.KeyPair
	transport string
}

func newSite(t *testing.T, transport string) *site {
	t.Helper()
	d := newDirectory()
	s := &site{
		directory: d, t: t, auth: newKey(nkeys.PrefixByteAccount), authKey: newKey(nkeys.PrefixByteAccount),
		acme: d.addTenant("acme"), other: d.addTenant("other"), transport: transport,
	}
	d.addUser(tenant.User{Tenant: "acme", ID: "alice"})
	d.addUser(tenant.User{Tenant: "acme", ID: "bob"})
	d.addUser(tenant.User{Tenant: "other", ID: "zed"})
	operator, sys, xkey, self := newKey(nkeys.PrefixByteOperator), newKey(nkeys.PrefixByteAccount), newKey(nkeys.PrefixByteCurve), newKey(nkeys.PrefixByteUser)

	o := jwt.NewOperatorClaims(public(operator))
	o.SystemAccount = public(sys)
	resolver := &server.MemAccResolver{}
	add := func(kp nkeys.KeyPair, fn func(*jwt.AccountClaims)) {
		a := jwt.NewAccountClaims(public(kp))
		fn(a)
		if err := resolver.Store(public(kp), must(a.Encode(operator))); err != nil {
			t.Fatal(err)
		}
	}
	add(sys, func(*jwt.AccountClaims) {})
	add(s.auth, func(a *jwt.AccountClaims) {
		a.SigningKeys.Add(public(s.authKey))
		a.EnableExternalAuthorization(public(self))
		a.Authorization.AllowedAccounts.Add(jwt.AnyAccount)
		a.Authorization.XKey = public(xkey)
	})
	for _, tt := range d.tenants {
		add(tt.account, func(a *jwt.AccountClaims) {
			a.SigningKeys.Add(public(tt.signing))
			a.Limits.DisallowBearer = true
			a.DefaultPermissions.Pub.Deny.Add(">")
			a.DefaultPermissions.Sub.Deny.Add(">")
		})
	}
	s.server = must(server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, MaxControlLine: 32 << 10, AuthTimeout: 2,
		TrustedOperators: []*jwt.OperatorClaims{must(jwt.DecodeOperatorClaims(must(o.Encode(operator))))},
		SystemAccount:    public(sys), AccountResolver: resolver, DefaultSentinel: sentinel(s.authKey, public(s.auth)),
		Websocket: server.WebsocketOpts{Host: "127.0.0.1", Port: -1, NoTLS: true, AuthTimeout: 2},
	}))
	s.server.Start()
	t.Cleanup(func() {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	})
	if !s.server.ReadyForConnections(testTimeout) {
		t.Fatal("the server does not start")
	}

	me := jwt.NewUserClaims(public(self))
	me.IssuerAccount = public(s.auth)
	conn := must(nats.Connect(s.server.ClientURL(), nats.UserJWT(
		func() (string, error) { return me.Encode(s.authKey) }, self.Sign)))
	t.Cleanup(conn.Close)
	s.conn, s.xkey = conn, xkey
	s.callout = must(New(Config{
		Conn: conn, AuthAccount: public(s.auth), AuthSigner: s.authKey, XKey: xkey,
		Directory: d, Keys: d, Sessions: d, Refusals: d, Users: d, HTTP: &http.Client{}, Hasher: cheapHasher(2),
		Logger: slog.New(slog.DiscardHandler),
	}))
	if err := s.callout.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.callout.Stop)
	return s
}

func (s *site) url() string {
	if s.transport == "ws" {
		return s.server.WebsocketURL()
	}
	return s.server.ClientURL()
}

func (s *site) connect(opts ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect(s.url(), append(opts, nats.Timeout(testTimeout), nats.NoReconnect())...)
	if err == nil {
		s.t.Cleanup(nc.Close)
	}
	return nc, err
}

// in connects a user and makes sure that the server holds the connection for him.
func (s *site) in(u tenant.UserID, method tenant.Method, opts ...nats.Option) *nats.Conn {
	s.t.Helper()
	nc, err := s.connect(append(opts, nats.CustomInboxPrefix(subject.Inbox(u)))...)
	if err != nil {
		s.t.Fatalf("%s by %s: %v, %v", u, method, err, s.lastRefusal())
	}
	got := <-s.sessions
	cid := must(nc.GetClientID())
	if got.User != u || got.Method != method || got.Server != nc.ConnectedServerId() || got.CID != cid || got.Address != "127.0.0.1" {
		s.t.Errorf("got session %+v, want %s by %s, cid %d at %s", got, u, method, cid, nc.ConnectedServerId())
	}
	conns := must(s.server.Connz(&server.ConnzOptions{CID: cid, Username: true}))
	if len(conns.Conns) != 1 || conns.Conns[0].AuthorizedUser != string(u) || conns.Conns[0].Account != got.Account {
		s.t.Errorf("the server has %+v, want %s in %s", conns.Conns, u, got.Account)
	}
	return nc
}

func (s *site) lastRefusal() any {
	select {
	case r := <-s.refusals:
		return r
	default:
		return "no refusal"
	}
}

// out asserts that a client is refused, with our code in the list and none for the client.
func (s *site) out(code string, opts ...nats.Option) {
	s.t.Helper()
	_, err := s.connect(opts...)
	// Over WebSocket nats.go may still be writing when the server has said so and closed.
	if err == nil || s.transport == "tcp" && !errors.Is(err, nats.ErrAuthorization) {
		s.t.Fatalf("got %v, want an authorization violation for %s", err, code)
	}
	select {
	case r := <-s.refusals:
		if r.Code != code {
			s.t.Errorf("got %s, want %s", r.Code, code)
		}
	case <-time.After(testTimeout):
		s.t.Errorf("no refusal is told, want %s", code)
	}
}

func (s *site) token(tt *testTenant, u tenant.UserID) string {
	now := time.Now().Unix()
	return signToken(tt.tokenKey, fmt.Sprintf(`{"alg":"EdDSA","kid":%q}`, tt.kid()),
		fmt.Sprintf(`{"iss":"parley","aud":"parley:%s","sub":%q,"iat":%d,"exp":%d}`, tt.id, u, now, now+3600))
}

func transports(t *testing.T, fn func(*testing.T, *site)) {
	t.Parallel()
	for _, transport := range []string{"tcp", "ws"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			fn(t, newSite(t, transport))
		})
	}
}

func creds(userJWT string, user nkeys.KeyPair) nats.Option {
	return nats.UserJWT(func() (string, error) { return userJWT, nil }, user.Sign)
}

func TestMethodsOnARealServer(t *testing.T) {
	transports(t, func(_ *testing.T, s *site) {
		alice := s.users["acme/alice"]
		alice.PasswordHash = must(s.callout.conf.Hasher.Hash(s.t.Context(), secret))
		s.addUser(alice)
		userJWT, user := s.issueCreds(s.authKey, public(s.auth), "acme", "bob")
		registered := newKey(nkeys.PrefixByteUser)
		s.addUser(tenant.User{Tenant: "acme", ID: "nina", NKey: public(registered)})
		token := s.token(s.acme, "alice")

		s.in("alice", tenant.MethodToken, nats.Token(token))
		s.in("alice", tenant.MethodToken, nats.Token(token+";rooms=town"))
		s.in("alice", tenant.MethodPassword, nats.UserInfo("acme/alice", secret))
		s.in("bob", tenant.MethodCreds, creds(userJWT, user))
		s.in("bob", tenant.MethodCreds, creds(userJWT, user), nats.Token(";rooms=town,board"))
		s.in("nina", tenant.MethodNKey, nats.Nkey(public(registered), registered.Sign))
		s.in("nina", tenant.MethodNKey, nats.Nkey(public(registered), registered.Sign), nats.Token(";rooms=town"))
		s.in("zed", tenant.MethodToken, nats.Token(s.token(s.other, "zed")))
		// A client that brings the sentinel by itself.
		s.in("alice", tenant.MethodToken, nats.Token(token),
			nats.UserJWT(func() (string, error) { return sentinel(s.authKey, public(s.auth)), nil }, func([]byte) ([]byte, error) { return nil, nil }))

		s.out("no_credentials")
		s.out("token_malformed", nats.Token("x"))
		s.out("token_signature", nats.Token(token[:strings.LastIndex(token, ".")+1]+strings.Repeat("A", 86)))
		s.out("token_key_unknown", nats.Token(s.token(&testTenant{id: "acme", tokenKey: s.other.tokenKey}, "alice")))
		s.out("password_wrong", nats.UserInfo("acme/alice", "wrong"))
		s.out("password_unset", nats.UserInfo("acme/bob", secret))
		s.out("nkey_signature", nats.Nkey(public(registered), user.Sign))
		s.out("nkey_unknown", nats.Nkey(public(user), user.Sign))
		s.out("method_ambiguous", creds(userJWT, user), nats.Token(token))
		s.set(func() { s.revoked[public(user)] = true })
		s.out("creds_revoked", creds(userJWT, user))
	})
}

// What the server refuses by itself hangs for its auth timeout and never reaches the callout.
func TestServerVerifiesCreds(t *testing.T) {
	transports(t, func(t *testing.T, s *site) {
		userJWT, _ := s.issueCreds(s.authKey, public(s.auth), "acme", "bob")
		forged, forger := s.issueCreds(s.other.account, public(s.auth), "acme", "bob")
		for name, opt := range map[string]nats.Option{
			"another's key":  creds(userJWT, newKey(nkeys.PrefixByteUser)),
			"another issuer": creds(forged, forger),
		} {
			if _, err := s.connect(opt); err == nil {
				t.Errorf("%s: connected", name)
			}
		}
		if asked := s.claims(); len(asked) > 0 {
			t.Errorf("the callout was asked for %+v", asked)
		}
	})
}

// Permissions as the server enforces them, each refused case beside its allowed twin.
func TestPermissionsOnARealServer(t *testing.T) {
	transports(t, func(t *testing.T, s *site) {
		s.set(func() {
			s.rooms["acme/alice"] = []tenant.Membership{{Room: "board", Kind: tenant.Private, Class: tenant.Std, Role: tenant.RoleMember, State: tenant.Joined}}
		})
		violations := make(chan string, 100)
		nc := s.in("alice", tenant.MethodToken, nats.Token(s.token(s.acme, "alice")),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err.Error() }))
		bob := s.in("bob", tenant.MethodToken, nats.Token(s.token(s.acme, "bob")))
		for _, c := range []struct {
			op, subject string
			ok          bool
		}{
			{"pub", "chat.std.open.town.alice", true},
			{"pub", "chat.std.open.town.bob", false},
			{"pub", "chat.std.open.town._", false},
			{"pub", "chat.std.private.board.alice", true},
			{"pub", "chat.std.private.secret.alice", false},
			{"pub", "chat.std.announce.news.alice", false},
			{"pub", "chat.std.direct.alice.bob.alice", true},
			{"pub", "chat.std.direct.alice.bob.bob", false},
			{"pub", "chat.std.direct.bob.carol.alice", false},
			{"pub", "chat.api.alice.whoami", true},
			{"pub", "chat.api.bob.whoami", false},
			{"pub", "live.std.open.town.bob", false},
			{"pub", "sig.std.open.town.alice", true},
			{"pub", "sig.std.open.town.bob", false},
			{"pub", "_INBOX.bob.x", false},
			{"pub", "$JS.API.INFO", false},
			{"sub", "live.std.open.town.*", true},
			{"sub", "live.*.open.*.*", true},
			{"sub", "live.>", false},
			{"sub", ">", false},
			{"sub", "live.std.private.board.*", true},
			{"sub", "live.std.private.secret.*", false},
			{"sub", "live.user.alice.*", true},
			{"sub", "live.user.bob.*", false},
			{"sub", "_INBOX.alice.x", true},
			{"sub", "_INBOX.bob.x", false},
			{"sub", "_INBOX.>", false},
			{"sub", "chat.>", false},
			{"sub", "$SYS.REQ.USER.AUTH", false},
			{"queue", "live.*.open.*.*", false},
			{"queue", "sig.std.open.town.*", false},
		} {
			var err error
			switch c.op {
			case "pub":
				err = nc.Publish(c.subject, nil)
			case "sub":
				_, err = nc.SubscribeSync(c.subject)
			case "queue":
				_, err = nc.QueueSubscribeSync(c.subject, "thieves")
			}
			if err == nil {
				err = nc.FlushTimeout(testTimeout)
			}
			if err != nil {
				t.Fatalf("%s %s: %v", c.op, c.subject, err)
			}
			// The violation comes before the answer to the flush, but through another goroutine.
			if !c.ok {
				select {
				case v := <-violations:
					if !strings.Contains(v, c.subject) {
						t.Errorf("%s %s: got %s", c.op, c.subject, v)
					}
				case <-time.After(testTimeout):
					t.Errorf("%s %s is allowed", c.op, c.subject)
				}
			}
		}
		select {
		case v := <-violations:
			t.Errorf("an allowed case was refused: %s", v)
		default:
		}
		// Typing reaches others.
		sub := must(bob.SubscribeSync("sig.*.open.*.*"))
		if err := bob.FlushTimeout(testTimeout); err != nil {
			t.Fatal(err)
		}
		if err := nc.Publish("sig.std.open.town.alice", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if _, err := sub.NextMsg(testTimeout); err != nil {
			t.Errorf("bob does not hear alice's signal: %v", err)
		}
	})
}

// A working set is changed by reconnecting, with the same options.
func TestWorkingSetFollowsReconnects(t *testing.T) {
	transports(t, func(t *testing.T, s *site) {
		rooms := make(chan string, 10)
		rooms <- "town"
		again := make(chan struct{}, 1)
		nc, err := nats.Connect(s.url(), nats.Timeout(testTimeout), nats.ReconnectWait(time.Millisecond),
			nats.TokenHandler(func() string { return s.token(s.acme, "alice") + ";rooms=" + <-rooms }),
			nats.ReconnectHandler(func(*nats.Conn) { again <- struct{}{} }))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		rooms <- "board"
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		<-again
		var got []tenant.RoomID
		for _, c := range s.claims() {
			got = append(got, c.Rooms...)
		}
		if len(got) != 2 || got[0] != "town" || got[1] != "board" {
			t.Errorf("got rooms %v, want town and then board", got)
		}
	})
}

// Without a callout nobody is let in, and who is in goes on.
func TestFailsClosedWithoutCallout(t *testing.T) { // REV-18
	transports(t, func(t *testing.T, s *site) {
		alice := s.in("alice", tenant.MethodToken, nats.Token(s.token(s.acme, "alice")))
		bob := s.in("bob", tenant.MethodToken, nats.Token(s.token(s.acme, "bob")))
		heard := must(bob.SubscribeSync("sig.*.open.*.*"))
		if err := bob.FlushTimeout(testTimeout); err != nil {
			t.Fatal(err)
		}
		s.callout.Stop()
		for range 3 {
			if _, err := s.connect(nats.Token(s.token(s.acme, "alice"))); err == nil {
				t.Error("connected without a callout")
			}
			if err := alice.Publish("sig.std.open.town.alice", []byte("{}")); err != nil {
				t.Fatal(err)
			}
			if _, err := heard.NextMsg(testTimeout); err != nil {
				t.Errorf("bob does not hear alice without a callout: %v", err)
			}
		}
		if err := s.callout.Start(); err != nil {
			t.Fatal(err)
		}
		s.in("alice", tenant.MethodToken, nats.Token(s.token(s.acme, "alice")))
	})
}

package authcallout

import (
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// An impostor answers the server in the callout's place, with whatever keys a case gives it.
type impostor struct {
	*site
	questions chan *nats.Msg
}

func newImpostor(t *testing.T) *impostor {
	t.Helper()
	i := &impostor{newSite(t, "tcp"), make(chan *nats.Msg, 100)}
	i.callout.Stop()
	sub := must(i.conn.ChanSubscribe(authSubject, i.questions))
	t.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection goes too
	if err := i.conn.FlushTimeout(testTimeout); err != nil {
		t.Fatal(err)
	}
	return i
}

// knock connects in the background; what comes of it is in the channel.
func (i *impostor) knock() <-chan error {
	came := make(chan error, 1)
	go func() {
		nc, err := nats.Connect(i.url(), nats.Token(i.token(i.acme, "alice")), nats.Timeout(testTimeout), nats.NoReconnect())
		if err == nil {
			nc.Close()
		}
		came <- err
	}()
	return came
}

func (i *impostor) question() (*nats.Msg, *jwt.AuthorizationRequestClaims) {
	i.t.Helper()
	select {
	case m := <-i.questions:
		return m, must(jwt.DecodeAuthorizationRequestClaims(string(must(i.xkey.Open(m.Data, m.Header.Get(xkeyHeader))))))
	case <-time.After(testTimeout):
		i.t.Fatal("the server asks nobody")
		return nil, nil
	}
}

// A reply is an answer whose parts a case may change.
type reply struct {
	*jwt.AuthorizationResponseClaims
	user   *jwt.UserClaims
	userBy nkeys.KeyPair
	by     nkeys.KeyPair
	sealed nkeys.KeyPair // nil: it goes in the clear
}

// lets is the answer that lets alice in.
func (i *impostor) lets(q *jwt.AuthorizationRequestClaims) *reply {
	u := jwt.NewUserClaims(q.UserNkey)
	u.Name, u.IssuerAccount, u.Expires = "alice", public(i.acme.account), time.Now().Add(time.Minute).Unix()
	u.Pub.Allow.Add("chat.api.alice.*")
	u.Sub.Allow.Add("_INBOX.alice.>")
	r := jwt.NewAuthorizationResponseClaims(q.UserNkey)
	r.Audience, r.IssuerAccount = q.Server.ID, public(i.auth)
	return &reply{r, u, i.acme.signing, i.authKey, i.xkey}
}

func (r *reply) encode(q *jwt.AuthorizationRequestClaims) []byte {
	r.Jwt = must(r.user.Encode(r.userBy))
	text := []byte(must(r.Encode(r.by)))
	if r.sealed == nil {
		return text
	}
	return must(r.sealed.Seal(text, q.Server.XKey))
}

// The server takes the answer to its own question alone, from the callout alone.
func TestNobodyAnswersInTheCalloutsPlace(t *testing.T) { // IDN-14, IDN-26
	t.Parallel()
	i := newImpostor(t)
	stranger := newKey(nkeys.PrefixByteAccount)
	came := i.knock()
	m, q := i.question()
	captured, capturedUser := i.lets(q).encode(q), i.lets(q).user
	if err := m.Respond(captured); err != nil {
		t.Fatal(err)
	}
	if err := <-came; err != nil {
		t.Fatalf("the answer that is to be captured: %v", err)
	}
	for _, c := range []struct {
		name    string
		allowed bool
		change  func(*reply)
	}{
		{"as it should be", true, func(*reply) {}},
		{"in the clear, signed by AUTH", true, func(r *reply) { r.sealed = nil }},
		// Who has the xkey needs no other key: a server that opened the seal asks for no signer (docs/NATS.md).
		{"sealed, signed by a stranger", true, func(r *reply) { r.by = stranger }},
		{"of another connection's user", false, func(r *reply) { r.Subject = capturedUser.Subject }},
		{"with another connection's user JWT", false, func(r *reply) { r.user = capturedUser }},
		{"for another server", false, func(r *reply) { r.Audience = public(newKey(nkeys.PrefixByteServer)) }},
		{"for no server", false, func(r *reply) { r.Audience = "" }},
		{"with an expired user JWT", false, func(r *reply) { r.user.Expires = time.Now().Add(-2 * time.Second).Unix() }},
		{"sealed by another's xkey", false, func(r *reply) { r.sealed = newKey(nkeys.PrefixByteCurve) }},
		{"in the clear, signed by the tenant", false, func(r *reply) { r.sealed, r.by, r.IssuerAccount = nil, i.acme.signing, public(i.acme.account) }},
		{"in the clear, signed by the tenant for AUTH", false, func(r *reply) { r.sealed, r.by = nil, i.acme.signing }},
		{"in the clear, signed by a stranger", false, func(r *reply) { r.sealed, r.by = nil, stranger }},
		{"user signed by another tenant", false, func(r *reply) { r.userBy = i.other.signing }},
		{"user signed by a stranger", false, func(r *reply) { r.userBy = stranger }},
		{"user of an account that is not there", false, func(r *reply) { r.userBy, r.user.IssuerAccount = stranger, public(stranger) }},
	} {
		came := i.knock()
		m, q := i.question()
		r := i.lets(q)
		c.change(r)
		if err := m.Respond(r.encode(q)); err != nil {
			t.Fatal(err)
		}
		if err := <-came; (err == nil) != c.allowed {
			t.Errorf("%s: got %v, want let in: %v", c.name, err, c.allowed)
		}
	}
	// The captured bytes themselves, and an answer that comes when the server has given up.
	again := i.knock()
	m, _ = i.question()
	if err := m.Respond(captured); err != nil {
		t.Fatal(err)
	}
	if <-again == nil {
		t.Error("a captured answer let in another connection")
	}
	late := i.knock()
	m, q = i.question()
	if <-late == nil {
		t.Fatal("let in without an answer")
	}
	if err := m.Respond(i.lets(q).encode(q)); err != nil {
		t.Fatal(err)
	}
	if err := i.conn.FlushTimeout(testTimeout); err != nil {
		t.Fatal(err)
	}
	i.wantNobodyIn()
}

// wantNobodyIn wants that the server has no connection in acme.
func (i *impostor) wantNobodyIn() {
	i.t.Helper()
	waitUntil(i.t, "nobody is left in the tenant", func() bool {
		return len(must(i.server.Connz(&server.ConnzOptions{Account: public(i.acme.account)})).Conns) == 0
	})
}

// A user of a tenant with all rights that an account can give never sees a question, so that he could not answer
// one; nor does he hear what the callout hears.
func TestQuestionsReachTheCalloutAlone(t *testing.T) { // IDN-15, IDN-26
	t.Parallel()
	s := newSite(t, "tcp")
	me := newKey(nkeys.PrefixByteUser)
	c := jwt.NewUserClaims(public(me))
	c.IssuerAccount = public(s.acme.account)
	c.Pub.Allow.Add(">")
	c.Sub.Allow.Add(">")
	tap := must(s.connect(creds(must(c.Encode(s.acme.signing)), me)))
	var ears []*nats.Subscription
	for _, subject := range []string{authSubject, "$SYS.>", ">"} {
		ears = append(ears, must(tap.SubscribeSync(subject)))
	}
	ears = append(ears, must(tap.QueueSubscribeSync(authSubject, queueGroup)))
	if err := tap.FlushTimeout(testTimeout); err != nil {
		t.Fatal(err)
	}
	for range 20 { // all of them come to the callout, whatever queue group there is elsewhere
		s.in("alice", tenant.MethodToken, nats.Token(s.token(s.acme, "alice"))).Close()
	}
	s.out("token_malformed", nats.Token("x"))
	if err := tap.FlushTimeout(testTimeout); err != nil {
		t.Fatal(err)
	}
	for _, sub := range ears {
		if n, _, err := sub.Pending(); err != nil || n != 0 {
			t.Errorf("%s %s: got %d messages (%v), want none", sub.Subject, sub.Queue, n, err)
		}
	}
	if err := tap.Publish(authSubject, []byte("twin")); err != nil {
		t.Fatal(err)
	}
	if _, err := ears[0].NextMsg(testTimeout); err != nil {
		t.Errorf("what is published in his own account: %v", err)
	}
}

// A callout that lost a key lets nobody in; the one that has them all does.
func TestACalloutWithAWrongKey(t *testing.T) { // IDN-26
	t.Parallel()
	for _, c := range []struct {
		name    string
		allowed bool
		change  func(*site, *Config)
	}{
		{"all keys", true, func(*site, *Config) {}},
		{"another xkey", false, func(_ *site, c *Config) { c.XKey = newKey(nkeys.PrefixByteCurve) }},
		{"another tenant's keys", false, func(s *site, c *Config) { c.Keys = otherKeys{s.other.signing} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "tcp")
			s.callout.Stop()
			conf := s.callout.conf
			c.change(s, &conf)
			callout := must(New(conf))
			if err := callout.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(callout.Stop)
			nc, err := s.connect(nats.Token(s.token(s.acme, "alice")))
			if (err == nil) != c.allowed {
				t.Errorf("got %v, want let in: %v", err, c.allowed)
			}
			if err == nil {
				nc.Close()
			}
		})
	}
}

// otherKeys open one key, whatever is asked for.
type otherKeys struct{ nkeys.KeyPair }

func (o otherKeys) Signer(tenant.SealedKey) (nkeys.KeyPair, error) { return o.KeyPair, nil }

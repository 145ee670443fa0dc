package authcallout

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// TestWhatNoServerSentIsDropped has the allowed twin at its end: the same world still answers.
func TestWhatNoServerSentIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := func() *jwt.AuthorizationRequestClaims { return w.question(withToken(w.token(nil))) }
	with := func(fn func(*jwt.AuthorizationRequestClaims)) *nats.Msg {
		q := good()
		fn(q)
		return w.message(q)
	}
	stranger := newKey(nkeys.PrefixByteServer)
	for _, c := range []struct {
		name   string
		reason string
		msg    *nats.Msg
	}{
		{"empty", dropSize, &nats.Msg{Subject: authSubject}},
		{"too long", dropSize, &nats.Msg{Subject: authSubject, Data: make([]byte, maxRequest+1)}},
		{"not encrypted", dropEncryption, func() *nats.Msg {
			m := nats.NewMsg(authSubject)
			m.Data = encode(w.server, natsHeader, good())
			return m
		}()},
		{"encrypted for another", dropEncryption, func() *nats.Msg {
			m := w.message(good())
			m.Data = must(w.xkey.Seal(encode(w.server, natsHeader, good()), public(newKey(nkeys.PrefixByteCurve))))
			return m
		}()},
		{"another's xkey in the header", dropEncryption, func() *nats.Msg {
			m := w.message(good())
			m.Header.Set(xkeyHeader, public(newKey(nkeys.PrefixByteCurve)))
			return m
		}()},
		{"no header", dropEncryption, func() *nats.Msg {
			m := w.message(good())
			m.Header = nil
			return m
		}()},
		{"text", dropDecode, w.sealed([]byte("hello"))},
		{"two parts", dropDecode, w.sealed([]byte("a.b"))},
		{"no JSON", dropDecode, w.sealed([]byte(b64("{") + "." + b64("{") + "." + b64("x")))},
		{"alg none", dropDecode, w.sealed(encode(w.server, map[string]string{"typ": "JWT", "alg": "none"}, good()))},
		{"alg of version 1", dropDecode, w.sealed(encode(w.server, map[string]string{"typ": "jwt", "alg": "ed25519"}, good()))},
		{"doubled keys", dropDecode, w.sealed([]byte(func() string {
			body := string(must(json.Marshal(good())))
			text := b64(string(must(json.Marshal(natsHeader)))) + "." + b64(`{"sub":"x",`+body[1:])
			return text + "." + b64(string(must(w.server.Sign([]byte(text)))))
		}()))},
		{"another type", dropDecode, with(func(q *jwt.AuthorizationRequestClaims) { q.Type = jwt.UserClaim })},
		{"another version", dropDecode, with(func(q *jwt.AuthorizationRequestClaims) { q.Version = 3 })},
		{"signed by another", dropSignature, w.sealed(encode(stranger, natsHeader, good()))},
		{"issuer is an account", dropServer, with(func(q *jwt.AuthorizationRequestClaims) { q.Issuer = public(w.auth) })},
		{"no issuer", dropServer, with(func(q *jwt.AuthorizationRequestClaims) { q.Issuer = "" })},
		{"issuer truncated", dropServer, with(func(q *jwt.AuthorizationRequestClaims) { q.Issuer = q.Issuer[:40] })},
		{"another server id", dropServer, with(func(q *jwt.AuthorizationRequestClaims) { q.Server.ID = public(stranger) })},
		{"another xkey inside", dropServer, with(func(q *jwt.AuthorizationRequestClaims) { q.Server.XKey = public(newKey(nkeys.PrefixByteCurve)) })},
		{"audience", dropAudience, with(func(q *jwt.AuthorizationRequestClaims) { q.Audience = "somebody" })},
		{"another account", dropAudience, with(func(q *jwt.AuthorizationRequestClaims) { q.Subject = public(w.acme.account) })},
		{"no user key", dropUser, with(func(q *jwt.AuthorizationRequestClaims) { q.UserNkey = "" })},
		{"user key is an account", dropUser, with(func(q *jwt.AuthorizationRequestClaims) { q.UserNkey = public(w.auth) })},
		{"old", dropAge, with(func(q *jwt.AuthorizationRequestClaims) { q.IssuedAt -= 60; q.Expires -= 60 })},
		{"to come", dropAge, with(func(q *jwt.AuthorizationRequestClaims) { q.IssuedAt += 60; q.Expires += 60 })},
		{"no expiry", dropAge, with(func(q *jwt.AuthorizationRequestClaims) { q.Expires = 0 })},
		{"expiry before issue", dropAge, with(func(q *jwt.AuthorizationRequestClaims) { q.Expires = q.IssuedAt - 1 })},
		{"old with a long life", dropAge, with(func(q *jwt.AuthorizationRequestClaims) { q.IssuedAt -= 3600 })},
		{"overflow", dropAge, with(func(q *jwt.AuthorizationRequestClaims) { q.IssuedAt = -1 << 63; q.Expires = 1<<63 - 1 })},
	} {
		before := w.metric("parley_callout_dropped_total", "reason", c.reason)
		c.msg.Reply = w.conn.NewInbox()
		answers := must(w.conn.SubscribeSync(c.msg.Reply))
		if err := w.conn.PublishMsg(c.msg); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		w.dropped(c.reason, before+1)
		if n, _, err := answers.Pending(); err != nil || n != 0 {
			t.Errorf("%s: got %d answers, %v, want none", c.name, n, err)
		}
	}
	if err := w.conn.PublishMsg(w.message(good())); err != nil {
		t.Fatal(err)
	}
	w.dropped(dropReply, 1)
	w.admitted("alice", withToken(w.token(nil)))
	if n := len(w.claims()); n != 1 {
		t.Errorf("the directory was asked %d times, want once: dropped requests cost no query", n)
	}
}

func TestClockSkewIsBorne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, skew := range []int64{-25, 25} {
		w.admitted("alice", withToken(w.token(nil)), func(q *jwt.AuthorizationRequestClaims) {
			q.IssuedAt += skew
			q.Expires += skew
		})
	}
}

func TestOverload(t *testing.T) { // FLT-14
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Workers, c.Queue = 1, 1 })
	w.mu.Lock() // the one worker waits in the directory
	replies := make([]*nats.Subscription, 0, 20)
	for range 20 {
		m := w.message(w.question(withToken(w.token(nil))))
		m.Reply = w.conn.NewInbox()
		replies = append(replies, must(w.conn.SubscribeSync(m.Reply)))
		if err := w.conn.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	w.dropped(dropOverload, 18)
	w.mu.Unlock()
	if _, err := replies[19].NextMsg(testTimeout); err != nil {
		t.Errorf("the newest is not answered: %v", err)
	}
	waitUntil(t, "the queue is empty", func() bool { return w.callout.requests.len() == 0 })
	w.admitted("alice", withToken(w.token(nil)))
}

func TestStaleRequestsAreNotDecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.message(w.question(withToken(w.token(nil))))
	m.Reply = w.conn.NewInbox()
	w.callout.serve(pending{msg: m, at: w.clock.now().Add(-testTimeout)})
	w.dropped(dropStale, 1)
	if n := len(w.claims()); n != 0 {
		t.Errorf("the directory was asked %d times", n)
	}
}

func FuzzParseRequest(f *testing.F) {
	server := newKey(nkeys.PrefixByteServer)
	q := jwt.NewAuthorizationRequestClaims(public(newKey(nkeys.PrefixByteAccount)))
	q.UserNkey = public(newKey(nkeys.PrefixByteUser))
	q.Server = jwt.ServerID{ID: public(server)}
	q.ConnectOptions.Token = "a.b.c;rooms=x"
	f.Add([]byte(must(q.Encode(server))))
	f.Add([]byte("a.b.c"))
	f.Add([]byte(b64(`{"typ":"JWT","alg":"ed25519-nkey"}`) + "." + b64(`{"iss":"N","nats":{"client_info":{"id":-1}}}`) + "."))
	f.Add([]byte(b64(`{"alg":"ed25519-nkey"}`) + "." + b64(`{"nats":null}`) + "." + b64("x")))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, drop := parseRequest(text)
		if drop != "" {
			return
		}
		// Only what the named server signed comes here, and jwt's decoder agrees with ours.
		c, err := jwt.DecodeAuthorizationRequestClaims(string(text))
		if err != nil {
			t.Skip("another version or type of claims, which check refuses")
		}
		if c.Issuer != r.Issuer || c.UserNkey != r.NATS.UserNKey || c.ConnectOptions.Token != r.NATS.Connect.Token.Reveal() {
			t.Fatalf("got %+v, want %+v", r, c)
		}
	})
}

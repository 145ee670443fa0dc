package authcallout

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// TestAdmission looks at the whole answer: who it names, who signed it and what it allows.
func TestAdmission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(func() {
		w.rooms["acme/alice"] = []tenant.Membership{{Room: "board", Kind: tenant.Private, Class: tenant.Std, Role: tenant.RoleMember, State: tenant.Joined}}
	})
	u := w.admitted("alice", withToken(w.token(nil)))
	if u.Issuer != public(w.acme.signing) || u.IssuerAccount != public(w.acme.account) {
		t.Errorf("got issuer %s for %s, want the tenant's signing key for its account", u.Issuer, u.IssuerAccount)
	}
	if u.Audience != "" || u.BearerToken || len(u.Tags) > 0 {
		t.Errorf("got audience %q, bearer %v, tags %v, want none", u.Audience, u.BearerToken, u.Tags)
	}
	if !slices.Equal(u.AllowedConnectionTypes, []string{"STANDARD", "WEBSOCKET"}) {
		t.Errorf("got connection types %v", u.AllowedConnectionTypes)
	}
	if !slices.Contains(u.Pub.Allow, "chat.std.private.board.alice") || !slices.Contains(u.Sub.Allow, "live.std.private.board.*") {
		t.Errorf("got %v and %v, want the private room among them", u.Pub.Allow, u.Sub.Allow)
	}
	if len(u.Pub.Deny) > 0 || !slices.Equal(u.Sub.Deny, []string{"live.> >", "sig.> >"}) {
		t.Errorf("got denies %v and %v", u.Pub.Deny, u.Sub.Deny)
	}
	if u.Resp != nil {
		t.Error("allow_responses is set")
	}
	s := <-w.sessions
	if s.Since.IsZero() {
		t.Error("the session has no time")
	}
	s.Since = time.Time{}
	want := tenant.Session{Server: public(w.server), CID: 7, Account: public(w.acme.account), User: "alice", Method: tenant.MethodToken, Address: "192.0.2.1"}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got session %+v, want %+v", s, want)
	}
	if n := w.metric("parley_callout_decisions_total", "code", codeAdmitted); n != 1 {
		t.Errorf("got %v decisions counted, want 1", n)
	}
	if n := w.metric("parley_callout_decision_seconds", "method", "token"); n != 1 {
		t.Errorf("got %v durations observed, want 1", n)
	}
}

func TestMethodsAreToldApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(nil)
	creds, _ := w.issueCreds(w.auth, public(w.auth), "acme", "bob")
	set := func(fn func(*jwt.AuthorizationRequestClaims)) func(*jwt.AuthorizationRequestClaims) { return fn }
	for _, c := range []struct {
		name   string
		code   string
		method tenant.Method
		change []func(*jwt.AuthorizationRequestClaims)
	}{
		{"nothing", "no_credentials", "", nil},
		{"rooms alone", "no_credentials", "", []func(*jwt.AuthorizationRequestClaims){withToken(";rooms=town")}},
		{"no sentinel either", "no_credentials", "", []func(*jwt.AuthorizationRequestClaims){set(func(q *jwt.AuthorizationRequestClaims) { q.ConnectOptions.JWT = "" })}},
		{"token and password", "method_ambiguous", "", []func(*jwt.AuthorizationRequestClaims){withToken(token), withPassword("acme/alice", "x")}},
		{"token and creds", "method_ambiguous", "", []func(*jwt.AuthorizationRequestClaims){withToken(token), withCreds(creds)}},
		{"password and creds", "method_ambiguous", "", []func(*jwt.AuthorizationRequestClaims){withPassword("acme/alice", "x"), withCreds(creds)}},
		{"nkey and creds", "method_ambiguous", "", []func(*jwt.AuthorizationRequestClaims){withCreds(creds), set(func(q *jwt.AuthorizationRequestClaims) {
			q.ConnectOptions.Nkey = public(newKey(nkeys.PrefixByteUser))
		})}},
		{"nkey and password", "method_ambiguous", "", []func(*jwt.AuthorizationRequestClaims){withPassword("acme/alice", "x"), set(func(q *jwt.AuthorizationRequestClaims) {
			q.ConnectOptions.Nkey = public(newKey(nkeys.PrefixByteUser))
		})}},
		{"MQTT", "client_type", "", []func(*jwt.AuthorizationRequestClaims){withToken(token), set(func(q *jwt.AuthorizationRequestClaims) { q.ClientInformation.Type = "mqtt" })}},
		{"leaf node", "client_type", "", []func(*jwt.AuthorizationRequestClaims){withToken(token), set(func(q *jwt.AuthorizationRequestClaims) { q.ClientInformation.Kind = "Leafnode" })}},
		{"rooms with a wildcard", "rooms_invalid", tenant.MethodToken, []func(*jwt.AuthorizationRequestClaims){withToken(token + ";rooms=*")}},
		{"another suffix", "rooms_invalid", tenant.MethodToken, []func(*jwt.AuthorizationRequestClaims){withToken(token + ";user=bob")}},
	} {
		if r := w.refused(c.code, c.change...); r.Method != c.method {
			t.Errorf("%s: got method %q, want %q", c.name, r.Method, c.method)
		}
	}
	w.admitted("alice", withToken(token), set(func(q *jwt.AuthorizationRequestClaims) { q.ClientInformation.Type = "websocket" }))
	w.admitted("bob", withCreds(creds))
}

// TestCreds has what a holder of the public sentinel could try, too.
func TestCreds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addTenant("other")
	w.addUser(tenant.User{Tenant: "other", ID: "alice"})
	w.addUser(tenant.User{Tenant: "acme", ID: "gone", Status: tenant.UserRevoked})
	good, _ := w.issueCreds(w.auth, public(w.auth), "acme", "alice")
	w.admitted("alice", withCreds(good))
	// nats.js sends the nkey of the credentials beside them.
	w.admitted("alice", withCreds(good), func(q *jwt.AuthorizationRequestClaims) { q.ConnectOptions.Nkey = q.ClientInformation.User })
	if got := w.claims()[0]; got.Creds == "" || got.Tenant != "" || got.User != "" {
		t.Errorf("got claim %+v, want the nkey alone", got)
	}
	nkey := must(jwt.DecodeUserClaims(good)).Subject

	// The sentinel, with the nkey of somebody's credentials in every field that a client chooses.
	w.refused("nkey_unknown", func(q *jwt.AuthorizationRequestClaims) {
		q.ConnectOptions.Nkey, q.ClientInformation.User = nkey, nkey
	})
	w.refused("user_malformed", func(q *jwt.AuthorizationRequestClaims) {
		q.ConnectOptions.Username, q.ClientInformation.User = nkey, nkey
	})

	// A bearer JWT proves nothing, whoever it names.
	bearer := jwt.NewUserClaims(nkey)
	bearer.BearerToken = true
	bearer.Tags.Add("tenant:acme", "user:alice")
	w.refused("no_credentials", withCreds(must(bearer.Encode(w.auth))))

	unknown, _ := w.issueCreds(w.auth, public(w.auth), "acme", "alice")
	w.set(func() { delete(w.creds, must(jwt.DecodeUserClaims(unknown)).Subject) })
	w.refused("creds_unknown", withCreds(unknown))

	revoked, _ := w.issueCreds(w.auth, public(w.auth), "acme", "alice")
	w.set(func() { w.revoked[must(jwt.DecodeUserClaims(revoked)).Subject] = true })
	if r := w.refused("creds_revoked", withCreds(revoked)); r.Tenant != "acme" || r.User != "alice" {
		t.Errorf("got %q of tenant %q, want alice of acme", r.User, r.Tenant)
	}

	gone, _ := w.issueCreds(w.auth, public(w.auth), "acme", "gone")
	w.refused("user_revoked", withCreds(gone))

	// A row that was moved to another user or tenant.
	moved, _ := w.issueCreds(w.auth, public(w.auth), "acme", "alice")
	w.set(func() {
		w.creds[must(jwt.DecodeUserClaims(moved)).Subject] = tenant.Credential{Tenant: "acme", User: "bob"}
	})
	w.refused("creds_mismatch", withCreds(moved))
	w.set(func() {
		w.creds[must(jwt.DecodeUserClaims(moved)).Subject] = tenant.Credential{Tenant: "other", User: "alice"}
	})
	w.refused("creds_mismatch", withCreds(moved))
}

// TestOrderOfRefusals sets everything against the user at once, and mends it one by one.
func TestOrderOfRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(nil)
	parts := strings.Split(token, ".")
	first := "A"
	if parts[2][0] == 'A' {
		first = "B"
	}
	wrong := parts[0] + "." + parts[1] + "." + first + parts[2][1:]
	alice := w.users["acme/alice"]
	w.set(func() { delete(w.tenants, "acme"); delete(w.users, "acme/alice") })
	w.refused("tenant_unknown", withToken(wrong))
	w.set(func() { w.tenants["acme"] = w.acme; w.acme.status = tenant.Deleting })
	w.refused("tenant_unknown", withToken(wrong))
	w.set(func() { w.acme.status = tenant.Suspended })
	w.refused("tenant_suspended", withToken(wrong))
	w.set(func() { w.acme.status = tenant.Active })
	w.refused("user_unknown", withToken(wrong))
	w.set(func() { alice.Status = tenant.UserRevoked; w.users["acme/alice"] = alice })
	w.refused("user_revoked", withToken(wrong))
	w.set(func() { alice.Status = tenant.UserActive; w.users["acme/alice"] = alice })
	w.refused("token_signature", withToken(wrong))
	w.admitted("alice", withToken(token))
}

func TestDatabaseDown(t *testing.T) { // REV-19
	t.Parallel()
	var logged syncBuffer
	w := newWorld(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	creds, _ := w.issueCreds(w.auth, public(w.auth), "acme", "alice")
	w.set(func() { w.err = errors.New("connection refused") })
	for range 3 {
		w.refused("unavailable", withToken(w.token(nil)))
		w.refused("unavailable", withCreds(creds))
		w.refused("unavailable", withPassword("acme/alice", "secret"))
	}
	w.refused("token_life", withToken(w.token(map[string]any{"exp": 1})))
	w.set(func() { w.err = nil })
	w.admitted("alice", withToken(w.token(nil)))
	if n := strings.Count(logged.String(), "level="); n != 2 {
		t.Errorf("got %d lines in the log, want one when it went and one when it came:\n%s", n, logged.String())
	}
}

func TestPanicInOneRequest(t *testing.T) { // FLT-14
	t.Parallel()
	var logged syncBuffer
	w := newWorld(t, func(c *Config) { c.Workers = 1; c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	w.set(func() { w.panics = true })
	w.refused("internal", withToken(w.token(nil)))
	w.set(func() { w.panics = false })
	w.admitted("alice", withToken(w.token(nil)))
	if s := logged.String(); !strings.Contains(s, "panic in a decision") || strings.Contains(s, "hunter2") {
		t.Errorf("got log %s, want a panic without what was thrown", s)
	}
}

// A user JWT signed for AUTH would be taken by the server, and open it (NATS.md).
func TestNobodyIsPutIntoAUTH(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(func() { w.acme.account = w.auth })
	w.refused("internal", withToken(w.token(nil)))
	w.set(func() { w.acme.account = newKey(nkeys.PrefixByteAccount); w.acme.signing = w.acme.account })
	w.admitted("alice", withToken(w.token(nil)))
}

func TestWorkingSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	creds, _ := w.issueCreds(w.auth, public(w.auth), "acme", "alice")
	fifty := make([]string, tenant.MaxListedRooms)
	for i := range fifty {
		fifty[i] = "r" + string(rune('a'+i/26)) + string(rune('a'+i%26))
	}
	all := strings.Join(fifty, ",")
	for _, c := range []struct {
		suffix string
		want   []tenant.RoomID
		code   string
	}{
		{"", nil, ""},
		{";rooms=", []tenant.RoomID{}, ""},
		{";rooms=town", []tenant.RoomID{"town"}, ""},
		{";rooms=town,board,alice.bob", []tenant.RoomID{"town", "board", "alice.bob"}, ""},
		{";rooms=town,town", []tenant.RoomID{"town"}, ""},
		{";rooms=" + all + ",raa", nil, ""},
		{";rooms=" + all + ",one-more", nil, "rooms_too_many"},
		{";rooms=town,", nil, "rooms_invalid"},
		{";rooms=,", nil, "rooms_invalid"},
		{";rooms=>", nil, "rooms_invalid"},
		{";rooms=bob.alice", nil, "rooms_invalid"},
		{";rooms=town;rooms=board", nil, "rooms_invalid"},
		{";rooms=to wn", nil, "rooms_invalid"},
		{";rooms", nil, "rooms_invalid"},
		{";", nil, "rooms_invalid"},
		{";ROOMS=town", nil, "rooms_invalid"},
		{";rooms=direct", nil, "rooms_invalid"},
	} {
		for name, change := range map[string][]func(*jwt.AuthorizationRequestClaims){
			"token": {withToken(w.token(nil) + c.suffix)},
			"creds": {withCreds(creds), withToken(c.suffix)},
		} {
			if c.code != "" {
				w.refused(c.code, change...)
				continue
			}
			w.admitted("alice", change...)
			asked := w.claims()
			got := asked[len(asked)-1].Rooms
			if c.want != nil && !slices.Equal(got, c.want) || (got == nil) != (c.suffix == "") {
				t.Errorf("%s %q: got %#v, want %#v", name, c.suffix, got, c.want)
			}
		}
	}
}

func TestOneQueryADecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admitted("alice", withToken(w.token(nil)))
	w.refused("token_life", withToken(w.token(map[string]any{"exp": 1})))
	w.refused("no_credentials")
	if n := len(w.claims()); n != 2 {
		t.Errorf("got %d queries for two decisions and one about nobody, want 2", n)
	}
}

// An answer is for one connection on one server: the next question has other keys.
func TestAnswersCannotBeReplayed(t *testing.T) { // IDN-14
	t.Parallel()
	w := newWorld(t)
	q1, q2 := w.question(withToken(w.token(nil))), w.question(withToken(w.token(nil)))
	r1 := must(w.conn.RequestMsg(w.message(q1), testTimeout))
	r2 := must(w.conn.RequestMsg(w.message(q2), testTimeout))
	if bytes.Equal(r1.Data, r2.Data) {
		t.Error("two answers are equal")
	}
	if _, err := newKey(nkeys.PrefixByteCurve).Open(r1.Data, public(w.authXKey)); err == nil {
		t.Error("another server can read the answer")
	}
	for _, c := range []struct {
		q    *jwt.AuthorizationRequestClaims
		data []byte
	}{{q1, r1.Data}, {q2, r2.Data}} {
		if u := w.open(c.q, c.data).user; u == nil || u.Subject != c.q.UserNkey {
			t.Errorf("got %+v, want the user of the question", u)
		}
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admitted("alice", withToken(w.token(nil)))
	if err := w.callout.Start(); err == nil {
		t.Error("a second Start is no error")
	}
	w.callout.Stop()
	w.callout.Stop()
	if _, err := w.conn.RequestMsg(w.message(w.question(withToken(w.token(nil)))), testTimeout); err == nil {
		t.Error("a stopped callout answers")
	}
	if err := w.callout.Start(); err != nil {
		t.Fatal(err)
	}
	w.admitted("alice", withToken(w.token(nil)))
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("an empty Config is accepted")
	}
}

// syncBuffer is a log that tests read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

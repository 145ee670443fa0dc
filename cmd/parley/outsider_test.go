package main

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/accounts/keyring"
	"parley/tenant"
)

// database opens the private database of a running server.
func (s *server) database() *pgxpool.Pool {
	s.t.Helper()
	pool, err := pgxpool.New(s.t.Context(), "postgres://parley@/parley?port=5432&sslmode=disable&host="+filepath.Join(s.data, "postgres", "run"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}

// signer opens the key that signs for a tenant's account, with the server's own master key.
func (s *server) signer(account string) nkeys.KeyPair {
	s.t.Helper()
	keys, err := keyring.Open(keyring.Config{File: filepath.Join(s.data, "master.key"), Sealed: true})
	if err != nil {
		s.t.Fatal(err)
	}
	var k tenant.SealedKey
	err = s.database().QueryRow(s.t.Context(), `SELECT account, key_id, purpose, sealed, key_version FROM account_keys WHERE account = $1 AND purpose = 'signing'`,
		account).Scan(&k.Account, &k.KeyID, &k.Purpose, &k.Sealed, &k.Version)
	if err != nil {
		s.t.Fatal(err)
	}
	pair, err := keys.Signer(k)
	if err != nil {
		s.t.Fatal(err)
	}
	return pair
}

// master connects to a tenant's account as one who may do everything there: a backend's nkey, under a JWT
// without bounds that the account's own key signed. It doesn't hear itself.
func (s *server) master(id tenant.TenantID, account string) *peer {
	s.t.Helper()
	var made keyAnswer
	s.call(http.MethodPost, "/v1/tenants/"+string(id)+"/keys", `{"kind":"service","name":"master"}`).into(s.t, &made)
	pair, err := nkeys.ParseDecoratedNKey([]byte(made.Creds))
	if err != nil {
		s.t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		s.t.Fatal(err)
	}
	c := jwt.NewUserClaims(public)
	c.Name, c.IssuerAccount = "master", account
	c.Pub.Allow.Add(">")
	c.Sub.Allow.Add(">")
	text, err := c.Encode(s.signer(account))
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := s.dial(s.NATS, "master", nats.NoEcho(), nats.UserJWT(func() (string, error) { return text, nil }, pair.Sign))
	if err != nil {
		s.t.Fatalf("connect the master of %s: %v", id, err)
	}
	return p
}

// TestAThirdTenantStaysOutside has C try, in every state of what A shares with B: as a user, with
// service credentials, and with all rights that its own account's key can give. ISO-01, ISO-02, ISO-14.
func TestAThirdTenantStaysOutside(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	gamma := n.account("gamma")
	oracle := n.oracle("acme", "oracle")
	heard := oracle.listen("svc.>")
	service := n.shareService("oracle")
	eve, master := n.peer("gamma", "eve"), n.master("gamma", gamma)
	_, creds := n.serviceKey("gamma", "bot")
	bot, err := n.dial(n.NATS, "bot", creds)
	if err != nil {
		t.Fatal(err)
	}
	everything, rooms := master.listen(">"), bot.listen("live.shared.*.*.*")
	address := string(n.share.Room)
	own := []string{n.chat("bot"), "svc.oracle@acme.gamma.eve", "chat.api.eve.history", "chat.api.eve.join", "chat.api.eve.members"}
	posts := 0
	try := func(when string, asked int) {
		t.Helper()
		for _, subject := range []string{
			n.chat("master"), n.chat("alice"), n.chat("zed"), n.chat("_"),
			"live.shared." + address + "." + n.acme + ".alice", "shared." + address + "." + n.acme + ".alice",
			"t." + n.acme + ".shared." + address + ".alice", "t." + n.beta + ".shared." + address + ".zed", "t." + n.acme + ".api.alice.leave",
			"svc.oracle.acme.alice", "svc.oracle@acme.beta.zed", "svc.oracle@acme.gamma.eve", "svc.oracle." + service.ID + ".zed",
		} {
			if err := master.Publish(subject, []byte(`{"text":"from outside"}`)); err != nil {
				t.Fatal(err)
			}
		}
		errBot := bot.Publish(n.chat("bot"), []byte(`{"text":"from outside"}`))
		errEve := eve.Publish("svc.oracle@acme.gamma.eve", nil)
		if err := errors.Join(errBot, errEve, bot.Flush(), eve.Flush(), master.Flush()); err != nil {
			t.Fatal(err)
		}
		for _, op := range []string{"history", "join", "members"} {
			if got := eve.ask(op, fmt.Sprintf(`{"room":%q}`, address)); got["code"] != "not_found" {
				t.Errorf("%s: eve asks %s: got %v, want not_found", when, op, got)
			}
		}
		if err := master.Flush(); err != nil {
			t.Fatal(err)
		}
		for n, _, _ := everything.Pending(); n > 0; n-- { // the users of its own account it does hear
			if m := master.next(everything); !slices.Contains(own, m.Subject) && !strings.HasPrefix(m.Subject, "_INBOX.eve.") || strings.Contains(string(m.Data), "hello") {
				t.Errorf("%s: the master of gamma hears %s: %s", when, m.Subject, m.Data)
			}
		}
		bot.quiet(rooms)
		if err := oracle.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, _, err := heard.Pending(); err != nil || got != asked {
			t.Errorf("%s: the oracle heard %d requests (%v), want %d", when, got, err, asked)
		}
		if got := n.senders("acme", "hall"); len(got) != posts || slices.ContainsFunc(got, func(s string) bool { return s != "alice" && s != "zed@beta" }) {
			t.Errorf("%s: got posts of %v, want %d of alice and zed", when, got, posts)
		}
	}
	try("before", 0)

	n.accept()
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+service.ID+"/accept", "")
	alice, zed := n.peer("acme", "alice"), n.peer("beta", "zed")
	hears := map[*peer]*nats.Subscription{alice: alice.listen(n.live()), zed: zed.listen(n.live())}
	talk := func(who *peer) {
		t.Helper()
		who.post(n.chat(who.user), "hello", "")
		posts++
		for p, sub := range hears {
			p.next(sub)
		}
	}
	talk(alice)
	talk(zed)
	zed.wantAnswer("svc.oracle@acme.beta.zed", "svc.oracle."+service.ID+".zed ?")
	try("while it is shared", 1)

	// Whoever has all rights in the guest's account is still nobody of the host's.
	guest := n.master("beta", n.beta)
	for _, subject := range []string{n.chat("alice"), "t." + n.acme + ".shared." + address + ".alice", "shared." + address + "." + n.acme + ".alice", "svc.oracle.acme.alice"} {
		if err := guest.Publish(subject, []byte(`{"text":"as alice"}`)); err != nil {
			t.Fatal(err)
		}
	}
	guest.wantAnswer("svc.oracle@acme.beta.zed", "svc.oracle."+service.ID+".zed ?")
	try("while beta's master tries too", 2)
	talk(zed)
	if got := len(n.senders("acme", "hall")); got != posts { // a post counts if its sender is a member when it is projected
		t.Errorf("got %d posts, want %d", got, posts)
	}

	n.end("acme")
	n.call(http.MethodDelete, "/v1/tenants/acme/shares/"+service.ID, "")
	alice.post(n.chat("alice"), "among ourselves", "")
	posts++
	if _, err := zed.tryPost(n.chat("zed"), "x", "", 10*time.Second); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("the guest posts after the end: got %v, want no responders", err)
	}
	if _, err := guest.tryPost(n.chat("zed"), "x", "", 10*time.Second); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("the guest's master posts after the end: got %v, want no responders", err)
	}
	zed.wantNobody("svc.oracle@acme.beta.zed")
	try("after", 2)
}

// account is the account of a tenant that exists.
func (s *server) account(id string) string {
	s.t.Helper()
	var got tenantAnswer
	s.call(http.MethodGet, "/v1/tenants/"+id, "").into(s.t, &got)
	return got.Tenant.Account
}

// TestAnswersOfServicesAreNobodysWords aims what a service of another tenant answers at every kind of subject: as a user who
// may only ask, and as one with all rights in his account. Nothing of it is stored or run. IDN-02, IDN-05.
func TestAnswersOfServicesAreNobodysWords(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.room("beta", "lobby", "open")
	n.accept()
	_, creds := n.serviceKey("acme", "echo")
	echo, err := n.dial(n.NATS, "echo", creds)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := echo.Subscribe("svc.echo.*.*", func(m *nats.Msg) {
		out := nats.NewMsg(m.Reply)
		out.Data, out.Reply = m.Data, "_INBOX.echo.back" // it would hear what its answer sets off
		out.Header.Set("Nats-Msg-Id", nats.NewInbox())
		_ = echo.PublishMsg(out)
	}); err != nil {
		t.Fatal(err)
	}
	back := echo.listen("_INBOX.echo.>")
	helper := n.oracle("beta", "helper")
	asked := helper.listen("svc.helper.*.*")
	sh := n.shareService("echo")
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+sh.ID+"/accept", "")
	other := n.shareService("oracle")
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+other.ID+"/accept", "")
	oracle := n.oracle("acme", "oracle")
	fooled := oracle.listen("svc.oracle.*.*")
	alice := n.peer("beta", "alice")
	live := alice.listen("live.*.open.*.*")
	if got := alice.ask("join", `{"room":"lobby"}`); got["ok"] != true {
		t.Fatal(got)
	}
	alice.next(live) // that she joined
	notices := alice.listen("live.user.alice.*")

	const service = "svc.echo@acme.beta.zed"
	address := string(n.share.Room)
	for name, zed := range map[string]*peer{"a user": n.peer("beta", "zed"), "the master": n.master("beta", n.beta)} {
		for _, aim := range []string{
			"chat.std.open.lobby.alice", "chat.std.open.lobby.zed", "chat.std.open.lobby._", "chat.std.direct.alice.zed.alice",
			"chat.shared." + address + ".alice", "chat.shared." + address + ".zed", "chat.shared." + address + "._",
			"chat.api.alice.leave", "chat.api.zed.leave",
			"live.std.open.lobby.alice", "live.user.alice.revoked", "live.shared." + address + "." + n.acme + ".alice",
			"t." + n.beta + ".std.open.lobby.alice", "t." + n.acme + ".shared." + address + ".alice", "shared." + address + "." + n.acme + ".alice",
			"svc.oracle@acme.beta.alice", "svc.echo@acme.beta.alice", "svc.helper.beta.alice", "svc.helper.gamma.eve", "$JS.API.STREAM.NAMES", "$SYS.REQ.SERVER.PING",
		} {
			for _, body := range []string{`{"text":"forged"}`, `{"room":"lobby"}`} {
				if err := zed.PublishRequest(service, aim, []byte(body)); err != nil {
					t.Fatal(err)
				}
			}
		}
		zed.wantAnswer(service, "?") // what was asked before has been answered, and went where it was aimed
		if err := errors.Join(echo.Flush(), oracle.Flush(), helper.Flush()); err != nil {
			t.Fatal(err)
		}
		echo.quiet(back)
		oracle.quiet(fooled)
		alice.quiet(live)
		alice.quiet(notices)
		// Within one account an answer can be aimed at a backend. It shows there: it has not the inbox of
		// whom it names, nor the id of any share.
		for {
			m, err := asked.NextMsg(time.Millisecond)
			if err != nil {
				break
			}
			if strings.HasPrefix(m.Reply, "_INBOX.alice.") || m.Subject == "svc.helper."+sh.ID+".alice" {
				t.Errorf("%s: the guest's backend was asked on %s with reply %s, as if by alice", name, m.Subject, m.Reply)
			}
		}
		zed.post(n.chat("zed"), "the allowed twin", "")
	}
	if got := n.senders("beta", "lobby"); len(got) != 0 {
		t.Errorf("got posts of %v in the lobby, want none", got)
	}
	if got := n.senders("acme", "hall"); len(got) != 2 || got[0] != "zed@beta" || got[1] != "zed@beta" {
		t.Errorf("got posts of %v in the hall, want zed's two", got)
	}
	if got := alice.ask("members", `{"room":"lobby"}`); len(got["members"].([]any)) != 1 {
		t.Errorf("got members %v of the lobby, want alice", got)
	}
	// Within the host's own account too, a backend answers nowhere but on inboxes.
	own := n.peer("acme", "alice")
	for _, aim := range []string{n.chat("alice"), n.chat("bob"), "chat.api.bob.leave", "svc.oracle.acme.bob"} {
		if err := own.PublishRequest("svc.echo.acme.alice", aim, []byte(`{"text":"forged"}`)); err != nil {
			t.Fatal(err)
		}
		echo.wantDenied(`"` + aim + `"`)
	}
	if got := n.senders("acme", "hall"); len(got) != 2 {
		t.Errorf("got posts of %v in the hall, want zed's two", got)
	}
}

// TestAllRightsInOneAccountAreNoneElsewhere has one who may do everything in gamma try what the servers and JetStream
// answer. ISO-03, ISO-04, ISO-06, ISO-24.
func TestAllRightsInOneAccountAreNoneElsewhere(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.accept()
	alice := n.peer("acme", "alice")
	alice.post(n.chat("alice"), "mine", "")
	gamma := n.account("gamma")
	master := n.master("gamma", gamma)
	stream := "shared1-" + n.acme
	answers := master.listen("_INBOX.master.answers")
	for _, subject := range []string{
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO." + stream, "$JS.API.STREAM.MSG.GET." + stream,
		"$JS.API.DIRECT.GET." + stream, "$JS.API.STREAM.PURGE." + stream, "$JS.API.STREAM.DELETE." + stream, "$JS.API.STREAM.UPDATE." + stream,
		"$JS.API.STREAM.SNAPSHOT." + stream, "$JS.API.STREAM.RESTORE." + stream, "$JS.API.CONSUMER.CREATE." + stream, "$JS.API.CONSUMER.LIST." + stream,
		"$JS.API.STREAM.LEADER.STEPDOWN." + stream, "$JS.API.META.LEADER.STEPDOWN", "$JS.API.SERVER.REMOVE", "$JS.API.ACCOUNT.PURGE." + n.acme,
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.CLAIMS.LIST", "$SYS.REQ.CLAIMS.PACK", "$SYS.REQ.CLAIMS.DELETE", "$SYS.REQ.USER.AUTH",
		"$SYS.REQ.ACCOUNT." + n.acme + ".CLAIMS.LOOKUP", "$SYS.REQ.ACCOUNT." + n.acme + ".CONNZ", "$SYS.REQ.ACCOUNT." + n.acme + ".SUBSZ",
		"$SYS.REQ.ACCOUNT." + n.acme + ".INFO", "$SYS.REQ.ACCOUNT." + n.acme + ".JSZ",
	} {
		if err := master.PublishRequest(subject, "_INBOX.master.answers", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	// What is answered in the end, of one's own user, came behind all else.
	if _, err := master.Request("$SYS.REQ.USER.INFO", nil, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := answers.NextMsg(100 * time.Millisecond)
		if err != nil {
			break
		}
		own := strings.Contains(string(m.Data), `"num_connections":1,`) // CONNZ shows an account itself
		if text := string(m.Data); len(text) > 0 && !own && !strings.Contains(text, "error") || strings.Contains(text, "alice") || strings.Contains(text, stream) {
			t.Errorf("got an answer: %s", text)
		}
	}
	alice.post(n.chat("alice"), "still mine", "")
	if got := n.senders("acme", "hall"); len(got) != 2 {
		t.Errorf("got posts of %v, want alice's two", got)
	}
}

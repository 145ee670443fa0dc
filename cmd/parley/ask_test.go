package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// oracle is a service that tells who asks. It believes its own tenant's users where they want the answer
// in their own inbox, and others where the id of a share stands for their tenant.
func (n *neighbours) oracle(tenant, name string) *peer {
	n.t.Helper()
	_, creds := n.serviceKey(tenant, name)
	bot, err := n.dial(n.NATS, name, creds)
	if err != nil {
		n.t.Fatal(err)
	}
	_, err = bot.Subscribe("svc."+name+".*.*", func(m *nats.Msg) {
		from := strings.Split(m.Subject, ".")
		if len(from[2]) == 26 || from[2] == tenant && strings.HasPrefix(m.Reply, "_INBOX."+from[3]+".") {
			_ = m.Respond([]byte(m.Subject + " " + string(m.Data))) // the requester waits for it
		}
	})
	if err != nil {
		n.t.Fatal(err)
	}
	if err := bot.Flush(); err != nil {
		n.t.Fatal(err)
	}
	return bot
}

// shareService offers a service of acme's to beta.
func (n *neighbours) shareService(name string) tenant.Share {
	n.t.Helper()
	var made shareAnswer
	n.call(http.MethodPost, "/v1/tenants/acme/shares", fmt.Sprintf(`{"service":%q,"guest":"beta"}`, name)).into(n.t, &made)
	return made.Share
}

func (p *peer) wantAnswer(subject, want string) {
	p.t.Helper()
	m, err := p.Request(subject, []byte("?"), 10*time.Second)
	if err != nil || string(m.Data) != want {
		p.t.Fatalf("%s asks %s: got %+v %v, want %q", p.user, subject, m, err, want)
	}
}

func (p *peer) wantNobody(subject string) {
	p.t.Helper()
	if m, err := p.Request(subject, []byte("?"), 10*time.Second); !errors.Is(err, nats.ErrNoResponders) {
		p.t.Fatalf("%s asks %s: got %+v %v, want no responders", p.user, subject, m, err)
	}
}

func TestServicesOfAnotherTenant(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.oracle("acme", "oracle")
	zed, eve, alice := n.peer("beta", "zed"), n.peer("gamma", "eve"), n.peer("acme", "alice")
	const asked = "svc.oracle@acme.beta.zed"
	alice.wantAnswer("svc.oracle.acme.alice", "svc.oracle.acme.alice ?")
	zed.wantNobody(asked)

	sh := n.shareService("oracle")
	zed.wantNobody(asked) // an offer gives nothing
	if a := n.send(n.token, http.MethodPost, "/v1/tenants/gamma/shares/"+sh.ID+"/accept", ""); a.status != http.StatusNotFound {
		t.Errorf("gamma accepts: got %d %s, want 404", a.status, a.body)
	}
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+sh.ID+"/accept", "")
	zed.wantAnswer(asked, "svc.oracle."+sh.ID+".zed ?")
	n.oracle("beta", "helper") // a backend of the guest's may ask too, as itself
	_, creds := n.serviceKey("beta", "asker")
	asker, err := n.dial(n.NATS, "asker", creds)
	if err != nil {
		t.Fatal(err)
	}
	asker.wantAnswer("svc.oracle@acme.beta.asker", "svc.oracle."+sh.ID+".asker ?")

	for _, subject := range []string{"svc.oracle@acme.beta.alice", "svc.oracle@acme.acme.zed", "svc.oracle.acme.alice", "svc.oracle." + sh.ID + ".zed", "svc.oracle@acme.beta.*"} {
		if err := zed.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		zed.wantDenied(`"` + subject + `"`)
	}
	eve.wantNobody("svc.oracle@acme.gamma.eve")
	for _, subject := range []string{"svc.>", "svc.oracle.*.*", "svc.*.*.zed"} {
		zed.listen(subject)
		zed.wantDenied(`"` + subject + `"`)
	}
	for _, who := range []string{"acme", "beta"} {
		var page struct {
			Entries []tenant.AuditEntry `json:"audit"`
		}
		n.call(http.MethodGet, "/v1/tenants/"+who+"/audit?limit=1000", "").into(t, &page)
		told := map[string]int{}
		for _, e := range page.Entries {
			if e.Object == "share:"+sh.ID {
				told[e.Action]++
			}
		}
		if told["share.offer"] != 1 || told["share.accept"] != 1 {
			t.Errorf("the audit of %s: got %v, want offer and acceptance", who, told)
		}
	}

	n.call(http.MethodDelete, "/v1/tenants/beta/shares/"+sh.ID, "")
	zed.wantNobody(asked)
	alice.wantAnswer("svc.oracle.acme.alice", "svc.oracle.acme.alice ?")
	again := n.shareService("oracle")
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+again.ID+"/accept", "")
	zed.wantAnswer(asked, "svc.oracle."+again.ID+".zed ?")
	n.call(http.MethodDelete, "/v1/tenants/acme/shares/"+again.ID, "")
	zed.wantNobody(asked)
}

func TestServicesThatCantBeShared(t *testing.T) { // ISO-15
	t.Parallel()
	n := newNeighbours(t)
	for _, c := range []struct {
		name, body string
		status     int
		field      string
	}{
		{"to oneself", `{"service":"oracle","guest":"acme"}`, 422, "guest"},
		{"to nobody", `{"service":"oracle","guest":"nobody"}`, 422, "guest"},
		{"of a name that is none", `{"service":"a.b","guest":"beta"}`, 422, "service"},
		{"of a wildcard", `{"service":"*","guest":"beta"}`, 422, "service"},
		{"of another's", `{"service":"oracle@beta","guest":"beta"}`, 422, "service"},
		{"of a room too", `{"service":"oracle","room":"hall","guest":"beta"}`, 422, "room"},
		{"of nothing", `{"guest":"beta"}`, 422, "room"},
		{"to post", `{"service":"oracle","guest":"beta","post":true}`, 422, "post"},
		{"with a history", `{"service":"oracle","guest":"beta","history":"all"}`, 422, "history"},
		{"the allowed twin", `{"service":"oracle","guest":"beta"}`, 201, ""},
		{"twice", `{"service":"oracle","guest":"beta"}`, 409, ""},
	} {
		a := n.send(n.token, http.MethodPost, "/v1/tenants/acme/shares", c.body)
		if a.status != c.status || c.field != "" && !strings.Contains(string(a.body), `"`+c.field+`"`) {
			t.Errorf("an offer %s: got %d %s, want %d naming %q", c.name, a.status, a.body, c.status, c.field)
		}
	}
	// Both ways at once, and under one name, is no cycle: of services, and of rooms.
	n.oracle("acme", "oracle")
	n.oracle("beta", "oracle")
	there := n.shareService("mirror")
	var back shareAnswer
	n.call(http.MethodPost, "/v1/tenants/beta/shares", `{"service":"oracle","guest":"acme"}`).into(t, &back)
	n.call(http.MethodPost, "/v1/tenants/acme/shares/"+back.Share.ID+"/accept", "")
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+there.ID+"/accept", "")
	n.peer("acme", "alice").wantAnswer("svc.oracle@beta.acme.alice", "svc.oracle."+back.Share.ID+".alice ?")
	n.peer("beta", "zed").wantNobody("svc.mirror@acme.beta.zed")
	n.accept()
	n.room("beta", "hall", "shared")
	n.call(http.MethodPost, "/v1/tenants/beta/shares", `{"room":"hall","guest":"acme","post":true}`).into(t, &back)
	n.call(http.MethodPost, "/v1/tenants/acme/shares/"+back.Share.ID+"/accept", "")
	n.member("acme", string(back.Share.Room), "alice", "member")
	n.member("beta", "hall", "zed", "owner")
	alice, zed := n.peer("acme", "alice"), n.peer("beta", "zed")
	theirs, ours := zed.listen("live.shared."+string(back.Share.Room)+".*.*"), alice.listen(n.live())
	alice.post("chat.shared."+string(back.Share.Room)+".alice", "to beta's hall", "")
	zed.post(n.chat("zed"), "to acme's hall", "")
	if m := zed.next(theirs); m.Subject != "live.shared."+string(back.Share.Room)+"."+n.acme+".alice" {
		t.Errorf("zed hears %s, want alice of acme", m.Subject)
	}
	if m := alice.next(ours); m.Subject != "live.shared."+string(n.share.Room)+"."+n.beta+".zed" {
		t.Errorf("alice hears %s, want zed of beta", m.Subject)
	}
}

// What the rows say of a share holds after a crash between their commit and what follows from it. ISO-14, FLT-02.
func TestServicesFollowTheRowsAfterACrash(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	sh := n.shareService("oracle")
	for _, c := range []struct {
		change string
		flows  bool
	}{
		{`UPDATE shares SET status = 'accepted', accepted_at = now() WHERE share_id = $1`, true},
		{`UPDATE shares SET status = 'ended', ended_at = now() WHERE share_id = $1`, false},
	} {
		if _, err := n.database().Exec(t.Context(), c.change, sh.ID); err != nil {
			t.Fatal(err)
		}
		n.kill()
		n.start()
		n.oracle("acme", "oracle")
		if zed := n.peer("beta", "zed"); c.flows {
			zed.wantAnswer("svc.oracle@acme.beta.zed", "svc.oracle."+sh.ID+".zed ?")
		} else {
			zed.wantNobody("svc.oracle@acme.beta.zed")
		}
	}
}

// A share of a time is over when it is, and so is an offer that nobody answered.
func TestServicesExpire(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.oracle("acme", "oracle")
	zed := n.peer("beta", "zed")
	sh := n.shareService("oracle")
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+sh.ID+"/accept", "")
	zed.wantAnswer("svc.oracle@acme.beta.zed", "svc.oracle."+sh.ID+".zed ?")
	until := time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)
	n.call(http.MethodPatch, "/v1/tenants/acme/shares/"+sh.ID, fmt.Sprintf(`{"until":%q}`, until))
	eventually(t, "the share expires", func() bool {
		_, err := zed.Request("svc.oracle@acme.beta.zed", nil, 10*time.Second)
		return errors.Is(err, nats.ErrNoResponders)
	})
	var got shareAnswer
	n.call(http.MethodGet, "/v1/tenants/beta/shares/"+sh.ID, "").into(t, &got)
	if got.Share.Status != tenant.ShareExpired || got.Share.Service != "oracle" || got.Share.Room != "" {
		t.Errorf("got %+v, want an expired share of the service", got.Share)
	}
	n.shareService("oracle") // may be offered again
}

// A room has at most 50 guests. A tenant that accepted all that it may still has claims that the servers take,
// and is told when it asks for more. LIM of the account's claims.
func TestSharesHaveABound(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	for i := range 50 {
		id := fmt.Sprintf("guest%02d", i)
		n.tenant(id)
		a := n.send(n.token, http.MethodPost, "/v1/tenants/acme/shares", fmt.Sprintf(`{"room":"hall","guest":%q}`, id))
		if i < 49 && a.status != http.StatusCreated { // beta is one of the 50
			t.Fatalf("guest %d: got %d %s", i, a.status, a.body)
		}
		if i == 49 && (a.status < 400 || !strings.Contains(string(a.body), `"limit_reached"`) || !strings.Contains(string(a.body), `"guest"`)) {
			t.Errorf("the 51st guest: got %d %s, want limit_reached naming guest", a.status, a.body)
		}
	}

	n.oracle("acme", "oracle")
	sh := n.shareService("oracle")
	if _, err := n.database().Exec(t.Context(), `
INSERT INTO shares (share_id, service, host, guest, post, history, status, offered_at, offered_by, accepted_at)
SELECT lpad(i::text, 26, 'x'), 's' || i, 'acme', 'beta', false, '', 'accepted', now(), 'x', now() FROM generate_series(1, $1) i`, tenant.MaxShared); err != nil {
		t.Fatal(err)
	}
	accept := "/v1/tenants/beta/shares/" + sh.ID + "/accept"
	if a := n.send(n.token, http.MethodPost, accept, ""); a.status < 400 || !strings.Contains(string(a.body), `"limit_reached"`) || !strings.Contains(string(a.body), `"share"`) {
		t.Errorf("one share more than there may be: got %d %s, want limit_reached naming share", a.status, a.body)
	}
	n.call(http.MethodDelete, "/v1/tenants/beta/shares/"+strings.Repeat("x", 25)+"1", "")
	n.call(http.MethodPost, accept, "")
	n.peer("beta", "zed").wantAnswer("svc.oracle@acme.beta.zed", "svc.oracle."+sh.ID+".zed ?")
	var size int
	if err := n.database().QueryRow(t.Context(), `SELECT length(jwt) FROM accounts WHERE tenant_id = 'beta'`).Scan(&size); err != nil {
		t.Fatal(err)
	}
	t.Logf("the account JWT of a tenant with %d shares: %d bytes", tenant.MaxShared, size)
	if size > 1<<20 {
		t.Errorf("got %d bytes, want at most %d", size, 1<<20)
	}
}

func TestServicesByCommand(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := command(t.Context(), append([]string{"share"}, append(args, "--data", n.data)...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("share %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	offered := run("offer", "acme", "oracle", "beta", "--service")
	id := strings.Fields(offered)[1]
	for _, want := range []string{"oracle@acme", "svc.oracle." + id + ".<user>", "offered"} {
		if !strings.Contains(offered, want) {
			t.Errorf("offer: got %s, want it to say %s", offered, want)
		}
	}
	n.oracle("acme", "oracle")
	if got := run("accept", "beta", id); !strings.Contains(got, "accepted") {
		t.Errorf("accept: got %s", got)
	}
	n.peer("beta", "zed").wantAnswer("svc.oracle@acme.beta.zed", "svc.oracle."+id+".zed ?")
	if got := run("list", "beta"); !strings.Contains(got, "ask") || !strings.Contains(got, id) {
		t.Errorf("list: got %s, want the service that may be asked", got)
	}
	run("end", "acme", id)
	n.peer("beta", "zed").wantNobody("svc.oracle@acme.beta.zed")
}

// With a tenant goes all that it shares and was offered, as the other side's records tell.
func TestSharesEndWithTheirTenant(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.accept()
	n.oracle("acme", "oracle")
	sh := n.shareService("oracle")
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+sh.ID+"/accept", "")
	zed := n.peer("beta", "zed")
	removed := zed.listen("live.user.zed.removed")
	zed.wantAnswer("svc.oracle@acme.beta.zed", "svc.oracle."+sh.ID+".zed ?")
	n.call(http.MethodDelete, "/v1/tenants/acme", "")
	zed.next(removed) // out of the hall
	zed.wantNobody("svc.oracle@acme.beta.zed")
	eventually(t, "the room's stream goes with its tenant", func() bool {
		_, err := zed.tryPost(n.chat("zed"), "x", "", 10*time.Second)
		return errors.Is(err, nats.ErrNoResponders)
	})
	var imports int
	if err := n.database().QueryRow(t.Context(), `SELECT jwt_imports FROM (SELECT jsonb_array_length(convert_from(decode(
rpad(translate(split_part(jwt, '.', 2), '-_', '+/'), 4 * ((length(split_part(jwt, '.', 2)) + 3) / 4), '='), 'base64'), 'UTF8')::jsonb->'nats'->'imports') AS jwt_imports
FROM accounts WHERE tenant_id = 'beta') c`).Scan(&imports); err != nil {
		t.Fatal(err)
	}
	if imports != 2 {
		t.Errorf("the guest's account has %d imports, want the platform's two", imports)
	}
	var page struct {
		Audit []tenant.AuditEntry `json:"audit"`
	}
	n.call(http.MethodGet, "/v1/tenants/beta/audit?limit=1000", "").into(t, &page)
	ended := 0
	for _, e := range page.Audit {
		if e.Action == "share.end" {
			ended++
		}
	}
	if ended != 2 {
		t.Errorf("the guest's audit tells of %d ends, want those of the room and of the service", ended)
	}
}

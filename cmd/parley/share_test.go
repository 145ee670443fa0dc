package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// neighbours are three tenants with a shared room "hall" of acme's, which beta is offered and gamma is not.
type neighbours struct {
	*server
	acme, beta string // accounts
	share      tenant.Share
}

func newNeighbours(t *testing.T) *neighbours {
	t.Helper()
	n := &neighbours{server: serve(t)}
	n.acme, _ = n.tenant("acme")
	n.beta, _ = n.tenant("beta")
	n.tenant("gamma")
	n.users("acme", "alice", "bob")
	n.users("beta", "alice", "zed")
	n.users("gamma", "eve")
	n.room("acme", "hall", "shared")
	n.member("acme", "hall", "alice", "owner")
	n.offer(`"post":true,"history":"all"`)
	return n
}

func (n *neighbours) offer(more string) {
	n.t.Helper()
	var made shareAnswer
	n.call(http.MethodPost, "/v1/tenants/acme/shares", `{"room":"hall","guest":"beta",`+more+`}`).into(n.t, &made)
	n.share = made.Share
}

func (n *neighbours) answerShare(tenant, verb string) answer {
	n.t.Helper()
	return n.send(n.token, http.MethodPost, "/v1/tenants/"+tenant+"/shares/"+n.share.ID+"/"+verb, "")
}

func (n *neighbours) accept() {
	n.t.Helper()
	if a := n.answerShare("beta", "accept"); a.status != http.StatusOK {
		n.t.Fatalf("accept: got %d %s", a.status, a.body)
	}
	n.member("beta", string(n.share.Room), "zed", "member")
}

func (n *neighbours) end(by string) {
	n.t.Helper()
	n.call(http.MethodDelete, "/v1/tenants/"+by+"/shares/"+n.share.ID, "")
}

// chat and live are a user's subjects in the room.
func (n *neighbours) chat(user string) string {
	return "chat.shared." + string(n.share.Room) + "." + user
}
func (n *neighbours) live() string { return "live.shared." + string(n.share.Room) + ".*.*" }

// senders are who posted, as a tenant sees it.
func (n *neighbours) senders(tenant, room string) (all []string) {
	n.t.Helper()
	for _, m := range n.history(tenant, room) {
		if m.Sender != "_" {
			all = append(all, m.Sender)
		}
	}
	return all
}

func TestTwoTenantsTalkAndAThirdHearsNothing(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	eve := n.peer("gamma", "eve")
	n.accept()
	alice, zed := n.peer("acme", "alice"), n.peer("beta", "zed")
	hears := map[*peer]*nats.Subscription{alice: alice.listen(n.live()), zed: zed.listen(n.live())}
	nothing := eve.listen("_INBOX.eve.>")
	if _, err := eve.SubscribeSync(n.live()); err != nil {
		t.Fatal(err)
	}
	eve.wantDenied(n.live())

	alice.post(n.chat("alice"), "from acme", "")
	zed.post(n.chat("zed"), "from beta", "")
	for p, sub := range hears {
		for _, want := range []string{n.acme + ".alice", n.beta + ".zed"} {
			if m := p.next(sub); !strings.HasSuffix(m.Subject, want) {
				t.Errorf("%s hears %s, want the account and user %s", p.user, m.Subject, want)
			}
		}
	}
	if got := n.senders("acme", "hall"); !slices.Equal(got, []string{"alice", "zed@beta"}) {
		t.Errorf("acme reads %v", got)
	}
	if got := n.senders("beta", string(n.share.Room)); !slices.Equal(got, []string{"alice@acme", "zed"}) {
		t.Errorf("beta reads %v", got)
	}
	if a := n.send(n.token, http.MethodGet, "/v1/tenants/gamma/rooms/"+string(n.share.Room)+"/messages", ""); a.status != http.StatusNotFound {
		t.Errorf("gamma reads: got %d %s, want 404", a.status, a.body)
	}
	for _, subject := range []string{n.chat("eve"), n.chat("zed"), n.chat("alice")} {
		if err := eve.Publish(subject, []byte(`{"text":"x"}`)); err != nil {
			t.Fatal(err)
		}
		eve.wantDenied(subject)
	}
	// Whoever is in the guest's account, but not in the room, neither hears nor posts.
	stranger := n.peer("beta", "alice")
	if err := stranger.Publish(n.chat("alice"), []byte(`{"text":"x"}`)); err != nil {
		t.Fatal(err)
	}
	stranger.wantDenied(n.chat("alice"))
	// Nobody posts as another, not even under the same id in the other tenant.
	if err := zed.Publish(n.chat("alice"), []byte(`{"text":"x"}`)); err != nil {
		t.Fatal(err)
	}
	zed.wantDenied(n.chat("alice"))
	eve.quiet(nothing)
	if got := len(n.senders("acme", "hall")); got != 2 {
		t.Errorf("got %d messages, want the 2 that were allowed", got)
	}
	if rooms := zed.ask("rooms", `{}`)["rooms"].([]any); len(rooms) != 1 || rooms[0].(map[string]any)["id"] != string(n.share.Room) {
		t.Errorf("the guest's rooms: got %v, want the shared one by its address", rooms)
	}
	room, _ := zed.ask("rooms", `{}`)["rooms"].([]any)[0].(map[string]any)
	if tenants, _ := room["tenants"].(map[string]any); room["address"] != string(n.share.Room) || tenants[n.acme] != "acme" || tenants[n.beta] != "beta" || len(tenants) != 2 {
		t.Errorf("the guest's room: got %v, want its address and both accounts", room)
	}
	if got := zed.ask("history", fmt.Sprintf(`{"room":%q}`, n.share.Room)); got["ok"] != true || len(got["messages"].([]any)) < 2 {
		t.Errorf("the guest's history: got %v", got)
	}
}

func TestAnEndedShareIsOver(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.accept()
	alice, zed := n.peer("acme", "alice"), n.peer("beta", "zed")
	sub := zed.listen(n.live())
	zed.post(n.chat("zed"), "while it lasts", "")
	zed.next(sub)
	var after atomic.Bool
	late := make(chan uint64, 1000)
	done := make(chan struct{})
	go func() { // posts go on while the share ends
		defer close(done)
		for range 200 {
			began := after.Load()
			if ack, err := zed.tryPost(n.chat("zed"), "x", "", time.Second); err == nil && began {
				late <- ack.Seq
			} else if errors.Is(err, nats.ErrNoResponders) && began {
				return
			}
		}
	}()
	resolver, old := filepath.Join(n.data, "nats", "accounts"), t.TempDir()
	if err := os.CopyFS(old, os.DirFS(resolver)); err != nil {
		t.Fatal(err)
	}
	n.end("acme")
	after.Store(true)
	<-done
	if len(late) > 0 {
		t.Errorf("%d posts were accepted after the answer", len(late))
	}
	alice.post(n.chat("alice"), "among ourselves", "")
	if err := zed.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := sub.NextMsg(time.Millisecond)
		if err != nil {
			break
		}
		if strings.Contains(string(m.Data), "among ourselves") {
			t.Error("the guest hears what is posted after the end")
		}
	}
	address := string(n.share.Room)
	if got := zed.ask("history", fmt.Sprintf(`{"room":%q}`, address)); got["code"] != "not_found" {
		t.Errorf("history for the guest: got %v, want not_found", got)
	}
	if a := n.send(n.token, http.MethodGet, "/v1/tenants/beta/rooms/"+address+"/messages", ""); a.status != http.StatusNotFound {
		t.Errorf("history for the guest's backend: got %d, want 404", a.status)
	}
	n.stop()
	if err := errors.Join(os.RemoveAll(resolver), os.CopyFS(resolver, os.DirFS(old))); err != nil {
		t.Fatal(err)
	}
	n.start() // with a folder of before the end: what the rows say holds
	zed2 := n.peer("beta", "zed")
	if err := zed2.Publish(n.chat("zed"), []byte(`{"text":"x"}`)); err != nil {
		t.Fatal(err)
	}
	zed2.wantDenied(n.chat("zed"))
}

func TestSharesOnlyReadWhereTheHostSaysSo(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.accept()
	zed := n.peer("beta", "zed")
	zed.post(n.chat("zed"), "allowed", "")
	n.call(http.MethodPatch, "/v1/tenants/acme/shares/"+n.share.ID, `{"post":false}`)
	if _, err := zed.tryPost(n.chat("zed"), "refused", "", 5*time.Second); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a guest who only reads posts: got %v, want no responders", err)
	}
	n.call(http.MethodPatch, "/v1/tenants/acme/shares/"+n.share.ID, `{"post":true}`)
	zed.post(n.chat("zed"), "allowed again", "")
	if got := len(n.senders("acme", "hall")); got != 2 {
		t.Errorf("got %d messages, want 2", got)
	}
}

// records are all that a refused call on shares might have touched: what tenants have, what the trail tells, what is
// still to be done, and what the servers are to know.
func (n *neighbours) records() string {
	n.t.Helper()
	var all string
	err := n.database().QueryRow(n.t.Context(), `SELECT concat_ws(E'\n',
		(SELECT string_agg(to_jsonb(s)::text, ' ' ORDER BY share_id) FROM shares s),
		(SELECT string_agg(to_jsonb(m)::text, ' ' ORDER BY room_pk, tenant_id, user_id) FROM members m),
		(SELECT string_agg(to_jsonb(r)::text, ' ' ORDER BY room_pk) FROM rooms r),
		(SELECT string_agg(encode(content, 'hex'), ' ' ORDER BY account) FROM accounts),
		(SELECT count(*)::text FROM audit), (SELECT count(*)::text FROM river_job WHERE kind IN ('settle_share', 'expire_share', 'push_claims')))`).Scan(&all)
	if err != nil {
		n.t.Fatal(err)
	}
	return all
}

// Whatever can't be is refused with its field or its reason, and leaves no trace (ISO-15: no share to oneself, none passed on).
func TestSharesThatCantBe(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.room("acme", "own", "private")
	n.call(http.MethodPatch, "/v1/tenants/gamma", `{"status":"suspended"}`)
	n.tenant("delta")
	one := "/" + n.share.ID
	type ask struct {
		name, tenant, method, path, body string
		status                           int
		says                             string
	}
	refuse := func(asks ...ask) {
		t.Helper()
		for _, c := range asks {
			before := n.records()
			a := n.send(n.token, c.method, "/v1/tenants/"+c.tenant+"/shares"+c.path, c.body)
			if a.status != c.status || !strings.Contains(string(a.body), c.says) {
				t.Errorf("%s: got %d %s, want %d that says %q", c.name, a.status, a.body, c.status, c.says)
			}
			if after := n.records(); after != before {
				t.Errorf("%s: records changed from\n%s\nto\n%s", c.name, before, after)
			}
		}
	}
	offer := func(name, tenant, body string, status int, says string) ask {
		return ask{name, tenant, http.MethodPost, "", body, status, says}
	}
	refuse(
		offer("an offer to oneself", "acme", `{"room":"hall","guest":"acme"}`, 422, `"guest"`),
		offer("an offer to nobody", "acme", `{"room":"hall","guest":"nobody"}`, 422, `"guest"`),
		offer("an offer to no id", "acme", `{"room":"hall","guest":"*"}`, 422, `"guest"`),
		offer("an offer to a suspended tenant", "acme", `{"room":"hall","guest":"gamma"}`, 422, `"guest"`),
		offer("an offer of a room that isn't shared", "acme", `{"room":"own","guest":"beta"}`, 422, `"room"`),
		offer("an offer of no room", "acme", `{"room":"nowhere","guest":"beta"}`, 422, `"room"`),
		offer("an offer of a wildcard", "acme", `{"room":"*","guest":"beta"}`, 422, `"room"`),
		offer("an offer of nothing", "acme", `{"guest":"beta"}`, 422, `"room"`),
		offer("an offer twice", "acme", `{"room":"hall","guest":"beta"}`, 409, "conflict"),
		offer("an offer of the past", "acme", `{"room":"hall","guest":"delta","until":"2020-01-01T00:00:00Z"}`, 422, `"until"`),
		offer("an offer with an unknown history", "acme", `{"room":"hall","guest":"delta","history":"some"}`, 422, `"history"`),
		offer("an offer with an unknown key", "acme", `{"room":"hall","guest":"delta","write":true}`, 422, "write"),
		offer("an offer of the host's room by its guest", "beta", fmt.Sprintf(`{"room":%q,"guest":"delta"}`, n.share.Room), 422, `"room"`),
		ask{"the host accepts", "acme", http.MethodPost, one + "/accept", "", 403, "forbidden"},
		ask{"a third accepts", "delta", http.MethodPost, one + "/accept", "", 404, "not_found"},
		ask{"a third looks", "delta", http.MethodGet, one, "", 404, "not_found"},
		ask{"a third ends", "delta", http.MethodDelete, one, "", 404, "not_found"},
		ask{"a share of no id", "beta", http.MethodPost, "/x/accept", "", 422, `"share"`},
	)
	n.accept()
	refuse(
		ask{"accepted twice", "beta", http.MethodPost, one + "/accept", "", 409, "conflict"},
		ask{"declined after it was accepted", "beta", http.MethodPost, one + "/decline", "", 409, "conflict"},
		ask{"the guest lets itself post", "beta", http.MethodPatch, one, `{"post":true}`, 403, "forbidden"},
		offer("passed on by the guest", "beta", fmt.Sprintf(`{"room":%q,"guest":"delta"}`, n.share.Room), 422, `"room"`),
		offer("offered back to the host", "beta", fmt.Sprintf(`{"room":%q,"guest":"acme"}`, n.share.Room), 422, `"room"`),
	)
	n.end("beta")
	refuse(
		ask{"ended twice", "acme", http.MethodDelete, one, "", 409, "conflict"},
		ask{"accepted after the end", "beta", http.MethodPost, one + "/accept", "", 409, "conflict"},
		ask{"changed after the end", "acme", http.MethodPatch, one, `{"post":false}`, 409, "conflict"},
	)
	n.offer(`"post":true`)
	if _, err := n.database().Exec(t.Context(), `UPDATE shares SET expires_at = now() - interval '1 minute' WHERE share_id = $1`, n.share.ID); err != nil {
		t.Fatal(err)
	}
	if a := n.answerShare("beta", "accept"); a.status != http.StatusConflict {
		t.Errorf("accepted after the offer's time: got %d %s, want 409", a.status, a.body)
	}
}

func TestTheHostKeepsAGuestsUserOut(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.accept()
	zed := n.peer("beta", "zed")
	zed.post(n.chat("zed"), "hello", "")
	room, hall := "/v1/tenants/beta/rooms/"+string(n.share.Room), "/v1/tenants/acme/rooms/hall"
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"the host puts a guest's user in", http.MethodPut, hall + "/members/alice@beta", `{}`, 403},
		{"the host removes a stranger", http.MethodDelete, hall + "/members/alice@beta", "", 404},
		{"the guest renames the room", http.MethodPatch, room, `{"title":"Mine"}`, 403},
		{"the guest deletes the room", http.MethodDelete, room, "", 403},
		{"the guest removes the host's user", http.MethodDelete, room + "/members/alice@acme", "", 404},
		{"the host removes a guest's user", http.MethodDelete, hall + "/members/zed@beta", "", 204},
	} {
		if a := n.send(n.token, c.method, c.path, c.body); a.status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, a.status, a.body, c.status)
		}
	}
	if got := n.peer("beta", "zed").ask("history", fmt.Sprintf(`{"room":%q}`, n.share.Room)); got["code"] != "not_found" {
		t.Errorf("history of a user who was removed: got %v, want not_found", got)
	}
	n.member("beta", string(n.share.Room), "zed", "member") // his tenant may put him in again
	zed = n.peer("beta", "zed")
	zed.post(n.chat("zed"), "again", "")

	alice := n.peer("acme", "alice") // an owner of the host's
	if got := alice.ask("ban", `{"room":"hall","user":"zed@beta"}`); got["ok"] != true {
		t.Fatalf("ban: got %v", got)
	}
	if a := n.send(n.token, http.MethodPut, room+"/members/zed", `{}`); a.status != http.StatusForbidden {
		t.Errorf("his tenant puts a banned user in: got %d %s, want 403", a.status, a.body)
	}
	zed = n.peer("beta", "zed")
	if err := zed.Publish(n.chat("zed"), []byte(`{"text":"x"}`)); err != nil {
		t.Fatal(err)
	}
	zed.wantDenied(n.chat("zed"))
	if got := alice.ask("unban", `{"room":"hall","user":"zed@beta"}`); got["ok"] != true {
		t.Fatalf("unban: got %v", got)
	}
	n.member("beta", string(n.share.Room), "zed", "member")
	n.peer("beta", "zed").post(n.chat("zed"), "back", "")
	if got := n.senders("acme", "hall"); !slices.Equal(got, []string{"zed@beta", "zed@beta", "zed@beta"}) {
		t.Errorf("got posts of %v, want three of zed's", got)
	}
}

// What the rows say of a share holds after a crash between their commit and what follows from it. ISO-14, FLT-02.
func TestSharedRoomsFollowTheRowsAfterACrash(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.accept()
	n.peer("beta", "zed").post(n.chat("zed"), "before", "")
	for _, c := range []struct {
		name, change string
		posts        bool
	}{
		{"ended", `UPDATE shares SET status = 'ended', ended_at = now() WHERE share_id = $1`, false},
		{"accepted", `UPDATE shares SET status = 'accepted', ended_at = NULL WHERE share_id = $1`, true},
		{"only to read", `UPDATE shares SET post = false WHERE share_id = $1`, false},
	} {
		if _, err := n.database().Exec(t.Context(), c.change, n.share.ID); err != nil {
			t.Fatal(err)
		}
		n.kill()
		n.start()
		zed := n.peer("beta", "zed")
		ack, err := zed.tryPost(n.chat("zed"), c.name, "", 10*time.Second)
		if posts := err == nil && ack.Error == nil; posts != c.posts {
			t.Errorf("%s: the guest posts: %v (%v), want %v", c.name, posts, err, c.posts)
		}
		if got := zed.ask("history", fmt.Sprintf(`{"room":%q}`, n.share.Room))["ok"]; got != (c.name != "ended") {
			t.Errorf("%s: the guest reads: %v", c.name, got)
		}
	}
	if got := n.texts("acme", "hall"); strings.Contains(got, "ended") || strings.Contains(got, "only to read") {
		t.Errorf("got %s, want what was allowed alone", got)
	}
}

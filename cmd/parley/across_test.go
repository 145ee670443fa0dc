package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

// both are alice of the host's and zed of the guest's in one room, and a mate of each.
type both struct {
	*neighbours
	alice, zed *peer
	room       string // as the guest has it
}

func newBoth(t *testing.T) *both {
	t.Helper()
	n := newNeighbours(t)
	n.accept()
	return &both{neighbours: n, alice: n.peer("acme", "alice"), zed: n.peer("beta", "zed"), room: string(n.share.Room)}
}

func (b *both) unread(p *peer, room string) (unread, mentions int) {
	b.t.Helper()
	for _, r := range p.must("unread", `{"room":%q}`, room)["rooms"].([]any) {
		v := r.(map[string]any)
		return int(v["unread"].(float64)), int(v["mentions"].(float64))
	}
	return 0, 0
}

func TestUnreadAndMentionsAcrossTenants(t *testing.T) {
	t.Parallel()
	b := newBoth(t)
	told := b.zed.listen("live.user.zed.mention")
	toldHost := b.alice.listen("live.user.alice.mention")
	if _, err := b.alice.tryBody(b.chat("alice"), `{"text":"you there?","mentions":["zed@beta"]}`, "", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	last := b.alice.post(b.chat("alice"), "hello?", "")
	if unread, mentions := b.unread(b.zed, b.room); unread != 2 || mentions != 1 {
		t.Errorf("the guest: got %d unread and %d mentions, want 2 and 1", unread, mentions)
	}
	if unread, _ := b.unread(b.alice, "hall"); unread != 0 {
		t.Errorf("who spoke: got %d unread, want none", unread)
	}
	m := string(b.zed.next(told).Data)
	if !strings.Contains(m, `"room":"`+b.room+`"`) || !strings.Contains(m, `"by":"alice@acme"`) {
		t.Errorf("the mention's notice: got %s, want the room's address, by alice@acme", m)
	}
	b.zed.must("read", `{"room":%q,"seq":%d}`, b.room, last.Seq)
	if unread, mentions := b.unread(b.zed, b.room); unread != 0 || mentions != 0 {
		t.Errorf("the guest after reading: got %d unread and %d mentions, want none", unread, mentions)
	}
	if _, err := b.zed.tryBody(b.chat("zed"), `{"text":"here","mentions":["alice@acme"]}`, "", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if unread, mentions := b.unread(b.alice, "hall"); unread != 1 || mentions != 1 {
		t.Errorf("the host: got %d unread and %d mentions, want 1 and 1", unread, mentions)
	}
	if m := string(b.alice.next(toldHost).Data); !strings.Contains(m, `"room":"hall"`) || !strings.Contains(m, `"by":"zed@beta"`) {
		t.Errorf("the mention's notice: got %s, want hall, by zed@beta", m)
	}
}

func TestReceiptsAcrossTenants(t *testing.T) {
	t.Parallel()
	b := newBoth(t)
	receipts := map[*peer]string{b.alice: "zed@beta", b.zed: "alice@acme"}
	ack := b.alice.post(b.chat("alice"), "read me", "")
	heard := b.alice.listen("live.user.alice.read")
	b.zed.must("read", `{"room":%q,"seq":%d}`, b.room, ack.Seq)
	if m := string(b.alice.next(heard).Data); !strings.Contains(m, `"room":"hall"`) || !strings.Contains(m, `"zed@beta"`) {
		t.Errorf("the receipt: got %s, want of zed@beta in hall", m)
	}
	heard = b.zed.listen("live.user.zed.read")
	ack = b.zed.post(b.chat("zed"), "and me", "")
	b.alice.must("read", `{"room":"hall","seq":%d}`, ack.Seq)
	if m := string(b.zed.next(heard).Data); !strings.Contains(m, b.room) || !strings.Contains(m, `"alice@acme"`) {
		t.Errorf("the receipt: got %s, want of alice@acme", m)
	}
	for p, other := range receipts {
		room := map[*peer]string{b.alice: "hall", b.zed: b.room}[p]
		found := false
		for _, m := range p.must("members", `{"room":%q}`, room)["members"].([]any) {
			v := m.(map[string]any)
			found = found || v["user"] == other && v["read"] == float64(ack.Seq)
		}
		if !found {
			t.Errorf("%s sees members %v, want %s with what he read", p.user, p.must("members", `{"room":%q}`, room), other)
		}
	}
}

// A guest sees who is in the room, and nothing else of the host.
func TestTheDirectoryOfAGuestIsTheRoom(t *testing.T) {
	t.Parallel()
	b := newBoth(t)
	var page struct{ Members []tenant.Member }
	b.call(http.MethodGet, "/v1/tenants/beta/rooms/"+b.room+"/members", "").into(t, &page)
	var who []string
	for _, m := range page.Members {
		who = append(who, string(m.User))
	}
	slices.Sort(who)
	if !slices.Equal(who, []string{"alice@acme", "zed"}) {
		t.Errorf("got members %v, want zed and alice@acme", who)
	}
	for _, path := range []string{"/users/bob@acme", "/users/alice@acme", "/users/bob", "/rooms/hall", "/rooms/hall/members"} {
		if a := b.send(b.token, http.MethodGet, "/v1/tenants/beta"+path, ""); a.status != http.StatusNotFound && a.status != 422 {
			t.Errorf("%s: got %d %s, want nothing", path, a.status, a.body)
		}
	}
	b.zed.wantRefused("invalid", "presence", `{"users":["bob@acme"]}`)
	b.zed.wantRefused("invalid", "direct", `{"user":"alice@acme"}`)
	if got := b.zed.must("search", `{"query":"r"}`); len(got["rooms"].([]any)) != 1 {
		t.Errorf("search for rooms: got %v, want the shared one alone", got["rooms"])
	}
}

// Both sides find what the other said, by the names that they have for the room and its people.
func TestSearchAcrossTenants(t *testing.T) {
	t.Parallel()
	b := newBoth(t)
	b.alice.post(b.chat("alice"), "the quarterly invoice", "")
	b.zed.post(b.chat("zed"), "which invoice do you mean", "")
	for _, c := range []struct {
		p       *peer
		room    string
		senders []string
	}{{b.alice, "hall", []string{"alice", "zed@beta"}}, {b.zed, b.room, []string{"alice@acme", "zed"}}} {
		for _, in := range []string{"", fmt.Sprintf(`,"room":%q`, c.room)} {
			var senders []string
			for _, m := range c.p.must("search", `{"query":"invoice"%s}`, in)["messages"].([]any) {
				v := m.(map[string]any)
				senders = append(senders, v["sender"].(string))
				if v["room"] != c.room {
					t.Errorf("%s finds it in %v, want %s", c.p.user, v["room"], c.room)
				}
			}
			slices.Sort(senders)
			if !slices.Equal(senders, c.senders) {
				t.Errorf("%s finds messages of %v, want %v", c.p.user, senders, c.senders)
			}
		}
	}
	if got := b.peer("beta", "alice").must("search", `{"query":"invoice"}`)["messages"].([]any); len(got) != 0 {
		t.Errorf("who is not in the room finds %v", got)
	}
}

// A share of a time is over when it is, as one that is ended by hand.
func TestSharedRoomsExpire(t *testing.T) {
	t.Parallel()
	b := newBoth(t)
	b.zed.post(b.chat("zed"), "in time", "")
	until := time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)
	b.call(http.MethodPatch, "/v1/tenants/acme/shares/"+b.share.ID, fmt.Sprintf(`{"until":%q}`, until))
	eventually(t, "the share expires", func() bool {
		var one shareAnswer
		b.call(http.MethodGet, "/v1/tenants/beta/shares/"+b.share.ID, "").into(t, &one)
		return one.Share.Status == tenant.ShareExpired
	})
	eventually(t, "the guest posts no more", func() bool {
		_, err := b.peer("beta", "zed").tryPost(b.chat("zed"), "too late", "", time.Second)
		return err != nil
	})
	b.peer("beta", "zed").wantRefused("not_found", "history", `{"room":%q}`, b.room)
}

// Each side moderates its own; the host, who owns the room, everybody in it.
func TestModerationAcrossTenants(t *testing.T) {
	t.Parallel()
	b := newBoth(t)
	hers, his := b.alice.post(b.chat("alice"), "hers", ""), b.zed.post(b.chat("zed"), "his", "")
	b.zed.wantRefused("forbidden", "delete", `{"room":%q,"seq":%d}`, b.room, hers.Seq)
	b.zed.wantRefused("forbidden", "freeze", `{"room":%q,"on":true}`, b.room)
	b.zed.wantRefused("forbidden", "pin", `{"room":%q,"seq":%d,"on":true}`, b.room, his.Seq)
	b.member("beta", b.room, "zed", "moderator") // a guest's moderator moderates the guest's own
	b.zed = b.peer("beta", "zed")
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodDelete, fmt.Sprintf("/messages/%d", hers.Seq), "", http.StatusForbidden},
		{http.MethodPut, fmt.Sprintf("/messages/%d/pin", hers.Seq), "", http.StatusForbidden},
		{http.MethodDelete, "/members/alice@acme", "", http.StatusNotFound},
		{http.MethodPut, "/bans/alice@acme", `{}`, http.StatusNotFound},
		{http.MethodPut, "/mutes/alice@acme", `{}`, http.StatusForbidden},
	} {
		if a := b.send(b.token, c.method, "/v1/tenants/beta/rooms/"+b.room+c.path, c.body); a.status != c.status {
			t.Errorf("the guest asks %s %s: got %d %s, want %d", c.method, c.path, a.status, a.body, c.status)
		}
	}
	b.zed.wantRefused("forbidden", "delete", `{"room":%q,"seq":%d}`, b.room, hers.Seq)
	b.zed.wantRefused("not_found", "kick", `{"room":%q,"user":"alice@acme"}`, b.room)
	b.zed.wantRefused("forbidden", "pin", `{"room":%q,"seq":%d,"on":true}`, b.room, his.Seq)
	b.alice.must("delete", `{"room":"hall","seq":%d}`, his.Seq)
	b.alice.must("pin", `{"room":"hall","seq":%d,"on":true}`, hers.Seq)
	if got := b.zed.must("pins", `{"room":%q}`, b.room)["messages"].([]any); len(got) != 1 || got[0].(map[string]any)["sender"] != "alice@acme" {
		t.Errorf("pins for the guest: got %v, want alice@acme's", got)
	}
	reported := b.alice.listen("live.user.alice.reported")
	b.zed.must("report", `{"room":%q,"seq":%d,"reason":"rude"}`, b.room, hers.Seq)
	if m := string(b.alice.next(reported).Data); !strings.Contains(m, `"by":"zed@beta"`) {
		t.Errorf("the report: got %s, want by zed@beta", m)
	}
	closedAcross(t, b)
	b.alice.wantRefused("forbidden", "mute", `{"room":"hall","user":"zed@beta","seconds":3600}`) // she may kick and ban him
	mutes := "/v1/tenants/beta/rooms/" + b.room + "/mutes/zed"
	b.call(http.MethodPut, mutes, `{}`)
	if err := b.zed.Publish(b.chat("zed"), []byte(`{"text":"x"}`)); err != nil {
		t.Fatal(err)
	}
	b.zed.wantDenied("void.muted")
	b.call(http.MethodDelete, mutes, "")
	b.zed.post(b.chat("zed"), "spoken", "")
	if got := b.texts("acme", "hall"); !strings.Contains(got, "zed@beta:spoken") {
		t.Errorf("got %s, want what he said when he was free again", got)
	}
	b.alice.must("freeze", `{"room":"hall","on":true}`)
	if _, err := b.zed.tryPost(b.chat("zed"), "into the ice", "", time.Second); err == nil {
		t.Error("the guest posts in a frozen room")
	}
}

// Who has access, since when and by whom, is one call for either side, and both trails tell what happened.
func TestBothSidesSeeWhoHasAccess(t *testing.T) {
	t.Parallel()
	b := newBoth(t)
	for _, side := range []string{"acme", "beta"} {
		var one shareAnswer
		b.call(http.MethodGet, "/v1/tenants/"+side+"/shares/"+b.share.ID, "").into(t, &one)
		s := one.Share
		if s.Host != "acme" || s.Guest != "beta" || s.Status != "accepted" || s.OfferedAt.IsZero() || s.AcceptedAt.IsZero() || s.OfferedBy == "" || s.AcceptedBy == "" {
			t.Errorf("%s: got %+v, want both tenants, times and who did it", side, s)
		}
	}
	b.call(http.MethodPatch, "/v1/tenants/acme/shares/"+b.share.ID, `{"post":false}`)
	b.end("beta")
	for side, want := range map[string][]string{
		"acme": {"share.offer", "share.accept", "share.update", "share.end"}, "beta": {"share.offer", "share.accept", "share.update", "share.end"},
	} {
		var page struct{ Entries []tenant.AuditEntry }
		a := b.call(http.MethodGet, "/v1/tenants/"+side+"/audit?limit=100", "")
		a.into(t, &page)
		for _, action := range want {
			if !strings.Contains(string(a.body), fmt.Sprintf("%q", action)) {
				t.Errorf("the trail of %s lacks %s", side, action)
			}
		}
	}
}

// closedAcross has the guest close a report that its host sees too: the host learns the outcome, and not the note.
func closedAcross(t *testing.T, b *both) {
	t.Helper()
	var seen struct{ Reports []tenant.Report }
	b.call(http.MethodGet, "/v1/tenants/beta/reports?state=open", "").into(t, &seen)
	if len(seen.Reports) != 1 {
		t.Fatalf("the guest's reports: got %+v, want zed's", seen.Reports)
	}
	path := fmt.Sprintf("/reports/%d/close", seen.Reports[0].ID)
	if got := b.send(b.token, http.MethodPost, "/v1/tenants/gamma"+path, `{"outcome":"acted"}`); got.status != 404 {
		t.Errorf("a third tenant closes it: got %d %s, want 404", got.status, got.body)
	}
	b.call(http.MethodPost, "/v1/tenants/beta"+path, `{"outcome":"acted","note":"we talked"}`)
	for of, note := range map[string]string{"acme": "", "beta": "we talked"} {
		var closed struct{ Reports []tenant.Report }
		b.call(http.MethodGet, "/v1/tenants/"+of+"/reports?state=closed", "").into(t, &closed)
		if len(closed.Reports) != 1 || closed.Reports[0].Closed == nil || closed.Reports[0].Closed.Tenant != "beta" || closed.Reports[0].Closed.Note != note {
			t.Errorf("%s: got %+v, want it closed by beta with the note %q", of, closed.Reports, note)
		}
	}
}

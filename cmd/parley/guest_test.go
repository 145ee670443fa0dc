package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// A connection that does not carry a shared room is told what is unread there, with what mentions its user, and not counting what was
// said before the share.
func TestAGuestIsToldWhatIsUnread(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.end("acme")
	n.offer(`"post":true,"history":"share"`)
	alice := n.peer("acme", "alice")
	alice.post(n.chat("alice"), "before the share, @zed", "")
	n.accept()
	away, err := n.dial(n.NATS, "zed", nats.Token(n.userToken("beta", "zed")+";rooms="))
	if err != nil {
		t.Fatal(err)
	}
	unread := away.listen("live.user.zed.unread")
	// Who carries what is known from the sessions, which are written behind the decision.
	eventually(t, "zed's session is kept", func() bool {
		return strings.Count(string(n.call(http.MethodGet, "/v1/tenants/beta/users/zed/connections", "").body), `"method":"token"`) == 1
	})
	if _, err := alice.tryBody(n.chat("alice"), `{"text":"news","mentions":["zed@beta"]}`, "", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Room             string
		Unread, Mentions int
	}
	if err := json.Unmarshal(away.next(unread).Data, &got); err != nil || got.Room != string(n.share.Room) || got.Unread != 1 || got.Mentions != 1 {
		t.Errorf("got %+v, %v, want one unread that mentions zed", got, err)
	}
}

// What is kept of a guest's user is in his export, by the names that his tenant has, and goes when he is erased: in the host's
// room too, and nothing else there.
func TestAGuestsUserIsExportedAndErased(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.accept()
	alice, zed := n.peer("acme", "alice"), n.peer("beta", "zed")
	alice.post(n.chat("alice"), "stays", "")
	zed.post(n.chat("zed"), "personal", "")
	export := string(n.call(http.MethodGet, "/v1/tenants/beta/users/zed/export", "").body)
	for _, want := range []string{`"room":"` + string(n.share.Room) + `"`, "personal", `"sender":"zed"`} {
		if !strings.Contains(export, want) {
			t.Errorf("zed's export: got %s, want it to have %s", export, want)
		}
	}
	for _, never := range []string{"stays", "hall"} {
		if strings.Contains(export, never) {
			t.Errorf("zed's export has %q, which is the host's", never)
		}
	}
	n.call(http.MethodPost, "/v1/tenants/beta/users/zed/erase", "")
	eventually(t, "zed is erased", func() bool {
		var e struct {
			Erasure tenant.PersonErasure `json:"erasure"`
		}
		n.call(http.MethodGet, "/v1/tenants/beta/users/zed/erase", "").into(t, &e)
		return !e.Erasure.FinishedAt.IsZero()
	})
	if got := n.texts("acme", "hall"); strings.Contains(got, "personal") || !strings.Contains(got, "alice:stays") {
		t.Errorf("acme reads %s, want what zed said gone and the rest there", got)
	}
}

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

// said is what a message shows to who reads it.
func said(all []tenant.Message) (lines []string) {
	for _, m := range all {
		if m.Sender != tenant.System {
			lines = append(lines, fmt.Sprint(m.Sender, " ", m.Text, " ", m.Replies, m.Mentions, m.Reactions, !m.Edited.IsZero(), !m.Deleted.IsZero()))
		}
	}
	return lines
}

// A guest that was offered a copy keeps what its users could read, and nothing that happens afterwards changes it; one that
// was not keeps nothing (TestAnEndedShareIsOver).
func TestAGuestKeepsAFrozenCopy(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	n.end("acme") // of an offer nobody keeps anything
	n.offer(`"post":true,"history":"share","keep_copy":true`)
	alice := n.peer("acme", "alice")
	alice.post(n.chat("alice"), "before the share", "")
	n.accept()
	alice, zed := n.peer("acme", "alice"), n.peer("beta", "zed")
	seq := func(a puback) string { return fmt.Sprintf(`{"room":%%q,"seq":%d`, a.Seq) }
	first := alice.post(n.chat("alice"), "first", "")
	second := zed.post(n.chat("zed"), "second", "")
	reply := fmt.Sprintf(`{"text":"a reply","thread":%d,"mentions":["alice@acme","zed"]}`, first.Seq)
	if _, err := zed.tryBody(n.chat("zed"), reply, "", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	zed.must("edit", seq(second)+`,"text":"second, edited"}`, n.share.Room)
	zed.must("react", seq(first)+`,"emoji":"👍"}`, n.share.Room)
	gone := alice.post(n.chat("alice"), "taken back", "")
	alice.must("delete", seq(gone)+`}`, "hall")
	want := said(n.history("beta", string(n.share.Room)))
	if len(want) != 4 || !strings.Contains(want[1], "second, edited") {
		t.Fatalf("before the end: got %q, want 4 messages", want)
	}

	n.end("beta")
	var ended shareAnswer
	n.call(http.MethodGet, "/v1/tenants/beta/shares/"+n.share.ID, "").into(t, &ended)
	kept := string(ended.Share.Copy)
	if !ended.Share.KeepCopy || kept == "" {
		t.Fatalf("the share: got %+v, want the copy's room", ended.Share)
	}
	eventually(t, "the copy is whole", func() bool { return slices.Equal(said(n.history("beta", kept)), want) })
	alice.must("edit", seq(first)+`,"text":"changed afterwards"}`, "hall")
	alice.post(n.chat("alice"), "afterwards", "")
	n.call(http.MethodDelete, "/v1/tenants/acme/rooms/hall", "")
	if got := said(n.history("beta", kept)); !slices.Equal(got, want) {
		t.Errorf("after the host's changes: got %q, want %q", got, want)
	}
	zed = n.peer("beta", "zed")
	if got := zed.must("history", `{"room":%q}`, kept)["messages"].([]any); len(got) != 4 {
		t.Errorf("who was in the room reads %d messages of the copy, want 4", len(got))
	}
	if got := zed.must("search", `{"query":"edited"}`)["messages"].([]any); len(got) != 1 || got[0].(map[string]any)["room"] != kept {
		t.Errorf("search: got %v, want the message of the copy", got)
	}
	n.peer("beta", "alice").wantRefused("not_found", "history", `{"room":%q}`, kept)
	post := "chat.keep.private." + kept + ".zed"
	if err := zed.Publish(post, []byte(`{"text":"x"}`)); err != nil {
		t.Fatal(err)
	}
	zed.wantDenied("void.archived")
	for _, other := range []string{"acme", "gamma"} {
		if a := n.send(n.token, http.MethodGet, "/v1/tenants/"+other+"/rooms/"+kept, ""); a.status != http.StatusNotFound {
			t.Errorf("%s at the copy: got %d, want 404", other, a.status)
		}
	}

	// The host's user who is erased is in no copy either.
	n.call(http.MethodPost, "/v1/tenants/acme/users/alice/erase", "")
	eventually(t, "the erased user's words are gone", func() bool {
		texts := n.texts("beta", kept)
		return !strings.Contains(texts, "first") && strings.Contains(texts, "second, edited")
	})
}

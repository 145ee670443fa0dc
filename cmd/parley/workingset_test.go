package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// Who does not carry a room hears how much of it is unread, and carries it after a reconnection.
func TestRoomsOutsideTheWorkingSet(t *testing.T) {
	t.Parallel()
	s := house(t)
	token, suffix := s.userToken("acme", "bob"), ";rooms="
	bob, err := s.dial(s.NATS, "bob", nats.TokenHandler(func() string { return token + suffix }))
	if err != nil {
		t.Fatal(err)
	}
	told := bob.listen("live.user.bob.unread")
	alice := s.peer("acme", "alice")
	hers := alice.listen("live.user.alice.unread")
	bob.listen("live.std.private.board.*")
	bob.wantDenied("live.std.private.board.*")
	// Who carries what is known from the sessions, which are written behind the decision.
	eventually(t, "bob's session is kept", func() bool {
		return strings.Contains(string(s.call(http.MethodGet, "/v1/tenants/acme/users/bob/connections", "").body), `"method":"token"`)
	})
	first := alice.post("chat.std.private.board.alice", "outside", "")
	var n struct {
		Room   string
		Unread int
		Last   uint64
	}
	if err := json.Unmarshal(bob.next(told).Data, &n); err != nil || n.Room != "board" || n.Unread != 1 || n.Last != first.Seq {
		t.Errorf("notice: got %+v (%v), want one unread in board", n, err)
	}
	suffix = ";rooms=board"
	if err := bob.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob is back", func() bool { return bob.Stats().Reconnects == 1 && bob.IsConnected() })
	live := bob.listen("live.std.private.board.*")
	alice.post("chat.std.private.board.alice", "inside", "")
	bob.next(live)
	alice.quiet(hers)
}

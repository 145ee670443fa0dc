package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/client"
)

// A backend that answers wherever it is told to is no oracle: its account has no rights beyond inboxes and what servers make,
// so that nothing is deleted, stored or said by it.
func TestANaiveBackendAnswersNowhereElse(t *testing.T) { // IDN-06
	t.Parallel()
	s := house(t)
	_, creds := s.serviceKey("acme", "bot")
	bot, err := s.dial(s.NATS, "bot", creds)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 100)
	if _, err := bot.Subscribe("svc.bot.*.*", func(m *nats.Msg) {
		asked <- m.Reply
		_ = m.Respond(nil) // the server says no
	}); err != nil {
		t.Fatal(err)
	}
	if err := bot.Flush(); err != nil {
		t.Fatal(err)
	}
	alice, mallory := s.peer("acme", "alice"), s.peer("acme", "mallory")
	stream := alice.post("chat.std.open.lobby.alice", "kept", "").Stream
	live := alice.listen("live.std.open.lobby.*")
	for _, aim := range []string{
		"$JS.API.STREAM.DELETE." + stream, "$JS.API.STREAM.PURGE." + stream, "$SYS.REQ.SERVER.PING", "chat.api.alice.leave",
		"chat.std.open.lobby.alice", "sig.std.open.lobby.alice",
	} {
		if err := mallory.PublishRequest("svc.bot.acme.mallory", aim, []byte("?")); err != nil {
			t.Fatal(err)
		}
		if got := <-asked; got != aim {
			t.Fatalf("the backend was asked to answer on %s, want %s", got, aim)
		}
		bot.wantDenied(aim)
	}
	if m, err := mallory.Request("svc.bot.acme.mallory", nil, patience); err != nil || len(m.Data) != 0 {
		t.Errorf("the allowed twin: got %v, %v", m, err)
	}
	alice.quiet(live)
	if got := s.texts("acme", "lobby"); got != "alice:kept" {
		t.Errorf("history: got %q, want the one message", got)
	}
	alice.post("chat.std.open.lobby.alice", "the stream is there", "")
}

// The SDK's backend answers its own tenant's users in their inboxes, and another's by the share alone.
func TestASharedServiceAnsweredByTheSDK(t *testing.T) { // IDN-06
	t.Parallel()
	n := newNeighbours(t)
	var made keyAnswer
	n.call(http.MethodPost, "/v1/tenants/acme/keys", `{"kind":"service","name":"oracle"}`).into(t, &made)
	file := filepath.Join(t.TempDir(), "oracle.creds")
	if err := os.WriteFile(file, []byte(made.Creds), 0o600); err != nil {
		t.Fatal(err)
	}
	bot, err := client.Connect(t.Context(), client.Options{URL: n.NATS, User: "oracle", CredsFile: file})
	if err != nil {
		t.Fatal(err)
	}
	sh := n.shareService("oracle")
	n.call(http.MethodPost, "/v1/tenants/beta/shares/"+sh.ID+"/accept", "")
	ctx, cancel := context.WithCancel(t.Context())
	answer := func(_ context.Context, q client.Question) []byte {
		return fmt.Appendf(nil, "%s %t %s", q.User, q.Share == sh.ID, q.Body)
	}
	if err := bot.Answer(ctx, "oracle", []string{sh.ID}, answer); err != nil {
		t.Fatal(err)
	}
	alice, zed := n.peer("acme", "alice"), n.peer("beta", "zed")
	alice.wantAnswer("svc.oracle.acme.alice", "alice false ?")
	zed.wantAnswer("svc.oracle@acme.beta.zed", "zed true ?")
	if err := alice.PublishRequest("svc.oracle.acme.alice", "_INBOX.mallory.x", []byte("aimed")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is aimed elsewhere is counted", func() bool { return bot.Stats().Junk == 1 })
	for name, err := range map[string]error{
		"of a name that is none": bot.Answer(t.Context(), "a.b", nil, nil),
		"of all":                 bot.Answer(t.Context(), "*", nil, nil),
	} {
		if err == nil {
			t.Errorf("answers for a service %s: got no error", name)
		}
	}
	cancel()
	eventually(t, "nobody answers any more", func() bool {
		_, err := alice.Request("svc.oracle.acme.alice", nil, time.Second) // one that was on its way is not answered
		return errors.Is(err, nats.ErrNoResponders)
	})
	bot.Close()
	if err := bot.Answer(t.Context(), "oracle", nil, answer); err == nil {
		t.Error("a closed client answers")
	}
}

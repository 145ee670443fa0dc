package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
)

// serviceKey makes service credentials; it returns the key's id and the option to connect with.
func (s *server) serviceKey(tenant, name string) (id string, creds nats.Option) {
	s.t.Helper()
	var made keyAnswer
	s.call(http.MethodPost, "/v1/tenants/"+tenant+"/keys", fmt.Sprintf(`{"kind":"service","name":%q}`, name)).into(s.t, &made)
	file := filepath.Join(s.t.TempDir(), name+".creds")
	if err := os.WriteFile(file, []byte(made.Creds), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return made.Key.ID, nats.UserCredentials(file)
}

func TestServiceCredentials(t *testing.T) {
	t.Parallel()
	s := house(t)
	id, creds := s.serviceKey("acme", "bot")
	for name, code := range map[string]int{"alice": 409, "_": 422, "a.b": 422, "*": 422, "open": 422, "": 422} {
		if got := s.send(s.token, http.MethodPost, "/v1/tenants/acme/keys", fmt.Sprintf(`{"kind":"service","name":%q}`, name)); got.status != code {
			t.Errorf("a service named %q: got %d %s, want %d", name, got.status, got.body, code)
		}
	}
	bots := map[string]*peer{}
	for scheme, url := range map[string]string{"tcp": s.NATS, "ws": s.WS} {
		p, err := s.dial(url, "bot", creds)
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		bots[scheme] = p
	}
	bot, alice := bots["tcp"], s.peer("acme", "alice")

	t.Run("posts and reads every room but direct ones", func(t *testing.T) {
		for room, kind := range map[string]string{"lobby": "open", "board": "private", "news": "announce"} {
			heard := bot.listen("live.std." + kind + "." + room + ".*")
			bot.post("chat.std."+kind+"."+room+".bot", "from the bot", "")
			alice.post("chat.std."+kind+"."+room+".alice", "from alice", "")
			if m := bot.next(heard); m.Subject != "live.std."+kind+"."+room+".bot" {
				t.Errorf("%s: got %s, want the bot's message", room, m.Subject)
			}
			bot.next(heard)
			if h := s.history("acme", room); len(h) != 2 || h[0].Sender != "bot" {
				t.Errorf("%s: got history %+v, want the bot's message first", room, h)
			}
		}
		for subject, denied := range map[string]string{
			"chat.std.open.lobby.alice": "chat.std.open.lobby.alice", "chat.std.direct.alice.bob.bot": "chat.std.direct.alice.bob.bot",
			"chat.std.open.lobby._": "void.system", "live.std.open.lobby.bot": "void.std.open.lobby.bot", "$JS.API.INFO": "$JS.API.INFO",
		} {
			if err := bot.Publish(subject, []byte(`{"text":"x"}`)); err != nil {
				t.Fatal(err)
			}
			bot.wantDenied(denied)
		}
		for _, subject := range []string{"chat.>", "live.>", "live.std.direct.alice.bob.*", "live.user.alice.*", "_INBOX.alice.>"} {
			if _, err := bot.SubscribeSync(subject); err != nil {
				t.Fatal(err)
			}
			bot.wantDenied(subject)
		}
		if h := s.history("acme", "alice.bob"); len(h) != 0 {
			t.Errorf("got %+v in the direct room, want nothing", h)
		}
	})

	t.Run("asks the chat service, and is listed", func(t *testing.T) {
		if got := bot.ask("whoami", "{}"); got["user"] != "bot" {
			t.Errorf("whoami: got %v, want bot", got)
		}
		var list struct {
			Connections []struct{ User, Method, Address string }
		}
		for _, path := range []string{"/v1/tenants/acme/users/bot/connections", "/v1/tenants/acme/connections"} {
			s.call(http.MethodGet, path, "").into(t, &list)
			n := 0
			for _, c := range list.Connections {
				if c.User == "bot" && c.Method == "service" && c.Address != "" {
					n++
				}
			}
			if n != 2 {
				t.Errorf("%s: got %+v, want two of bot by service", path, list.Connections)
			}
		}
	})

	t.Run("one key is removed and another stays", func(t *testing.T) {
		_, second := s.serviceKey("acme", "bot")
		other, err := s.dial(s.NATS, "bot", second)
		if err != nil {
			t.Fatal(err)
		}
		s.call(http.MethodDelete, "/v1/tenants/acme/keys/"+id, "")
		for scheme, p := range bots {
			eventually(t, "the connection over "+scheme+" is closed", func() bool { return !p.IsConnected() })
		}
		s.out(s.NATS, "bot", creds)
		s.out(s.WS, "bot", creds)
		other.post("chat.std.open.lobby.bot", "still here", "")
		if other.Stats().Reconnects != 0 {
			t.Error("the other key's connection was closed too")
		}

		var revoked revokeAnswer
		s.call(http.MethodPost, "/v1/tenants/acme/users/bot/revoke", `{"reason":"odd"}`).into(t, &revoked)
		eventually(t, "the revoked bot is out", func() bool { return !other.IsConnected() })
		s.out(s.NATS, "bot", second)
		s.call(http.MethodPost, "/v1/tenants/acme/users/bot/restore", "")
		eventually(t, "the restored bot is back", other.IsConnected)
		other.post("chat.std.open.lobby.bot", "back", "")

		s.call(http.MethodPatch, "/v1/tenants/acme", `{"status":"suspended"}`)
		eventually(t, "the suspended tenant's bot is out", func() bool { return !other.IsConnected() })
		s.out(s.NATS, "bot", second)
		s.call(http.MethodPatch, "/v1/tenants/acme", `{"status":"active"}`)
		eventually(t, "the bot is back with its tenant", other.IsConnected)
		other.post("chat.std.open.lobby.bot", "back again", "")

		s.kill()
		s.start()
		s.out(s.NATS, "bot", creds)
		again, err := s.dial(s.NATS, "bot", second)
		if err != nil {
			t.Fatalf("after a restart: %v", err)
		}
		again.post("chat.std.open.lobby.bot", "after a restart", "")
	})
}

// out wants that a client can't connect.
func (s *server) out(url, user string, how nats.Option) {
	s.t.Helper()
	if p, err := s.dial(url, user, how); err == nil {
		p.Close()
		s.t.Errorf("%s over %s: got in, want refused", user, url)
	}
}

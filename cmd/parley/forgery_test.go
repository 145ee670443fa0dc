package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// The cases of ADVERSARIAL.md by their ids, as far as a client of the whole program can try them.

// postSubjects are places where alice may post, and where she may not.
var postSubjects = []string{
	"chat.std.open.lobby.%s", "chat.std.private.board.%s", "chat.std.announce.news.%s", "chat.std.direct.alice.bob.%s",
	"chat.day.open.lobby.%s", "chat.api.%s.leave", "chat.shared.abc.%s",
}

func TestNobodyPostsAsAnother(t *testing.T) { // IDN-01, IDN-02
	t.Parallel()
	s := house(t)
	alice := s.peer("acme", "alice")
	for _, form := range postSubjects {
		for _, who := range []string{"bob", "_", "*", ">", "ALICE"} {
			subject := fmt.Sprintf(form, who)
			if err := alice.Publish(subject, []byte(`{"text":"forged"}`)); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(subject, "._") {
				subject = "void.system" // where the account maps it
			}
			alice.wantDenied(subject)
		}
	}
	// Replies aren't checked by NATS: an acknowledgement aimed at a post subject must not be stored there.
	for _, form := range postSubjects {
		for _, who := range []string{"bob", "alice", "_"} {
			m := nats.NewMsg("chat.std.open.lobby.alice")
			m.Reply = fmt.Sprintf(form, who)
			m.Data = []byte(`{"text":"mine"}`)
			if err := alice.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	alice.post("chat.std.open.lobby.alice", "last", "")
	for room, want := range map[string]int{"lobby": len(postSubjects)*3 + 1, "board": 0, "news": 0, "alice.bob": 0} {
		all := s.history("acme", room)
		if len(all) != want {
			t.Errorf("history of %s: got %d messages, want %d", room, len(all), want)
		}
		for _, m := range all {
			if m.Sender != "alice" {
				t.Errorf("history of %s: got a message of %s", room, m.Sender)
			}
		}
	}
}

func TestAnswersAimedAtTheAPIRunNothing(t *testing.T) { // IDN-05
	t.Parallel()
	s := house(t)
	alice, bob := s.peer("acme", "alice"), s.peer("acme", "bob")
	for _, subject := range []string{"chat.std.open.lobby.alice", "chat.api.alice.whoami", "chat.api.alice.rooms"} {
		m := nats.NewMsg(subject)
		m.Reply = "chat.api.bob.leave"
		m.Data = []byte(`{"room":"board"}`)
		if err := alice.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	alice.ask("whoami", `{}`)
	if got := bob.ask("members", `{"room":"board"}`); len(got["members"].([]any)) != 2 {
		t.Errorf("members: got %v, want alice and bob", got)
	}
	for _, bad := range []string{``, `[]`, `{"room":"board","room":"lobby"}`, `{"room":"board"} x`, `{"room":"board","as":"bob"}`, `{"room":7}`, "{\"room\":\"\xff\"}"} {
		if got := bob.ask("leave", bad); got["ok"] != false || got["code"] != "invalid" {
			t.Errorf("leave with %q: got %v, want invalid", bad, got)
		}
	}
	if got := bob.ask("leave", `{"room":"board"}`); got["ok"] != true {
		t.Errorf("the allowed twin: got %v", got)
	}
}

func TestForgedHeadersNeverCount(t *testing.T) { // IDN-07, ROOM-15
	t.Parallel()
	s := house(t)
	alice, bob := s.peer("acme", "alice"), s.peer("acme", "bob")
	refused := alice.listen("live.user.alice.refused")
	live := bob.listen("live.std.open.lobby.*")
	for name, value := range map[string]string{
		"Nats-Subject": "live.std.open.lobby.bob", "Nats-Sequence": "999999", "Nats-Stream": "x", "Nats-Time-Stamp": "2020-01-01T00:00:00Z",
	} {
		m := nats.NewMsg("chat.std.open.lobby.alice")
		m.Data = []byte(`{"text":"forged ` + name + `"}`)
		m.Header.Set(name, value)
		if _, err := alice.RequestMsg(m, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if got := bob.next(live).Header.Values(name); len(got) != 2 {
			t.Errorf("%s: got %d values, want the two that make receivers drop it", name, len(got))
		}
		alice.next(refused)
	}
	for name, value := range map[string]string{
		"Nats-Rollup": "all", "Nats-TTL": "never", "Nats-Schedule": "@at 2030-01-01T00:00:00Z", "Nats-Incr": "1",
	} {
		m := nats.NewMsg("chat.std.open.lobby.alice")
		m.Data = []byte(`{"text":"flag ` + name + `"}`)
		m.Header.Set(name, value)
		reply, err := alice.RequestMsg(m, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(reply.Data), `"error"`) {
			t.Errorf("%s: got %s, want an error", name, reply.Data)
		}
	}
	alice.post("chat.std.open.lobby.alice", "twin", "")
	if got := s.texts("acme", "lobby"); got != "alice:twin" {
		t.Errorf("history: got %q, want the twin alone", got)
	}
}

func TestUsersReachNothingButTheirSubjects(t *testing.T) { // ISO-05, ISO-06, ISO-08, ISO-17, IDN-15, ROOM-16
	t.Parallel()
	s := house(t)
	mallory := s.peer("acme", "mallory")
	for _, subject := range []string{
		">", "*", "$JS.>", "$KV.>", "$O.>", "$SYS.>", "$SYS.REQ.USER.AUTH", "_INBOX.>", "_INBOX.*.*", "_INBOX.alice.>",
		"live.>", "live.*.private.*.*", "live.std.private.board.*", "live.*.direct.alice.*.*", "live.user.alice.*", "live.user.*.revoked",
		"chat.>", "chat.api.*.*", "t.>", "sig.>", "sig.*.private.*.*",
	} {
		mallory.listen(subject)
		mallory.wantDenied(`"` + subject + `"`)
	}
	for _, subject := range []string{
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.ACK.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.CLAIMS.LIST", "$SYS.REQ.USER.INFO", "_INBOX.alice.x", "_INBOX.mallory.x",
		"live.std.open.lobby.mallory", "live.user.alice.revoked", "chat.api.alice.whoami", "sig.std.private.board.mallory",
	} {
		if err := mallory.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(subject, "live.") {
			subject = "void." + strings.TrimPrefix(subject, "live.") // where the account maps it
		}
		mallory.wantDenied(`"` + subject + `"`)
	}
	for _, op := range []string{"history.x", "history.>", "*"} {
		if err := mallory.Publish("chat.api.mallory."+op, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := mallory.ask("nonsense", `{}`); got["ok"] != false || got["code"] != "not_found" {
		t.Errorf("unknown operation: got %v, want not_found", got)
	}
	if got := mallory.ask("history", `{"room":"*"}`); got["code"] != "invalid" {
		t.Errorf("history of *: got %v, want invalid", got)
	}
	// Queue groups merge across accounts: a user in one would take others' messages.
	if _, err := mallory.QueueSubscribeSync("live.*.open.*.*", "workers"); err != nil {
		t.Fatal(err)
	}
	mallory.wantDenied("live.*.open.*.*")
	live := mallory.listen("live.*.open.*.*")
	mallory.post("chat.std.open.lobby.mallory", "twin", "")
	mallory.next(live)
}

func TestTokensThatAreNone(t *testing.T) { // IDN-09 to IDN-11, IDN-16
	t.Parallel()
	s := house(t)
	furnish(s, "umbrella")
	good := s.userToken("acme", "alice")
	part := strings.Split(good, ".")
	decode := func(p string) map[string]any {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	encode := func(m map[string]any) string {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	with := func(p string, key string, value any) string {
		m := decode(p)
		m[key] = value
		return encode(m)
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	signed := func(header, claims string) string {
		sig, err := pair.Sign([]byte(header + "." + claims))
		if err != nil {
			t.Fatal(err)
		}
		return header + "." + claims + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	for name, token := range map[string]string{
		"empty": "", "junk": "junk", "truncated": good[:len(good)-4], "no signature": part[0] + "." + part[1] + ".",
		"alg none":          with(part[0], "alg", "none") + "." + part[1] + ".",
		"alg HS256":         with(part[0], "alg", "HS256") + "." + part[1] + "." + part[2],
		"other key":         signed(part[0], part[1]),
		"other subject":     part[0] + "." + with(part[1], "sub", "bob") + "." + part[2],
		"other tenant":      part[0] + "." + with(part[1], "aud", "parley:umbrella") + "." + part[2],
		"longer life":       part[0] + "." + with(part[1], "exp", time.Now().Add(48*time.Hour).Unix()) + "." + part[2],
		"kid of a path":     signed(with(part[0], "kid", "../../etc/passwd"), part[1]),
		"key in the header": signed(with(part[0], "jwk", map[string]string{"kty": "OKP"}), part[1]),
		"large":             good + strings.Repeat("x", 30_000),
	} {
		if _, err := s.dial(s.NATS, "alice", nats.Token(token)); err == nil {
			t.Errorf("%s: got in", name)
		}
	}
	short := s.send(s.token, http.MethodPost, "/v1/tenants/acme/users/alice/tokens", `{"ttl_seconds":1}`)
	var expiring tokenAnswer
	short.into(t, &expiring)
	eventually(t, "a token of one second is refused", func() bool {
		p, err := s.dial(s.NATS, "alice", nats.Token(expiring.Token))
		if err == nil {
			p.Close()
		}
		return err != nil
	})
	for name, opt := range map[string]nats.Option{
		"no credential":  func(*nats.Options) error { return nil },
		"wrong password": nats.UserInfo("acme/alice", "bob-password"),
		"other tenant's": nats.UserInfo("umbrella/nobody", "alice-password"),
		"user alone":     nats.UserInfo("alice", "alice-password"),
		"long password":  nats.UserInfo("acme/alice", rand.Text()+strings.Repeat("x", 10_000)),
	} {
		if _, err := s.dial(s.NATS, "alice", opt); err == nil {
			t.Errorf("%s: got in", name)
		}
	}
	for name, opt := range map[string]nats.Option{"token": nats.Token(good), "password": nats.UserInfo("acme/alice", "alice-password")} {
		if _, err := s.dial(s.NATS, "alice", opt); err != nil {
			t.Errorf("the allowed twin by %s: %v", name, err)
		}
	}
}

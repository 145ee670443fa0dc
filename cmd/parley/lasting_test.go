package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A way is how somebody gets in, and what takes it from him.
type way struct {
	name, user   string
	how          nats.Option
	method, path string // that takes it away
	body         string
}

// ways are all that can be taken back, each with one of the same user or kind that stays.
func (o *signingOffice) ways() (taken []way, stays map[string]nats.Option) {
	o.t.Helper()
	s := o.server
	bot, botCreds := s.serviceKey("acme", "bot")
	_, otherCreds := s.serviceKey("acme", "bot")
	_, signed := o.sign(o.seed, "mallory")
	token, creds := s.userToken("acme", "bob"), s.credsFile("acme", "bob")
	s.users("acme", "carol", "dave")
	signedKey := nkeyOf(o.t, signed)
	taken = []way{
		{"a token", "bob", nats.Token(token), http.MethodPost, "/users/bob/tokens/" + jti(o.t, token) + "/revoke", ""},
		{"credentials", "bob", nats.UserCredentials(creds), http.MethodPost, "/users/bob/creds/" + nkeyOf(o.t, creds) + "/revoke", ""},
		{"a backend's key", "bot", botCreds, http.MethodDelete, "/keys/" + bot, ""},
		{"a user with a password", "carol", nats.UserInfo("acme/carol", "carol-password"), http.MethodPost, "/users/carol/revoke", `{"reason":"left"}`},
		{"a user who is deleted", "dave", nats.Token(s.userToken("acme", "dave")), http.MethodDelete, "/users/dave", ""},
		{"a user whom his tenant signed", signedKey, nats.UserCredentials(signed), http.MethodPost, "/users/mallory/revoke", `{"reason":"left"}`},
	}
	stays = map[string]nats.Option{
		"bob": nats.Token(s.userToken("acme", "bob")), "bot": otherCreds, "alice": nats.UserInfo("acme/alice", "alice-password"),
	}
	return taken, stays
}

// The process is killed when the caller has his answer: who was taken out stays out, and is not connected.
func TestARevocationSurvivesTheKillBehindItsAnswer(t *testing.T) { // REV-09
	t.Parallel()
	o := newSigningOffice(t)
	s := o.server
	taken, stays := o.ways()
	for _, w := range taken {
		p, err := s.dial(s.NATS, w.user, w.how, nats.ReconnectWait(10*time.Millisecond))
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		s.call(w.method, "/v1/tenants/acme"+w.path, w.body)
		s.kill()
		s.start()
		for _, url := range []string{s.NATS, s.WS} {
			s.out(url, w.user, w.how)
		}
		if p.IsConnected() {
			t.Errorf("%s: the connection is open", w.name)
		}
		p.Close()
	}
	for _, w := range taken { // after all the other restarts
		s.out(s.NATS, w.user, w.how)
	}
	for user, how := range stays {
		p, err := s.dial(s.NATS, user, how)
		if err != nil {
			t.Fatalf("the allowed twin %s: %v", user, err)
		}
		p.post("chat.std.open.lobby."+user, "still here", "")
	}
}

// Killed while it revokes, the server does what its rows say: a user is either as before, or out by every way.
func TestAKillWithinARevocationLeavesNothingHalf(t *testing.T) { // REV-09
	t.Parallel()
	o := newSigningOffice(t)
	s := o.server
	seen := map[bool]int{}
	for i := range 8 {
		user := fmt.Sprint("u", i)
		s.users("acme", user)
		nkey, signed := o.sign(o.seed, user)
		token, creds := s.userToken("acme", user), s.credsFile("acme", user)
		if _, err := s.dial(s.NATS, nkey, nats.UserCredentials(signed)); err != nil {
			t.Fatal(err)
		}
		go func(url string) { // its answer may never come
			req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(`{"reason":"left"}`))
			if err == nil {
				req.Header.Set("Authorization", "Bearer "+s.token)
				req.Header.Set("Content-Type", "application/json")
				if res, err := http.DefaultClient.Do(req); err == nil {
					_ = res.Body.Close()
				}
			}
		}(s.HTTP + "/v1/tenants/acme/users/" + user + "/revoke")
		<-time.After(time.Duration(i) * 2 * time.Millisecond) // each kill at another moment
		s.kill()
		s.start()
		var got struct{ User struct{ Status string } }
		if err := json.Unmarshal(s.call(http.MethodGet, "/v1/tenants/acme/users/"+user, "").body, &got); err != nil {
			t.Fatal(err)
		}
		in := got.User.Status == "active"
		seen[in]++
		for name, c := range map[string]struct {
			as  string
			how nats.Option
		}{
			"token": {user, nats.Token(token)}, "credentials": {user, nats.UserCredentials(creds)},
			"password": {user, nats.UserInfo("acme/"+user, user+"-password")}, "signed": {nkey, nats.UserCredentials(signed)},
		} {
			p, err := s.dial(s.NATS, c.as, c.how)
			if (err == nil) != in {
				t.Errorf("%s is %s: got %v by %s", user, got.User.Status, err, name)
			}
			if err == nil {
				p.Close()
			}
		}
	}
	t.Logf("%d users were revoked when the server was killed, %d were not", seen[false], seen[true])
}

// Without Postgres the callout lets in nobody, by no method, and who is in stays. Whom the servers let in by
// themselves still comes in, unless he was revoked before. Nothing can be revoked, and that is said.
func TestNobodyIsLetInWithoutPostgres(t *testing.T) { // REV-10, REV-19
	t.Parallel()
	pg := &postgres{t: t, dir: dataFolder(t)}
	pg.start()
	t.Cleanup(pg.stop)
	s := serve(t, "--database-url", pg.server.URL())
	o := &signingOffice{server: s}
	o.account, _ = furnish(s, "acme")
	o.key, o.seed = o.scopedKey("member")
	_, service := s.serviceKey("acme", "bot")
	removed, gone := s.serviceKey("acme", "bot")
	s.call(http.MethodDelete, "/v1/tenants/acme/keys/"+removed, "")
	asked := map[string]nats.Option{
		"token": nats.Token(s.userToken("acme", "alice")), "credentials": nats.UserCredentials(s.credsFile("acme", "alice")),
		"password": nats.UserInfo("acme/alice", "alice-password"), // remembered: it was right a moment ago
	}
	inside := map[string]*peer{}
	for method, how := range asked {
		p, err := s.dial(s.NATS, "alice", how)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		inside[method] = p
	}
	pg.stop()
	for method, how := range asked {
		for _, url := range []string{s.NATS, s.WS} {
			s.out(url, "alice", how)
		}
		inside[method].post("chat.std.open.lobby.alice", "by "+method, "")
	}
	if p, err := s.dial(s.NATS, "bot", service); err != nil {
		t.Errorf("a backend, whom the server lets in by itself: %v", err)
	} else {
		p.post("chat.std.open.lobby.bot", "without asking", "")
	}
	s.out(s.NATS, "bot", gone)
	if got := s.send(s.token, http.MethodPost, "/v1/tenants/acme/users/alice/revoke", `{"reason":"x"}`); got.status != http.StatusServiceUnavailable || !strings.Contains(string(got.body), `"unavailable"`) {
		t.Errorf("revoke: got %d %s, want 503 unavailable", got.status, got.body)
	}
	pg.start()
	for method, how := range asked {
		eventually(t, method+" is let in again", func() bool {
			p, err := s.dial(s.NATS, "alice", how)
			if err == nil {
				p.Close()
			}
			return err == nil
		})
	}
	s.call(http.MethodPost, "/v1/tenants/acme/users/alice/revoke", `{"reason":"x"}`)
	for method, p := range inside {
		eventually(t, method+" is closed", func() bool { return !p.IsConnected() })
	}
}

package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// Postgres is restored to the state of before some revocations: they hold, the operator is told, and nobody else is out.
func TestARestoredDatabaseForgetsNoRevocation(t *testing.T) { // REV-12
	t.Parallel()
	o := newSigningOffice(t)
	s := o.server
	furnish(s, "umbrella")
	taken, stays := o.ways()
	apiKey := s.addKey("acme", `{"kind":"api","name":"app","scopes":["read"]}`)
	sue := nats.Token(s.userToken("umbrella", "alice"))
	database, backup := filepath.Join(s.data, "postgres"), filepath.Join(filepath.Dir(s.data), "backup")
	copyOf := func(from, to string) {
		t.Helper()
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil { // Postgres wants its files to be its own
			t.Fatalf("copy %s: %v, %s", from, err, out)
		}
	}
	s.stop()
	copyOf(database, backup)
	s.start()
	for _, w := range taken {
		s.call(w.method, "/v1/tenants/acme"+w.path, w.body)
	}
	s.call(http.MethodDelete, "/v1/tenants/acme/keys/"+apiKey.Key.ID, "")
	s.call(http.MethodPost, "/v1/tenants/acme/users/alice/revoke", `{"reason":"by mistake"}`)
	s.call(http.MethodPost, "/v1/tenants/acme/users/alice/restore", "")
	s.call(http.MethodPatch, "/v1/tenants/umbrella", `{"status":"suspended"}`)
	s.stop()
	s.start()
	if code, text, _ := s.diagnosis(); code != 0 {
		t.Errorf("before the restore: got %d, %s, want a clean bill", code, text)
	}
	s.stop()
	copyOf(backup, database)
	for again := range 2 { // the second start finds nothing more
		s.start()
		for _, w := range taken {
			s.out(s.NATS, w.user, w.how)
		}
		s.out(s.NATS, "alice", sue)
		if got := s.send(apiKey.APIKey, http.MethodGet, "/v1/tenants/acme/users", ""); got.status != http.StatusUnauthorized {
			t.Errorf("the removed API key: got %d, want 401", got.status)
		}
		for user, how := range stays {
			p, err := s.dial(s.NATS, user, how)
			if err != nil {
				t.Fatalf("the allowed twin %s: %v", user, err)
			}
			p.post("chat.std.open.lobby."+user, "still here", "")
			p.Close()
		}
		_, text, faults := s.diagnosis()
		want := fmt.Sprintf("before %d revocations", len(taken)+4)
		if !slices.Equal(faults, []string{"postgres", "audit"}) || !strings.Contains(text, want) || !strings.Contains(text, "the trail ends before") {
			t.Errorf("start %d: got %s, want a fault of postgres that says %q, and one of the trail", again, text, want)
		}
		if n := strings.Count(string(s.call(http.MethodGet, "/v1/tenants/acme/audit?limit=1000", "").body), `.again"`); n != len(taken)+1 {
			t.Errorf("start %d: got %d entries of what was revoked again, want %d", again, n, len(taken)+1)
		}
		s.stop()
	}
}

// A journal that can't be read is no reason to let in whom it would have kept out.
func TestADamagedJournalIsNotPassedOver(t *testing.T) { // REV-12
	t.Parallel()
	s := house(t)
	s.call(http.MethodPost, "/v1/tenants/acme/users/bob/revoke", `{"reason":"left"}`)
	s.stop()
	file := filepath.Join(s.data, "revocations.journal")
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"user.revoke"`) {
		t.Fatalf("got %s, %v; want the revocation in the journal", text, err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("junk\n" + string(text))
	code, _, errs := runParley(t, "serve", "--data", s.data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	if code != 1 || !strings.Contains(errs, "line 1 of "+file+" is damaged") {
		t.Errorf("got %d, %s, want the damaged line", code, errs)
	}
	write(string(text) + `{"id":`) // a power cut within a line
	s.start()
	s.out(s.NATS, "bob", nats.UserInfo("acme/bob", "bob-password"))
}

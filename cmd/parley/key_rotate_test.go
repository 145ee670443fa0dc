package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestARotatedServiceKeyEndsByItself rotates as an operator does: the old credentials are good beside
// the new ones, until their time is over.
func TestARotatedServiceKeyEndsByItself(t *testing.T) {
	t.Parallel()
	s := house(t)
	dir := t.TempDir()
	keep := func(name, creds string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(creds), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	old := s.addKey("acme", `{"kind":"service","name":"bot"}`)
	oldFile, newFile := keep("old.creds", old.Creds), filepath.Join(dir, "new.creds")
	before, err := s.dial(s.NATS, "bot", nats.UserCredentials(oldFile), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	closed := before.StatusChanged(nats.CLOSED)

	code, out, errs := runParley(t, "key", "rotate", "acme", old.Key.ID, "--overlap", "5s", "--out", newFile, "--json", "--data", s.data)
	var made rotatedAnswer
	if err := json.Unmarshal([]byte(out), &made); code != 0 || err != nil {
		t.Fatalf("key rotate: got %d %s %s", code, out, errs)
	}
	if made.Creds != "" || made.Replaces.ID != old.Key.ID || made.Key.Name != "bot" {
		t.Errorf("got %s, want the new key of the same name, and its credentials in the file alone", out)
	}
	if _, err := s.dial(s.NATS, "bot", nats.UserCredentials(newFile)); err != nil {
		t.Errorf("the new credentials: %v", err)
	}
	if code, _, errs := runParley(t, "key", "rotate", "acme", old.Key.ID, "--data", s.data); code == 0 {
		t.Errorf("rotated twice: got 0 %s, want a refusal", errs)
	}
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the connection of the old credentials is open, want it closed when the overlap is over")
	}
	if _, err := s.dial(s.NATS, "bot", nats.UserCredentials(oldFile)); err == nil {
		t.Error("the old credentials: got a connection, want a refusal")
	}
	if got := s.send(s.token, http.MethodGet, "/v1/tenants/acme/keys/"+old.Key.ID, ""); got.status != 404 {
		t.Errorf("the old key: got %d %s, want 404", got.status, got.body)
	}
}

// rotateKey rotates the tenant's first key on its page.
func (w *window) rotateKey(tenantID string) {
	w.t.Helper()
	w.open("/t/" + tenantID + "/keys")
	w.send(`a[href$="/rotate"]`)
	w.says("h1", "Rotate")
	w.look("key-rotate", "")
	w.send("article button[type=submit]")
	w.says("#secret", "parley_")
	w.look("key-shown", "")
	w.open("/t/" + tenantID + "/keys")
	w.says(".tag.warn", "ends")
	w.look("keys-rotated", "")
}

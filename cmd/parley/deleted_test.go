package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// What a deleted message said is nowhere to be found: by nobody who may read, in no row, and in no file of the streams.
func TestADeletedMessageIsGoneEverywhere(t *testing.T) { // ROOM-13
	t.Parallel()
	s := house(t)
	secret, edited := "secret"+strings.ToLower(rand.Text()), "edited"+strings.ToLower(rand.Text())
	alice, bob := s.peer("acme", "alice"), s.peer("acme", "bob")
	post := func(room, text string) uint64 {
		ack, err := alice.tryBody("chat.std.open."+room+".alice", fmt.Sprintf(`{"text":%q,"mentions":["bob"]}`, text), "", patience)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Seq
	}
	before := bob.unread("lobby")
	gone, erased := post("lobby", secret), post("lobby", secret+" again")
	twin := post("lobby", "kept "+edited)
	alice.ask("edit", fmt.Sprintf(`{"room":"lobby","seq":%d,"text":"%s and more"}`, erased, secret))
	if n := len(s.found(t, secret)); n == 0 {
		t.Fatal("the text is nowhere before it is deleted, so that the test shows nothing")
	}
	if got := bob.unread("lobby"); got != before+3 {
		t.Errorf("got %d unread, want %d", got, before+3)
	}
	for _, seq := range []uint64{gone, erased} {
		if got := alice.ask("delete", fmt.Sprintf(`{"room":"lobby","seq":%d}`, seq)); got["ok"] != true {
			t.Fatalf("delete: got %v", got)
		}
	}
	for _, m := range s.history("acme", "lobby") {
		if (m.Seq == gone || m.Seq == erased) && (m.Deleted.IsZero() || m.Text != "") {
			t.Errorf("got %+v in the history, want a tombstone", m)
		}
	}
	for _, p := range []*peer{alice, bob} {
		for op, body := range map[string]string{"history": `{"room":"lobby"}`, "search": `{"query":"` + secret + `"}`} {
			if got := fmt.Sprint(p.ask(op, body)); strings.Contains(got, secret) {
				t.Errorf("%s asks for %s: got %s, want nothing of the text", p.user, op, got)
			}
		}
	}
	if got := bob.unread("lobby"); got != before+1 {
		t.Errorf("got %d unread after the deletion, want %d", got, before+1)
	}
	if got := string(s.call(http.MethodGet, "/v1/tenants/acme/rooms/lobby/messages?limit=1000", "").body); strings.Contains(got, secret) {
		t.Errorf("HTTP: got %s, want nothing of the text", got)
	}
	eventually(t, "the text is in no row and no stream", func() bool { return len(s.found(t, secret)) == 0 })
	if got := s.found(t, edited); len(got) < 2 {
		t.Errorf("the message beside it is in %v, want it in the rows and the stream", got)
	}
	if got := s.texts("acme", "lobby"); !strings.Contains(got, "kept "+edited) || twin == 0 {
		t.Errorf("history: got %q, want the message beside it", got)
	}
}

// unread is how many unread messages the user has in a room.
func (p *peer) unread(room string) int {
	p.t.Helper()
	got, ok := p.ask("unread", fmt.Sprintf(`{"room":%q}`, room))["unread"].(float64)
	if !ok {
		p.t.Fatalf("%s has no number of unread messages in %s", p.user, room)
	}
	return int(got)
}

// found are the tables with a row that holds a text, and the files of the streams that do.
func (s *server) found(t *testing.T, text string) (all []string) {
	t.Helper()
	pool := s.database()
	defer pool.Close()
	rows, err := pool.Query(t.Context(), `SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		var there bool
		if err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM `+table+` x WHERE x::text ILIKE '%' || $1 || '%')`, text).Scan(&there); err != nil {
			t.Fatal(err)
		}
		if there {
			all = append(all, table)
		}
	}
	err = filepath.WalkDir(filepath.Join(s.data, "nats", "jetstream"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // a file that a stream has done away with meanwhile
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(text)) {
			all = append(all, filepath.Base(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

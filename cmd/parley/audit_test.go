package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tamper changes the records as nobody but the database's own administrators can: without its triggers.
func tamper(t *testing.T, db *pgxpool.Pool, sql string) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), db, func(q pgx.Tx) error {
		_, err := q.Exec(t.Context(), `SET LOCAL session_replication_role = replica`)
		if err == nil {
			_, err = q.Exec(t.Context(), sql)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// allSealed waits until all entries have a seal, and returns the file that says which is the newest.
func (s *server) allSealed(db *pgxpool.Pool) (head string) {
	s.t.Helper()
	eventually(s.t, "all entries are sealed", func() bool {
		var unsealed int
		err := db.QueryRow(s.t.Context(), `SELECT count(*) FROM audit_unsealed`).Scan(&unsealed)
		text, errFile := os.ReadFile(filepath.Join(s.data, "audit.head"))
		head = string(text)
		return err == nil && errFile == nil && unsealed == 0
	})
	return head
}

func (s *server) wantTrail(when, part string) {
	s.t.Helper()
	code, text, faults := s.diagnosis()
	if part == "" && code != 0 || part != "" && (!slices.Equal(faults, []string{"audit"}) || !strings.Contains(text, part)) {
		s.t.Errorf("%s: got %s, want %q of the audit trail", when, text, part)
	}
}

// Who may do all in the database takes out an entry, or the newest with their seals: doctor says so, over restarts too.
func TestAChangedAuditTrailIsFound(t *testing.T) { // CON-15
	t.Parallel()
	s := house(t)
	db := s.database()
	head := s.allSealed(db)
	s.wantTrail("before", "")
	s.call(http.MethodPut, "/v1/tenants/acme/users/bob", `{"name":"Robert"}`)
	eventually(t, "the file follows", func() bool { return s.allSealed(db) != head })
	s.wantTrail("after an act", "")

	tamper(t, db, `WITH cut AS (DELETE FROM audit_seals WHERE seal_id = (SELECT max(seal_id) FROM audit_seals) RETURNING entries)
		DELETE FROM audit USING cut WHERE audit_id = ANY (entries)`)
	s.wantTrail("without the newest", "the trail ends before")
	for i := range 3 { // new entries don't hide it
		s.call(http.MethodPut, "/v1/tenants/acme/users/carol", `{"name":"`+strings.Repeat("c", i+1)+`"}`)
		s.allSealed(db)
	}
	s.wantTrail("with new entries behind the cut", "the trail ends before")
	s.stop()
	s.start()
	s.wantTrail("after a restart", "the trail ends before")

	s.stop()
	if err := os.Remove(filepath.Join(s.data, "audit.head")); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.wantTrail("where the operator says that it was he", "")
	tamper(t, s.database(), `DELETE FROM audit WHERE audit_id = (SELECT min(audit_id) FROM audit)`)
	s.wantTrail("without the oldest", "is missing")
}

// What can't be told in the trail does not happen, and no secret leaves.
func TestWithoutItsEntryNothingHappens(t *testing.T) { // CON-16
	t.Parallel()
	s := house(t)
	db := s.database()
	for _, sql := range []string{
		`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$`,
		`CREATE TRIGGER no_room BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION no_room()`,
	} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	acts := []struct{ method, path, body string }{
		{http.MethodPost, "/keys", `{"kind":"api","name":"app","scopes":["read"]}`},
		{http.MethodPost, "/keys", `{"kind":"service","name":"bot"}`},
		{http.MethodPost, "/users/alice/creds", ``},
		{http.MethodPost, "/users/alice/revoke", `{"reason":"left"}`},
	}
	rows := func() (n int) {
		err := db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM credentials) + (SELECT count(*) FROM users WHERE status = 'revoked')`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := rows()
	for _, a := range acts {
		got := s.send(s.token, a.method, "/v1/tenants/acme"+a.path, a.body)
		if got.status != http.StatusInternalServerError || !strings.HasPrefix(string(got.body), `{"code":"internal"`) {
			t.Errorf("%s without an entry: got %d %s, want an internal error and nothing else", a.path, got.status, got.body)
		}
	}
	if after := rows(); after != before {
		t.Errorf("got %d rows, want %d as before", after, before)
	}
	if _, err := db.Exec(t.Context(), `DROP TRIGGER no_room ON audit`); err != nil {
		t.Fatal(err)
	}
	for _, a := range acts {
		s.call(a.method, "/v1/tenants/acme"+a.path, a.body)
	}
}

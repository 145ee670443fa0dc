package main

import (
	"net/http"
	"strings"
	"testing"
)

// A row is a line, whatever stands in the audit trail.
func TestWhatIsPrintedMakesNoLinesOfItsOwn(t *testing.T) { // CON-15
	t.Parallel()
	s := serve(t)
	furnish(s, "acme")
	_, err := s.database().Exec(t.Context(), `INSERT INTO audit (tenant_id, at, actor, action, object)
		VALUES ('acme', now(), E'key:x\r\n2026-01-01T00:00:00Z  operator', E'user.create\tuser:eve', E'\x1b[2J\u202e')`)
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := runParley(t, "tenant", "audit", "acme", "--data", s.data)
	if code != 0 || strings.ContainsAny(out, "\r\x1b\u202e\t") || !strings.Contains(out, `key:x\u000d\u000a2026`) {
		t.Errorf("got %d, %q, want hidden characters as escapes", code, out)
	}
	var page struct{ Audit []any }
	s.call(http.MethodGet, "/v1/tenants/acme/audit?limit=1000", "").into(t, &page)
	if n := strings.Count(out, "\n"); n != len(page.Audit)+1 {
		t.Errorf("got %d lines, want a head and %d entries:\n%s", n, len(page.Audit), out)
	}
}

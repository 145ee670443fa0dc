package pgstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

func addAudit(t *testing.T, s *Store, id tenant.TenantID, entries ...tenant.AuditEntry) {
	t.Helper()
	write(t, s, id, func(ctx context.Context, x tenant.Tx) error {
		for _, e := range entries {
			e.Tenant, e.Actor = id, "operator"
			if err := x.Audit(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestAuditEntryIsReadAsWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	addAudit(t, s, "acme", tenant.AuditEntry{At: at(1), Action: "user.create", Object: "user:alice", After: json.RawMessage(`{"id": "alice"}`)})
	addAudit(t, s, "other", tenant.AuditEntry{At: at(2), Action: "user.create", Object: "user:zed"})
	got, err := s.AuditTrail(within(t), "acme", tenant.Page{Limit: 10})
	must(t, err)
	if len(got) != 1 {
		t.Fatalf("got %d entries, want 1", len(got))
	}
	e := got[0]
	want(t, "time", e.At, at(1))
	want(t, "entry", fmt.Sprint(e.Tenant, e.Actor, e.Action, e.Object, string(e.After)), fmt.Sprint("acme", "operator", "user.create", "user:alice", `{"id": "alice"}`))
	want(t, "before", e.Before == nil, true)
}

func TestAuditIsAppendOnly(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addAudit(t, s, "acme", tenant.AuditEntry{At: base, Action: "user.create", Object: "user:alice"})
	for _, sql := range []string{`UPDATE audit SET actor = 'nobody'`, `DELETE FROM audit`, `TRUNCATE audit`} {
		if _, err := s.pool.Exec(within(t), sql); err == nil || !strings.Contains(err.Error(), "append only") {
			t.Errorf("%s: got error %v, want a refusal", sql, err)
		}
	}
	want(t, "entries of the operator", count(t, s, `SELECT count(*) FROM audit WHERE actor = 'operator'`), 1)
}

func TestAuditOfAFormerTenantIsNotShownToTheNext(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addAudit(t, s, "acme", tenant.AuditEntry{At: at(0), Action: "a", Object: "o"}, tenant.AuditEntry{At: at(-1), Action: "b", Object: "o"})
	got, err := s.AuditTrail(within(t), "acme", tenant.Page{Limit: 10})
	must(t, err)
	if len(got) != 1 || got[0].Action != "a" {
		t.Errorf("got %+v, want the entry since the tenant was made", got)
	}
	got, err = s.AuditTrail(within(t), "dropped", tenant.Page{Limit: 10})
	must(t, err)
	want(t, "entries of a tenant that never was", len(got), 0)
}

func TestAuditPagesLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	var entries []tenant.AuditEntry
	for i := range 9 { // three at each time
		entries = append(entries, tenant.AuditEntry{At: at(i / 3), Action: fmt.Sprint(i), Object: "o"})
	}
	addAudit(t, s, "acme", entries...)
	var seen string
	page := tenant.Page{Limit: 2}
	for range 6 {
		got, err := s.AuditTrail(within(t), "acme", page)
		must(t, err)
		for _, e := range got {
			seen += e.Action
			page.After = e.Cursor
		}
	}
	want(t, "all pages, newest first", seen, "876543210")

	older := func(p tenant.Page) (out string) {
		got, err := s.AuditTrail(within(t), "acme", p)
		must(t, err)
		for _, e := range got {
			out += e.Action
		}
		return out
	}
	want(t, "older than a time", older(tenant.Page{Limit: 100, After: at(1).Format(time.RFC3339Nano)}), "210")
	want(t, "by action", older(tenant.Page{Limit: 100, Query: "4"}), "4")
	for _, after := range []string{"x", "1,2", at(1).Format(time.RFC3339Nano) + ",x", "u1", "0000-01-01T00:00:00Z"} {
		_, err := s.AuditTrail(within(t), "acme", tenant.Page{Limit: 1, After: after})
		wantErr(t, "after "+after, err, &tenant.Error{Code: tenant.CodeInvalid})
	}
}

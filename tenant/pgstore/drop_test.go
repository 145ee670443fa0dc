package pgstore

import (
	"testing"

	"parley/tenant"
)

// tenantTables are those whose rows go with their tenant, and how many rows of it there are.
var tenantTables = map[string]string{
	"tenants":        `SELECT count(*) FROM tenants WHERE tenant_id = $1`,
	"users":          `SELECT count(*) FROM users WHERE tenant_id = $1`,
	"rooms":          `SELECT count(*) FROM rooms WHERE tenant_id = $1`,
	"members":        `SELECT count(*) FROM members WHERE tenant_id = $1`,
	"messages":       `SELECT count(*) FROM messages m JOIN rooms r USING (room_pk) WHERE r.tenant_id = $1`,
	"read_positions": `SELECT count(*) FROM read_positions WHERE tenant_id = $1`,
	"accounts":       `SELECT count(*) FROM accounts WHERE tenant_id = $1`,
	"refusals":       `SELECT count(*) FROM refusals WHERE tenant_id = $1`,
}

func TestDropTenantTakesItsRowsAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ids := []tenant.TenantID{"acme", "other"}
	addTenant(t, s, ids...)
	for _, id := range ids {
		addUser(t, s, userOf(id, "alice"))
		addRoom(t, s, roomOf(id, "r", tenant.Private))
		addMember(t, s, id, memberOf("r", "alice", tenant.RoleMember))
		addAudit(t, s, id, tenant.AuditEntry{At: base, Action: "a", Object: "o"})
		_, err := s.insertRefusals(within(t), []tenant.Refusal{{Tenant: id, At: base}})
		must(t, err)
	}
	for _, sql := range []string{
		`INSERT INTO messages (room_pk, seq, sender, message_id, at, text) SELECT room_pk, i, 'alice', i, now(), 't' FROM rooms, generate_series(1, 3) i`,
		`INSERT INTO read_positions (room_pk, tenant_id, user_id, seq, n) SELECT room_pk, tenant_id, 'alice', 1, 1 FROM rooms`,
	} {
		_, err := s.pool.Exec(within(t), sql)
		must(t, err)
	}

	wantErr(t, "an active tenant", s.DropTenant(within(t), "acme"), tenant.ErrConflict)
	setStatus(t, s, "acme", tenant.Deleting)
	for table, sql := range tenantTables {
		if count(t, s, sql, "acme") == 0 {
			t.Errorf("%s before: got no rows, want some", table)
		}
	}
	for range 2 { // a job may run twice
		must(t, s.DropTenant(within(t), "acme"))
	}
	must(t, s.DropTenant(within(t), "never"))
	for table, sql := range tenantTables {
		want(t, table, count(t, s, sql, "acme"), 0)
		if count(t, s, sql, "other") == 0 {
			t.Errorf("%s of the other tenant: got no rows, want some", table)
		}
	}
	want(t, "account keys", count(t, s, `SELECT count(*) FROM account_keys WHERE account = $1`, account("acme")), 0)

	trail, err := s.AuditTrail(within(t), "acme", tenant.Page{Limit: 10})
	must(t, err)
	if len(trail) != 2 || trail[0].Action != "tenant.dropped" || trail[0].Actor != "system" || trail[0].Object != "tenant:acme" {
		t.Errorf("audit trail: got %+v, want the drop before what was there", trail)
	}
	addTenant(t, s, "acme") // the id is free again
}

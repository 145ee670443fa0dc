package console

import (
	"net/http"
	"testing"
)

// fill gives acme 10,000 rooms, users, memberships and audit rows.
const (
	fillRooms = `INSERT INTO rooms (tenant_id, room_id, kind, class, title, created_at, changed_at)
		SELECT 'acme', 'room-' || n, 'private', 'std', 'Room number ' || n, now(), now() FROM generate_series(1, 10000) n`
	fillUsers = `INSERT INTO users (tenant_id, user_id, kind, name, status, created_at)
		SELECT 'acme', 'user-' || n, 'person', 'User number ' || n, 'active', now() FROM generate_series(1, 10000) n`
	fillMembers = `INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT r.room_pk, 'acme', 'user-1', 'member', 'joined', now() FROM rooms r WHERE r.tenant_id = 'acme' AND r.kind = 'private'`
	fillAudit = `INSERT INTO audit (tenant_id, at, actor, action, object, after)
		SELECT 'acme', now() + n * interval '1 ms', 'person:' || n || '@example.com', 'user.update', 'user:user-' || n, '{"a": 1}' FROM generate_series(1, 10000) n`
)

// BenchmarkPagesOfTenThousand measures whole requests, over HTTP.
func BenchmarkPagesOfTenThousand(b *testing.B) {
	w := newTown(b)
	for _, sql := range []string{fillRooms, fillUsers, fillMembers, fillAudit, "ANALYZE"} {
		_, err := w.pool.Exec(b.Context(), sql)
		w.must(err)
	}
	owner := w.who["owner"]
	for name, path := range map[string]string{
		"rooms": "/t/acme/rooms", "rooms deep": "/t/acme/rooms?after=room-5000", "rooms search": "/t/acme/rooms?q=number+99",
		"users": "/t/acme/users", "users deep": "/t/acme/users?after=user-5000", "users search": "/t/acme/users?q=number+99", "users no hit": "/t/acme/users?q=zzz",
		"user of 10,000 rooms": "/t/acme/users/user-1",
		"audit":                "/t/acme/audit", "audit search": "/t/acme/audit?q=user-99", "audit no hit": "/t/acme/audit?q=zzz", "overview": "/t/acme",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got := owner.get(path); got.status != http.StatusOK {
					b.Fatalf("got %d, want 200", got.status)
				}
			}
		})
	}
}

// fillTenants makes 10,000 tenants, each with ten users and a stream.
const fillTenants = `
WITH t AS (
  INSERT INTO tenants (tenant_id, name, account, timezone, status, created_at)
  SELECT 'tenant-' || n, 'Tenant number ' || n, 'ACC' || n, 'UTC', 'active', now() FROM generate_series(1, 10000) n RETURNING tenant_id, account),
a AS (INSERT INTO accounts (account, tenant_id) SELECT account, tenant_id FROM t),
s AS (INSERT INTO streams (stream, tenant_id, account, class, first_seq, last_seq) SELECT 'std-' || account, tenant_id, account, 'std', 1, 0 FROM t)
INSERT INTO users (tenant_id, user_id, kind, name, status, created_at)
SELECT tenant_id, 'user-' || n, 'person', 'User', 'active', now() FROM t, generate_series(1, 10) n`

// BenchmarkTenThousandTenants measures what operators see of them, over HTTP.
func BenchmarkTenThousandTenants(b *testing.B) {
	w := newTown(b)
	for _, sql := range []string{fillTenants, "ANALYZE"} {
		_, err := w.pool.Exec(b.Context(), sql)
		w.must(err)
	}
	op := w.who["operator"]
	for name, path := range map[string]string{
		"first": "/operator", "deep": "/operator?after=tenant-5000", "search": "/operator?q=number+99", "no hit": "/operator?q=zzz",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got := op.get(path); got.status != http.StatusOK {
					b.Fatalf("got %d, want 200", got.status)
				}
			}
		})
	}
}

package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlSummary = `
SELECT (SELECT count(*) FROM users WHERE tenant_id = $1 AND status <> 'deleted'),
  (SELECT count(*) FROM rooms WHERE tenant_id = $1 AND state <> 'deleted' AND kind <> 'direct'),
  (SELECT coalesce(sum(h.last_n), 0)::bigint FROM rooms r JOIN room_heads h ON h.room_pk = r.room_pk WHERE r.tenant_id = $1 AND r.state <> 'deleted'),
  a.iat, a.pushed_iat
FROM accounts a WHERE a.tenant_id = $1`

// Summary counts what a tenant has.
func (s *Store) Summary(ctx context.Context, t tenant.TenantID) (tenant.Summary, error) {
	row, err := one(ctx, s.pool, scanSummary, sqlSummary, t)
	return row, wrap(err, "count what is in", "tenant", string(t))
}

func scanSummary(row pgx.CollectableRow) (s tenant.Summary, err error) {
	err = row.Scan(&s.Users, &s.Rooms, &s.Messages, &s.Wanted, &s.Pushed)
	return s, err
}

const sqlRoomsOf = `
SELECT r.id, r.title, r.kind, m.role, m.state, m.joined_at
FROM members m JOIN tenant_rooms r ON r.room_pk = m.room_pk AND r.viewer = m.tenant_id AND r.state <> 'deleted'
WHERE m.tenant_id = $1 AND m.user_id = $2 AND r.id > $3 AND (r.id ILIKE $4 OR r.title ILIKE $4)
ORDER BY r.id LIMIT $5`

// RoomsOf lists the memberships of a user by room.
func (s *Store) RoomsOf(ctx context.Context, t tenant.TenantID, u tenant.UserID, p tenant.Page) ([]tenant.UserRoom, error) {
	rows, err := list(ctx, s.pool, scanUserRoom, sqlRoomsOf, t, u, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "rooms of user", string(t), string(u))
}

func scanUserRoom(row pgx.CollectableRow) (r tenant.UserRoom, err error) {
	err = row.Scan(&r.Room, &r.Title, &r.Kind, &r.Role, &r.State, &r.Since)
	return r, err
}

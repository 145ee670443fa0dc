package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// The page is cut before anything is counted: what a list costs does not grow with the tenants.
const sqlLoads = `
WITH page AS MATERIALIZED (
  SELECT tenant_id, name, account, limits, status, created_at FROM tenants
  WHERE status <> 'deleting' AND tenant_id > $1 AND (tenant_id ILIKE $2 OR name ILIKE $2)
  ORDER BY tenant_id LIMIT $3)
SELECT p.tenant_id, p.name, p.status, p.created_at, p.limits, a.iat > a.pushed_iat,
  (SELECT count(*) FROM sessions WHERE account = p.account),
  (SELECT count(*) FROM users WHERE tenant_id = p.tenant_id AND status <> 'deleted'),
  (SELECT count(*) FROM rooms WHERE tenant_id = p.tenant_id AND state <> 'deleted' AND kind <> 'direct'),
  (SELECT coalesce(sum(h.last_n), 0)::bigint FROM rooms r JOIN room_heads h ON h.room_pk = r.room_pk WHERE r.tenant_id = p.tenant_id),
  s.classes, s.bytes
FROM page p JOIN accounts a ON a.tenant_id = p.tenant_id CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(class), '{}') AS classes, coalesce(array_agg(coalesce(z.bytes, 0)), '{}') AS bytes
  FROM streams x LEFT JOIN stream_sizes z ON z.stream = x.stream WHERE x.tenant_id = p.tenant_id) s
ORDER BY p.tenant_id`

// Loads lists tenants by id with what they use.
func (s *Store) Loads(ctx context.Context, p tenant.Page) ([]tenant.TenantLoad, error) {
	rows, err := list(ctx, s.pool, scanLoad, sqlLoads, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "loads of tenants", p.After)
}

func scanLoad(row pgx.CollectableRow) (l tenant.TenantLoad, err error) {
	var most tenant.Limits
	var classes []tenant.Class
	var bytes []int64
	err = row.Scan(&l.ID, &l.Name, &l.Status, &l.Since, &most, &l.Behind,
		&l.Connections.Used, &l.Users.Used, &l.Rooms.Used, &l.Messages, &classes, &bytes)
	if err != nil {
		return l, err
	}
	most = most.Effective(tenant.Plan)
	l.Since = l.Since.UTC()
	l.Connections.Limit, l.Users.Limit, l.Rooms.Limit = most.Connections, most.Users, most.Rooms
	l.Storage = map[tenant.Class]tenant.Use{}
	for i, c := range classes {
		l.Storage[c] = tenant.Use{Used: bytes[i], Limit: most.StorageBytes}
	}
	return l, nil
}

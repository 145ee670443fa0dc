package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlHolds = `
SELECT tenant_id, room_id, reason, placed_at FROM holds WHERE tenant_id = $1 ORDER BY room_id`

// Holds lists the holds of a tenant, its own first.
func (s *Store) Holds(ctx context.Context, t tenant.TenantID) ([]tenant.Hold, error) {
	rows, err := list(ctx, s.pool, scanHold, sqlHolds, t)
	return rows, wrap(err, "list", "holds of tenant", string(t))
}

func scanHold(row pgx.CollectableRow) (h tenant.Hold, err error) {
	err = row.Scan(&h.Tenant, &h.Room, &h.Reason, &h.PlacedAt)
	h.PlacedAt = h.PlacedAt.UTC()
	return h, err
}

const (
	sqlPutHold = `
INSERT INTO holds (tenant_id, room_id, reason, placed_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, room_id) DO UPDATE SET reason = excluded.reason`

	sqlDeleteHold = `DELETE FROM holds WHERE tenant_id = $1 AND room_id = $2`
)

// PutHold inserts a hold, or replaces its reason.
func (x tx) PutHold(ctx context.Context, h tenant.Hold) error {
	_, err := exec(ctx, x.q, sqlPutHold, h.Tenant, h.Room, h.Reason, h.PlacedAt)
	return wrap(err, "put", "hold", string(h.Tenant), string(h.Room))
}

// DeleteHold removes a hold.
func (x tx) DeleteHold(ctx context.Context, t tenant.TenantID, r tenant.RoomID) error {
	return wrap(mustChange(ctx, x.q, sqlDeleteHold, t, r), "delete", "hold", string(t), string(r))
}

const sqlDropHeld = `
DELETE FROM held_messages WHERE held_id = ANY (ARRAY(
  SELECT m.held_id FROM held_messages m WHERE m.tenant_id = $1
    AND NOT EXISTS (SELECT FROM holds h WHERE h.tenant_id = m.tenant_id AND h.room_id IN ('', m.room_id))
  LIMIT 10000))`

// DropHeld removes the copies that no hold covers, in pieces, so that what is cut off goes on when it runs again.
func (s *Store) DropHeld(ctx context.Context, t tenant.TenantID) error {
	for {
		n, err := exec(ctx, s.pool, sqlDropHeld, t)
		if err != nil || n == 0 {
			return wrap(err, "drop what was held of", "tenant", string(t))
		}
	}
}

package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlPutMute = `
INSERT INTO mutes (tenant_id, user_id, room_id, why, since, until, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, user_id, room_id) DO UPDATE SET
  why = EXCLUDED.why, since = EXCLUDED.since, until = EXCLUDED.until, reason = EXCLUDED.reason`

// PutMute inserts or replaces the mute of a user in a room, or in all.
func (x tx) PutMute(ctx context.Context, m tenant.Mute) error {
	_, err := exec(ctx, x.q, sqlPutMute, m.Tenant, m.User, m.Room, m.Why, m.Since, timeOrNull(m.Until), m.Reason)
	return wrap(err, "put", "mute", string(m.Tenant), string(m.Room), string(m.User))
}

const sqlDeleteMute = `DELETE FROM mutes WHERE tenant_id = $1 AND room_id = $2 AND user_id = $3`

// DeleteMute lets a user post again.
func (x tx) DeleteMute(ctx context.Context, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error {
	err := mustChange(ctx, x.q, sqlDeleteMute, t, r, u)
	return wrap(err, "delete", "mute", string(t), string(r), string(u))
}

// By the clock that the job's time was compared with.
const sqlDeleteEndedMutes = `DELETE FROM mutes WHERE tenant_id = $1 AND until <= now()`

// DeleteEndedMutes lets those post again whose time is over, and counts them.
func (x tx) DeleteEndedMutes(ctx context.Context, t tenant.TenantID) (int64, error) {
	n, err := exec(ctx, x.q, sqlDeleteEndedMutes, t)
	return n, wrap(err, "delete ended mutes of", "tenant", string(t))
}

const sqlMutes = `
SELECT tenant_id, room_id, user_id, why, since, until, reason FROM mutes
WHERE tenant_id = $1 AND room_id = $2 AND user_id > $3 AND user_id ILIKE $4 AND (until IS NULL OR until > now())
ORDER BY user_id LIMIT $5`

// Mutes lists who is muted in a room by user id, but for those who are in all rooms.
func (s *Store) Mutes(ctx context.Context, t tenant.TenantID, r tenant.RoomID, p tenant.Page) ([]tenant.Mute, error) {
	rows, err := list(ctx, s.pool, scanMute, sqlMutes, t, r, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "mutes", string(t), string(r), p.After)
}

func scanMute(row pgx.CollectableRow) (m tenant.Mute, err error) {
	var until *time.Time
	err = row.Scan(&m.Tenant, &m.Room, &m.User, &m.Why, &m.Since, &until, &m.Reason)
	m.Since = m.Since.UTC()
	if until != nil {
		m.Until = until.UTC()
	}
	return m, err
}

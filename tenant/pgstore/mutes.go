package pgstore

import (
	"context"
	"time"

	"parley/tenant"
)

const sqlPutMute = `
INSERT INTO mutes (tenant_id, user_id, room_id, why, since, until) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, user_id, room_id) DO UPDATE SET why = EXCLUDED.why, since = EXCLUDED.since, until = EXCLUDED.until`

// PutMute inserts or replaces the mute of a user in a room, or in all.
func (x tx) PutMute(ctx context.Context, m tenant.Mute) error {
	var until *time.Time
	if !m.Until.IsZero() {
		until = &m.Until
	}
	_, err := exec(ctx, x.q, sqlPutMute, m.Tenant, m.User, m.Room, m.Why, m.Since, until)
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

package pgstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"parley/tenant"
)

const sqlInsertEvent = `
INSERT INTO pending_events (tenant_id, room_id, message_id, event) VALUES ($1, $2, $3, $4)`

// Announce keeps an event of a room until the job that it adds has published it. Changes of one
// tenant come one after the other, so that the order of the rows is the order of the changes.
func (x tx) Announce(ctx context.Context, t tenant.TenantID, r tenant.RoomID, e tenant.Event) error {
	body, err := json.Marshal(e)
	if err == nil {
		_, err = exec(ctx, x.q, sqlInsertEvent, t, r, rand.Text(), body)
	}
	if err != nil {
		return wrap(err, "announce", "event", string(t), string(r), string(e.Event))
	}
	return x.Enqueue(ctx, tenant.PublishEvents{Tenant: t, Room: r}, time.Time{})
}

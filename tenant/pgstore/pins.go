package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlCountPins = `
SELECT count(*) FROM pins p JOIN rooms r USING (room_pk) WHERE r.tenant_id = $1 AND r.room_id = $2`

// CountPins counts the pinned messages of a room.
func (x tx) CountPins(ctx context.Context, t tenant.TenantID, r tenant.RoomID) (int64, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int64], sqlCountPins, t, r)
	return n, wrap(err, "count the pins of", "room", string(t), string(r))
}

const (
	sqlPutPin = `
INSERT INTO pins (room_pk, seq, pinned_by, pinned_at)
SELECT room_pk, $3, $4, $5 FROM rooms WHERE tenant_id = $1 AND room_id = $2
ON CONFLICT (room_pk, seq) DO NOTHING`

	sqlDeletePin = `
DELETE FROM pins p USING rooms r WHERE r.room_pk = p.room_pk AND r.tenant_id = $1 AND r.room_id = $2 AND p.seq = $3`
)

// SetPin pins a message or takes the pin away, and says whether that changed anything.
func (x tx) SetPin(ctx context.Context, t tenant.TenantID, r tenant.RoomID, seq uint64, by tenant.UserID, at time.Time, on bool) (bool, error) {
	var n int64
	var err error
	if on {
		n, err = exec(ctx, x.q, sqlPutPin, t, r, seq, by, at)
	} else {
		n, err = exec(ctx, x.q, sqlDeletePin, t, r, seq)
	}
	return n > 0, wrap(err, "pin in", "room", string(t), string(r))
}

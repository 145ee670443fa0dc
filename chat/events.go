package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// eventBatch is how many events one transaction publishes at most.
const eventBatch = 100

const (
	sqlEventRoom = `SELECT t.account, r.room_pk, r.address, r.kind, r.class, r.state FROM rooms r JOIN tenants t USING (tenant_id)
		WHERE r.tenant_id = $1 AND r.room_id = $2`
	// The first row's lock lets one job of a room wait for the other.
	sqlPendingEvents = `SELECT event_id, message_id, event FROM pending_events
		WHERE tenant_id = $1 AND room_id = $2 ORDER BY event_id LIMIT $3 FOR UPDATE`
	sqlEventsDone = `DELETE FROM pending_events WHERE tenant_id = $1 AND room_id = $2 AND event_id = ANY ($3)`
)

// PublishEvents stores what was announced in a room, in its order. Cut off between the stream and
// the commit, it stores an event again under the same id, which the projection knows for ever.
func (c *Chat) PublishEvents(ctx context.Context, j tenant.PublishEvents) error {
	room := seenRoom{id: j.Room, viewer: j.Tenant, host: j.Tenant}
	err := c.pool.QueryRow(ctx, sqlEventRoom, j.Tenant, j.Room).
		Scan(&room.account, &room.pk, &room.address, &room.kind, &room.class, &room.state)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // the tenant is gone, and the events with it
	}
	if err == nil {
		room.stream = subject.Stream(room.account, room.class)
	}
	for n := eventBatch; err == nil && n == eventBatch; {
		n, err = c.publishSome(ctx, room)
	}
	if err != nil {
		return fmt.Errorf("publish the events of room %s of tenant %s: %w", j.Room, j.Tenant, err)
	}
	return nil
}

type pendingEvent struct {
	EventID   int64
	MessageID string
	Event     json.RawMessage
}

func (c *Chat) publishSome(ctx context.Context, room seenRoom) (int, error) {
	tx, err := c.pool.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer rollback(ctx, tx)
	rows, err := tx.Query(ctx, sqlPendingEvents, room.host, room.id, eventBatch)
	if err != nil {
		return 0, err
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pendingEvent])
	if err != nil {
		return 0, err
	}
	var done []int64
	for _, e := range events {
		if room.state != tenant.RoomDeleted { // nobody reads there any more
			if _, err = c.publish(ctx, room, systemDraft(room, e.MessageID, e.Event)); err != nil {
				return 0, err
			}
		}
		done = append(done, e.EventID)
	}
	if _, err = tx.Exec(ctx, sqlEventsDone, room.host, room.id, done); err != nil {
		return 0, err
	}
	return len(events), tx.Commit(ctx)
}

// systemDraft is a message of the platform itself.
func systemDraft(room seenRoom, id string, event []byte) draft {
	return draft{subject: room.post(tenant.System).Stored(room.account), sender: tenant.System, id: id, body: event}
}

// parseEvent reads the body of a message of the platform. It takes fields that it does not
// know, of a newer version of Parley.
func parseEvent(data []byte) (e tenant.Event, ok bool) {
	return e, json.Unmarshal(data, &e) == nil && e.Event != "" && storable(data)
}

package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// A tenant has its own rooms by their ids, and those that others share with it by their addresses.
const sqlRoomColumns = `
SELECT r.viewer, r.id, CASE WHEN r.viewer = r.tenant_id THEN '' ELSE r.tenant_id END, CASE WHEN r.viewer = r.tenant_id THEN '' ELSE r.room_id END, r.address, r.kind,
  CASE WHEN r.kind = 'shared' THEN 'std' ELSE r.class END, r.shown, r.state, r.slow_seconds, r.history, r.created_at,
  (SELECT count(*) FROM members m WHERE m.room_pk = r.room_pk AND m.state = 'joined')
FROM tenant_rooms r`

const sqlRoom = sqlRoomColumns + ` WHERE r.viewer = $1 AND r.id = $2`

// Room returns a room that isn't deleted.
func (s *Store) Room(ctx context.Context, t tenant.TenantID, r tenant.RoomID) (tenant.Room, error) {
	row, err := one(ctx, s.pool, scanRoom, sqlRoom, t, r)
	if err == nil && row.State == tenant.RoomDeleted {
		row, err = tenant.Room{}, pgx.ErrNoRows
	}
	return row, wrap(err, "read", "room", string(t), string(r))
}

// RoomRow returns a room, also a deleted one.
func (x tx) RoomRow(ctx context.Context, t tenant.TenantID, r tenant.RoomID) (tenant.Room, error) {
	row, err := one(ctx, x.q, scanRoom, sqlRoom, t, r)
	return row, wrap(err, "read", "room", string(t), string(r))
}

const sqlRooms = sqlRoomColumns + `
WHERE r.viewer = $1 AND r.state <> 'deleted' AND r.id > $2 AND (r.id ILIKE $3 OR r.shown ILIKE $3)
ORDER BY r.id LIMIT $4`

// Rooms lists the rooms of a tenant by id, with the counts of their members.
func (s *Store) Rooms(ctx context.Context, t tenant.TenantID, p tenant.Page) ([]tenant.Room, error) {
	rows, err := list(ctx, s.pool, scanRoom, sqlRooms, t, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "rooms", string(t), p.After)
}

const sqlCountRooms = `
SELECT count(*) FROM rooms WHERE tenant_id = $1 AND state <> 'deleted' AND kind <> 'direct'`

// CountRooms counts the rooms that a tenant's limit is about.
func (x tx) CountRooms(ctx context.Context, t tenant.TenantID) (int64, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int64], sqlCountRooms, t)
	return n, wrap(err, "count", "rooms", string(t))
}

const sqlInsertRoom = `
INSERT INTO rooms (tenant_id, room_id, address, kind, class, title, state, slow_seconds, history, created_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`

// InsertRoom adds a room.
func (x tx) InsertRoom(ctx context.Context, r tenant.Room) (err error) {
	if r.Kind == tenant.Shared {
		if r.Class, err = x.sharedClass(ctx, r.Tenant); err != nil {
			return wrap(err, "choose the stream of", "room", string(r.Tenant), string(r.ID))
		}
	}
	_, err = exec(ctx, x.q, sqlInsertRoom, r.Tenant, r.ID, r.Address, r.Kind, r.Class, r.Title, r.State, r.SlowSeconds, r.History, r.CreatedAt)
	return wrap(err, "insert", "room", string(r.Tenant), string(r.ID))
}

const sqlUpdateRoom = `
UPDATE rooms SET title = $3, state = $4, slow_seconds = $5, history = $6, changed_at = CASE WHEN state = $4 THEN changed_at ELSE now() END
WHERE tenant_id = $1 AND room_id = $2`

// UpdateRoom changes the settings and the state of a room.
func (x tx) UpdateRoom(ctx context.Context, r tenant.Room) error {
	err := mustChange(ctx, x.q, sqlUpdateRoom, r.Tenant, r.ID, r.Title, r.State, r.SlowSeconds, r.History)
	return wrap(err, "update", "room", string(r.Tenant), string(r.ID))
}

func scanRoom(row pgx.CollectableRow) (r tenant.Room, err error) {
	err = row.Scan(&r.Tenant, &r.ID, &r.Host, &r.HostID, &r.Address, &r.Kind, &r.Class, &r.Title, &r.State, &r.SlowSeconds, &r.History, &r.CreatedAt, &r.Members)
	r.CreatedAt = r.CreatedAt.UTC()
	return r, err
}

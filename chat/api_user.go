package chat

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

type whoamiAnswer struct {
	okay
	User   tenant.UserID   `json:"user"`
	Tenant tenant.TenantID `json:"tenant"`
	Name   string          `json:"name"`
	// RoomsGranted are the rooms that a connection without a working set gets one by one: private
	// and shared ones and those where he has other rights than everybody, latest active first.
	RoomsGranted []tenant.RoomID `json:"rooms_granted"`
}

const sqlGrantedRooms = `SELECT r.id FROM standings m JOIN tenant_rooms r ON r.room_pk = m.room_pk AND r.viewer = m.tenant_id LEFT JOIN room_heads h ON h.room_pk = m.room_pk
	WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.state = 'joined' AND r.state <> 'deleted' AND r.kind <> 'direct'
		AND (r.kind IN ('private', 'shared')
			OR r.kind = 'open' AND m.role <> 'member'
			OR r.kind = 'announce' AND m.role NOT IN ('reader', 'member')
			OR EXISTS (SELECT FROM standings x JOIN rooms y USING (room_pk)
				WHERE x.tenant_id = $1 AND x.user_id = $2 AND y.state <> 'deleted' AND y.kind IN ('open', 'announce')
				AND (x.state = 'banned' OR x.state = 'joined' AND x.role = 'reader' AND y.kind = 'open')))
	ORDER BY h.last_at DESC NULLS LAST, r.id LIMIT $3`

func (c *Chat) opWhoami(ctx context.Context, who caller, _ struct{}) (any, error) {
	rows, err := c.pool.Query(ctx, sqlGrantedRooms, who.tenant, who.user, tenant.MaxListedRooms)
	granted, err := collect(rows, err, pgx.RowTo[tenant.RoomID])
	if err != nil {
		return nil, err
	}
	return whoamiAnswer{okay: yes, User: who.user, Tenant: who.tenant, Name: who.name, RoomsGranted: granted}, nil
}

type directRequest struct {
	User string `json:"user"`
}

func (c *Chat) opDirect(ctx context.Context, who caller, q directRequest) (any, error) {
	other, err := tenant.ParseUserID("user", q.User)
	if err != nil {
		return nil, err
	}
	room, err := c.rooms.OpenDirect(ctx, who.tenant, who.user, other)
	if err != nil {
		return nil, err
	}
	return roomAnswer{okay: yes, Room: room}, nil
}

package chat

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

type roomsRequest struct {
	Query string `json:"query"`
	Limit int    `json:"limit"`
	After string `json:"after"` // the last id of the page before
}

type roomsAnswer struct {
	okay
	Rooms []roomView `json:"rooms"`
}

func (c *Chat) opRooms(ctx context.Context, who caller, q roomsRequest) (any, error) {
	limit, err := listLimit(q.Limit)
	if err != nil {
		return nil, err
	}
	if len(q.Query) > maxQueryText || strings.ContainsRune(q.Query, 0) {
		return nil, tenant.Invalid("query", "must be at most 200 bytes without NUL")
	}
	if q.After != "" {
		if _, err = tenant.ParseRoomID("after", q.After); err != nil {
			return nil, err
		}
	}
	if err = c.allCaughtUp(ctx, who.tenant); err != nil {
		return nil, err
	}
	rooms, err := c.roomsOf(ctx, who, q.Query, q.After, limit)
	if err != nil {
		return nil, err
	}
	return roomsAnswer{okay: yes, Rooms: rooms}, nil
}

type roomRequest struct {
	Room string `json:"room"`
}

type roomAnswer struct {
	okay
	Room tenant.Room `json:"room"`
}

func (c *Chat) opJoin(ctx context.Context, who caller, q roomRequest) (any, error) {
	id, err := tenant.ParseRoomID("room", q.Room)
	if err != nil {
		return nil, err
	}
	room, err := c.rooms.Join(ctx, who.tenant, who.user, id)
	if err != nil {
		return nil, err
	}
	return roomAnswer{okay: yes, Room: room}, nil
}

func (c *Chat) opLeave(ctx context.Context, who caller, q roomRequest) (any, error) {
	id, err := tenant.ParseRoomID("room", q.Room)
	if err != nil {
		return nil, err
	}
	if err = c.rooms.Leave(ctx, who.tenant, who.user, id); err != nil {
		return nil, err
	}
	return yes, nil
}

type memberView struct {
	User tenant.UserID `json:"user"`
	Name string        `json:"name"`
	Role tenant.Role   `json:"role"`
	Read uint64        `json:"read,omitzero"` // how far he has read; in rooms of up to 100 members
}

type membersAnswer struct {
	okay
	Members []memberView `json:"members"`
	More    bool         `json:"more,omitzero"` // only the first maxList are listed
}

const sqlRoomMembers = `SELECT CASE WHEN m.tenant_id = $2 THEN m.user_id ELSE m.user_id || '@' || m.tenant_id END, u.name, m.role, coalesce(p.seq, 0) FROM members m JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id
	LEFT JOIN read_positions p ON p.room_pk = m.room_pk AND p.user_id = m.user_id AND p.tenant_id = m.tenant_id
	WHERE m.room_pk = $1 AND m.state = 'joined' ORDER BY m.user_id, m.tenant_id LIMIT $3`

func (c *Chat) opMembers(ctx context.Context, who caller, q roomRequest) (any, error) {
	room, err := c.readable(ctx, who.tenant, q.Room, who.user)
	if err != nil {
		return nil, err
	}
	rows, err := c.pool.Query(ctx, sqlRoomMembers, room.pk, who.tenant, maxList+1)
	members, err := collect(rows, err, pgx.RowToStructByPos[memberView])
	if err != nil {
		return nil, err
	}
	for i := range members {
		if len(members) > maxReceiptMembers {
			members[i].Read = 0
		}
	}
	more := len(members) > maxList
	return membersAnswer{okay: yes, Members: members[:min(len(members), maxList)], More: more}, nil
}

package chat

import (
	"context"

	"parley/tenant"
)

// A notifyLevel is what a user wants to be told of a room beyond what he opens.
type notifyLevel string

const (
	notifyAll      notifyLevel = "all"
	notifyMentions notifyLevel = "mentions"
	notifyNone     notifyLevel = "none"
)

type notifyRequest struct {
	Room  string      `json:"room"`
	Level notifyLevel `json:"level"`
}

const (
	sqlSetNotify = `INSERT INTO notify_levels (room_pk, tenant_id, user_id, level) VALUES ($1, $2, $3, $4)
		ON CONFLICT (room_pk, user_id, tenant_id) DO UPDATE SET level = excluded.level`
	sqlNotifyAll = `DELETE FROM notify_levels WHERE room_pk = $1 AND tenant_id = $2 AND user_id = $3`
)

// opNotify sets what the caller is told of a room. None is his mute of it.
func (c *Chat) opNotify(ctx context.Context, who caller, q notifyRequest) (any, error) {
	switch q.Level {
	case notifyAll, notifyMentions, notifyNone:
	default:
		return nil, tenant.Invalid("level", "must be all, mentions or none")
	}
	room, err := c.readable(ctx, who.tenant, q.Room, who.user)
	if err != nil {
		return nil, err
	}
	if q.Level == notifyAll {
		_, err = c.pool.Exec(ctx, sqlNotifyAll, room.pk, who.tenant, who.user)
	} else {
		_, err = c.pool.Exec(ctx, sqlSetNotify, room.pk, who.tenant, who.user, q.Level)
	}
	return done(fromDB(err))
}

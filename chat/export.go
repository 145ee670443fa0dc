package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// exportPage is how many messages of an export are in memory at once.
const exportPage = 500

// ExportRoom gives each message of a room behind a sequence, events among them, oldest first, to line. What was
// acknowledged before is among them. An export that broke off goes on behind the last sequence it gave.
func (c *Chat) ExportRoom(ctx context.Context, t tenant.TenantID, r tenant.RoomID, after uint64, line func(v any) error) error {
	q := tenant.HistoryQuery{After: max(after, 1), Limit: exportPage}
	for {
		page, err := c.History(ctx, t, r, q)
		if err != nil {
			return err
		}
		for _, m := range page.Messages {
			if err = line(m); err != nil {
				return err
			}
			q.After = m.Seq
		}
		if !page.More {
			return nil
		}
	}
}

const (
	sqlExportUser = `SELECT user_id, name, external_id, kind, status, created_at FROM users WHERE tenant_id = $1 AND user_id = $2`
	// One room after the other, each by its index of senders.
	sqlExportRooms = `SELECT r.room_pk, r.id, r.viewer, r.tenant_id FROM tenant_rooms r
		WHERE r.viewer = $1 AND r.id > $3 AND EXISTS (SELECT FROM messages m WHERE m.room_pk = r.room_pk
			AND m.sender = $2 || CASE WHEN r.viewer = r.tenant_id THEN '' ELSE '@' || r.viewer END)
		ORDER BY r.id LIMIT 100`
	sqlExportMine = `SELECT ` + sqlMessageColumns + ` FROM messages m
		WHERE m.room_pk = $1 AND m.sender = $2 AND m.seq > $3 ORDER BY m.seq LIMIT $4`
	sqlExportMembers = `SELECT r.id, m.role, m.state, m.joined_at FROM members m JOIN tenant_rooms r ON r.room_pk = m.room_pk AND r.viewer = m.tenant_id
		WHERE m.tenant_id = $1 AND m.user_id = $2 ORDER BY r.id`
)

// The lines of a person's export: he, then his rooms, then what he said.
type (
	exportedUser struct {
		Type string      `json:"type"` // user
		User tenant.User `json:"user"`
	}
	exportedMember struct {
		Type   string        `json:"type"` // member
		Room   tenant.RoomID `json:"room"`
		Member tenant.Member `json:"member"`
	}
	exportedMessage struct {
		Type    string         `json:"type"` // message
		Room    tenant.RoomID  `json:"room"`
		Message tenant.Message `json:"message"`
	}
)

// ExportUser gives what is kept of a person to line: himself, his rooms, and his messages room by room.
func (c *Chat) ExportUser(ctx context.Context, t tenant.TenantID, u tenant.UserID, line func(v any) error) error {
	one := exportedUser{Type: "user"}
	err := c.pool.QueryRow(ctx, sqlExportUser, t, u).
		Scan(&one.User.ID, &one.User.Name, &one.User.ExternalID, &one.User.Kind, &one.User.Status, &one.User.CreatedAt)
	if err = fromDB(err); isNotFound(err) {
		return tenant.NotFound("user")
	}
	if err != nil {
		return err
	}
	if err = c.allCaughtUp(ctx, t); err != nil {
		return err
	}
	if err = line(one); err != nil {
		return err
	}
	if err = c.exportMembers(ctx, t, u, line); err != nil {
		return fmt.Errorf("export rooms of %s: %w", u, fromDB(err))
	}
	after := tenant.RoomID("")
	for {
		rows, err := c.pool.Query(ctx, sqlExportRooms, t, u, after)
		rooms, err := collect(rows, err, func(row pgx.CollectableRow) (r seenRoom, err error) {
			err = row.Scan(&r.pk, &r.id, &r.viewer, &r.host)
			return r, err
		})
		if err != nil || len(rooms) == 0 {
			return err
		}
		for _, r := range rooms {
			if err = c.exportMine(ctx, r, u, line); err != nil {
				return fmt.Errorf("export messages of %s in %s: %w", u, r.id, fromDB(err))
			}
			after = r.id
		}
	}
}

func (c *Chat) exportMembers(ctx context.Context, t tenant.TenantID, u tenant.UserID, line func(v any) error) error {
	rows, err := c.pool.Query(ctx, sqlExportMembers, t, u)
	members, err := collect(rows, err, func(row pgx.CollectableRow) (e exportedMember, err error) {
		e.Type, e.Member.User = "member", u
		err = row.Scan(&e.Room, &e.Member.Role, &e.Member.State, &e.Member.JoinedAt)
		return e, err
	})
	for _, m := range members {
		if err = line(m); err != nil {
			return err
		}
	}
	return err
}

func (c *Chat) exportMine(ctx context.Context, r seenRoom, u tenant.UserID, line func(v any) error) error {
	for after, n := uint64(0), exportPage; n == exportPage; {
		rows, err := c.pool.Query(ctx, sqlExportMine, r.pk, r.name(u), after, exportPage)
		mine, err := collect(rows, err, func(row pgx.CollectableRow) (tenant.Message, error) {
			m, _, err := scanMessage(row)
			r.show(&m)
			return m, err
		})
		if err != nil {
			return err
		}
		for _, m := range mine {
			if err = line(exportedMessage{"message", r.id, m}); err != nil {
				return err
			}
			after = m.Seq
		}
		n = len(mine)
	}
	return nil
}

const sqlExportHeld = `SELECT held_id, seq, sender, sender_name, at, text, coalesce(thread, 0), mentions, attachments, data, event, kept_at
	FROM held_messages WHERE tenant_id = $1 AND room_id = $2 AND held_id > $3 ORDER BY held_id LIMIT $4`

// A heldMessage is a line of what a hold keeps: a message, or an event, as it was before it was taken or changed.
type heldMessage struct {
	ID          int64           `json:"id"` // the order in which they were lost
	Seq         uint64          `json:"seq"`
	Sender      string          `json:"sender"`
	SenderName  string          `json:"sender_name,omitzero"`
	Time        time.Time       `json:"time"`
	Text        string          `json:"text"`
	Thread      uint64          `json:"thread,omitzero"`
	Mentions    []string        `json:"mentions,omitzero"`
	Attachments json.RawMessage `json:"attachments,omitzero"`
	Data        json.RawMessage `json:"data,omitzero"`
	Event       json.RawMessage `json:"event,omitzero"`
	LostAt      time.Time       `json:"lost_at"`
}

// ExportHeld gives what the holds of a room keep, beside what the room still has, to line. The room may be deleted.
func (c *Chat) ExportHeld(ctx context.Context, t tenant.TenantID, r tenant.RoomID, after int64, line func(v any) error) error {
	for n := exportPage; n == exportPage; {
		rows, err := c.pool.Query(ctx, sqlExportHeld, t, r, after, exportPage)
		held, err := collect(rows, err, pgx.RowToStructByPos[heldMessage])
		if err != nil {
			return fmt.Errorf("export what is held of %s: %w", r, err)
		}
		for _, h := range held {
			h.Time, h.LostAt = h.Time.UTC(), h.LostAt.UTC()
			if err = line(h); err != nil {
				return err
			}
			after = h.ID
		}
		n = len(held)
	}
	return nil
}

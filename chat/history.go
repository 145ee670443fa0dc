package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// maxPageBytes bounds the text and data of a page for HTTP.
const maxPageBytes = 8 << 20

const (
	sqlMessageColumns = `m.seq, coalesce(m.n, 0), m.sender, m.at, m.text, coalesce(m.thread, 0), m.replies, m.reactions,
		m.mentions, m.attachments, m.data, m.edited_at, m.deleted_at, m.event`
	sqlMessageBounds = ` FROM messages m WHERE m.room_pk = $1 AND m.seq > $2 AND m.seq < $3
		AND m.at >= coalesce($4, '-infinity'::timestamptz) AND m.at < coalesce($5, 'infinity'::timestamptz)`
	sqlHistoryForward  = `SELECT ` + sqlMessageColumns + sqlMessageBounds + ` ORDER BY m.seq LIMIT $6`
	sqlHistoryBackward = `SELECT ` + sqlMessageColumns + sqlMessageBounds + ` ORDER BY m.seq DESC LIMIT $6`
	sqlThreadForward   = `SELECT ` + sqlMessageColumns + sqlMessageBounds + ` AND m.thread = $7 ORDER BY m.seq LIMIT $6`
	sqlThreadBackward  = `SELECT ` + sqlMessageColumns + sqlMessageBounds + ` AND m.thread = $7 ORDER BY m.seq DESC LIMIT $6`
)

// History reads a page of a room for the tenant itself. The room need not be active.
func (c *Chat) History(ctx context.Context, t tenant.TenantID, r tenant.RoomID, q tenant.HistoryQuery) (tenant.HistoryPage, error) {
	if err := q.Check(); err != nil {
		return tenant.HistoryPage{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	room, err := c.find(ctx, t, r, "")
	if isNotFound(err) {
		return tenant.HistoryPage{}, tenant.NotFound("room")
	}
	if err != nil {
		return tenant.HistoryPage{}, fmt.Errorf("find room %s: %w", r, err)
	}
	return c.history(ctx, room, q, maxPageBytes)
}

// history reads a page of at most so many bytes, but one message at least.
func (c *Chat) history(ctx context.Context, room seenRoom, q tenant.HistoryQuery, bytes int) (tenant.HistoryPage, error) {
	rows, err := c.historyRows(ctx, room, q)
	if err != nil {
		return tenant.HistoryPage{}, err
	}
	page, err := readPage(rows, q.Limit, bytes)
	if err != nil {
		return tenant.HistoryPage{}, fmt.Errorf("read room %s: %w", room.id, fromDB(err))
	}
	for i := range page.Messages {
		room.show(&page.Messages[i])
	}
	if q.After == 0 {
		slices.Reverse(page.Messages)
	}
	return page, nil
}

// historyRows asks for a row more than the page may have. Without After the newest come first.
func (c *Chat) historyRows(ctx context.Context, room seenRoom, q tenant.HistoryQuery) (pgx.Rows, error) {
	if err := c.caughtUp(ctx, room.stream); err != nil {
		return nil, err
	}
	sql, args := historyQuery(room, q)
	rows, err := c.pool.Query(ctx, sql, args...)
	return rows, fromDB(err)
}

func historyQuery(room seenRoom, q tenant.HistoryQuery) (sql string, args []any) {
	if q.Since.Before(room.since) {
		q.Since = room.since
	}
	before := q.Before
	if before == 0 {
		before = 1<<63 - 1
	}
	sql, args = sqlHistoryBackward, []any{room.pk, q.After, before, timeOrNil(q.Since), timeOrNil(q.Until), q.Limit + 1}
	if q.After > 0 {
		sql = sqlHistoryForward
	}
	if q.Thread > 0 {
		sql, args = sqlThreadBackward, append(args, q.Thread)
		if q.After > 0 {
			sql = sqlThreadForward
		}
	}
	return sql, args
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// readPage stops where the page is full; a row more says that there is more.
func readPage(rows pgx.Rows, limit, bytes int) (tenant.HistoryPage, error) {
	defer rows.Close()
	page := tenant.HistoryPage{Messages: []tenant.Message{}}
	for rows.Next() {
		m, size, err := scanMessage(rows)
		if err != nil {
			return tenant.HistoryPage{}, err
		}
		bytes -= size
		if len(page.Messages) == limit || bytes < 0 && len(page.Messages) > 0 {
			page.More = true
			return page, nil
		}
		page.Messages = append(page.Messages, m)
	}
	return page, rows.Err()
}

// envelope is about what the JSON of a message has beside its text and data, in bytes.
const envelope = 256

func scanMessage(row pgx.Row) (m tenant.Message, size int, err error) {
	var reactions, attachments []byte
	var edited, deleted *time.Time
	err = row.Scan(&m.Seq, &m.N, &m.Sender, &m.Time, &m.Text, &m.Thread, &m.Replies, &reactions,
		&m.Mentions, &attachments, &m.Data, &edited, &deleted, &m.Event)
	if err != nil {
		return m, 0, err
	}
	m.Time = m.Time.UTC()
	m.Edited, m.Deleted = timeOf(edited), timeOf(deleted)
	if reactions != nil {
		if err = json.Unmarshal(reactions, &m.Reactions); err != nil {
			return m, 0, err
		}
	}
	if attachments != nil {
		if err = json.Unmarshal(attachments, &m.Attachments); err != nil {
			return m, 0, err
		}
	}
	size = envelope + len(m.Text) + escapes(m.Text) + len(m.Data) + len(m.Event) + len(attachments) + len(reactions) + len(m.Mentions)*(len("\"\",")+64)
	return m, size, nil
}

// escapes is how much longer a text may become as JSON.
func escapes(s string) (n int) {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ':
			n += 5
		case c == '"' || c == '\\':
			n++
		}
	}
	return n
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

package chat

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const (
	// searchRecent is how many of the newest messages are looked through first. A word that is frequent is found
	// there often enough; one that is not is rare, so that the index lists few messages.
	searchRecent = 4096
	// searchHits bounds what the index may list.
	searchHits = 20_000
	// searchRooms is how many rooms are named to the index: so it lists nothing of other rooms.
	searchRooms = 64
)

// $1 query, $2 the rooms that may be read, $3 and $4 those that may not be read from their beginning and since when, $5 limit.
const (
	sqlSearchRooms = `SELECT r.room_pk, CASE WHEN r.history = 'joined' AND u.kind = 'person' THEN coalesce(m.joined_at, now()) END
		FROM rooms r LEFT JOIN standings m ON m.room_pk = r.room_pk AND m.user_id = $2 AND m.tenant_id = r.tenant_id
		LEFT JOIN users u ON u.tenant_id = r.tenant_id AND u.user_id = $2
		WHERE r.tenant_id = $1 AND r.state <> 'deleted' AND ($2 = '' OR u.kind = 'service' AND r.kind <> 'direct'
			OR m.state = 'joined' OR r.kind IN ('open', 'announce') AND m.state IS DISTINCT FROM 'banned')`
	// What is found is read from the newest on, so that it ends early where there is enough.
	sqlSearchMayRead = ` WHERE words @@ $1::tsquery AND room_pk = ANY ($2::bigint[])
		AND at >= coalesce(($4::timestamptz[])[array_position($3::bigint[], room_pk)], '-infinity')`
	sqlSearchMessages = `SELECT r.room_id, ` + sqlMessageColumns + ` FROM hits h
		JOIN messages m ON m.room_pk = h.room_pk AND m.seq = h.seq JOIN rooms r ON r.room_pk = h.room_pk
		ORDER BY h.at DESC, h.seq DESC`
	sqlSearchNewest = `WITH newest AS (
			SELECT room_pk, seq, at, words FROM message_words WHERE scope = $6 ORDER BY at DESC LIMIT $7
		), hits AS MATERIALIZED (SELECT room_pk, seq, at FROM newest` + sqlSearchMayRead + ` ORDER BY at DESC LIMIT $5)
		` + sqlSearchMessages
	sqlSearchNewestOfRoom = `WITH newest AS (
			SELECT room_pk, seq, at, words FROM message_words WHERE room_pk = $6 ORDER BY seq DESC LIMIT $7
		), hits AS MATERIALIZED (SELECT room_pk, seq, at FROM newest` + sqlSearchMayRead + ` ORDER BY seq DESC LIMIT $5)
		` + sqlSearchMessages
	sqlSearchAll = `WITH listed AS MATERIALIZED (
			SELECT room_pk, seq, at, words FROM message_words WHERE words @@ $1::tsquery LIMIT $6
		), hits AS (SELECT room_pk, seq, at FROM listed` + sqlSearchMayRead + ` ORDER BY at DESC, seq DESC LIMIT $5)
		` + sqlSearchMessages
)

// Search finds messages for the tenant itself, or for one of its users, newest first.
func (c *Chat) Search(ctx context.Context, t tenant.TenantID, q tenant.SearchQuery) ([]tenant.FoundMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	if err := q.Check(); err != nil {
		return nil, err
	}
	if q.As != "" {
		_, err := c.caller(ctx, sqlPoster, string(t), q.As)
		if isNotFound(err) {
			err = tenant.Invalid("as", "is no active user of this tenant")
		}
		if err != nil {
			return nil, err
		}
	}
	return c.search(ctx, t, q)
}

// A searched is what a search may look in.
type searched struct {
	rooms  []int64
	joined []int64     // those of them that may not be read from their beginning
	since  []time.Time // when that begins
	room   seenRoom    // the one that was named
	host   tenant.TenantID
}

// show puts what was found in the names of who looks. Without a named room all is his own tenant's.
func (in *searched) show(found []tenant.FoundMessage) []tenant.FoundMessage {
	for i := range found {
		if in.room.pk != 0 {
			found[i].Room = in.room.id
			in.room.show(&found[i].Message)
		}
	}
	return found
}

func (in *searched) add(room int64, since *time.Time) {
	in.rooms = append(in.rooms, room)
	if since != nil {
		in.joined, in.since = append(in.joined, room), append(in.since, *since)
	}
}

func (c *Chat) search(ctx context.Context, t tenant.TenantID, q tenant.SearchQuery) ([]tenant.FoundMessage, error) {
	terms, err := parseQuery(q.Query)
	if err != nil {
		return nil, err
	}
	in, err := c.searchable(ctx, t, q)
	if err != nil || len(in.rooms) == 0 {
		return []tenant.FoundMessage{}, err
	}
	s := scopeOf(in.host)
	plain := s.tsquery(terms, nil)
	// Twice as many, since not all of them need match to the letter.
	limit := 2 * q.Limit
	newest, args := sqlSearchNewest, []any{plain, in.rooms, in.joined, in.since, limit, s.number, searchRecent}
	if q.Room != "" {
		newest, args[5] = sqlSearchNewestOfRoom, in.rooms[0]
	}
	all, err := c.found(ctx, terms, q.Limit, newest, args...)
	if err != nil || len(all) == q.Limit {
		return in.show(all), err
	}
	if len(in.rooms) <= searchRooms {
		plain = s.tsquery(terms, in.rooms)
	}
	all, err = c.found(ctx, terms, q.Limit, sqlSearchAll, plain, in.rooms, in.joined, in.since, limit, searchHits)
	return in.show(all), err
}

// searchable lists the rooms that may be read.
func (c *Chat) searchable(ctx context.Context, t tenant.TenantID, q tenant.SearchQuery) (searched, error) {
	if q.Room != "" {
		room, err := c.find(ctx, t, q.Room, q.As)
		if isNotFound(err) || err == nil && q.As != "" && !room.rights.Read {
			err = tenant.NotFound("room")
		}
		if err == nil {
			err = c.caughtUp(ctx, room.stream)
		}
		in := searched{room: room, host: room.host}
		in.add(room.pk, timeOrNil(room.since))
		return in, err
	}
	if err := c.allCaughtUp(ctx, t); err != nil {
		return searched{}, err
	}
	in := searched{host: t}
	rows, err := c.pool.Query(ctx, sqlSearchRooms, t, q.As)
	if err != nil {
		return searched{}, fromDB(err)
	}
	var pk int64
	var since *time.Time
	_, err = pgx.ForEachRow(rows, []any{&pk, &since}, func() error {
		in.add(pk, since)
		return nil
	})
	return in, fromDB(err)
}

// found reads the messages of hits and marks what was looked for.
func (c *Chat) found(ctx context.Context, terms []sought, limit int, sql string, args ...any) ([]tenant.FoundMessage, error) {
	rows, err := c.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("search: %w", fromDB(err))
	}
	defer rows.Close()
	found := []tenant.FoundMessage{}
	for rows.Next() && len(found) < limit {
		var m tenant.FoundMessage
		if m.Message, _, err = scanMessage(withRoom{rows, &m.Room}); err != nil {
			return nil, fmt.Errorf("search: %w", fromDB(err))
		}
		if hits, ok := matches(terms, m.Text); ok {
			m.Highlights = excerpt(m.Text, hits)
			found = append(found, m)
		}
	}
	return found, fromDB(rows.Err())
}

// withRoom scans a room before the columns of a message.
type withRoom struct {
	pgx.Rows
	room *tenant.RoomID
}

func (w withRoom) Scan(to ...any) error { return w.Rows.Scan(append([]any{w.room}, to...)...) }

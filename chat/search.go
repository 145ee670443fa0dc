package chat

import (
	"context"
	"fmt"
	"slices"
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
	sqlSearchRooms = `SELECT r.room_pk, r.tenant_id, r.id,
			greatest(r.visible_from, CASE WHEN r.history = 'joined' AND u.kind = 'person' THEN coalesce(m.joined_at, now()) END)
		FROM tenant_rooms r LEFT JOIN standings m ON m.room_pk = r.room_pk AND m.user_id = $2 AND m.tenant_id = r.viewer
		LEFT JOIN users u ON u.tenant_id = r.viewer AND u.user_id = $2
		WHERE r.viewer = $1 AND r.state <> 'deleted' AND ($2 = '' OR u.kind = 'service' AND r.kind NOT IN ('direct', 'shared')
			OR m.state = 'joined' OR r.kind IN ('open', 'announce') AND m.state IS DISTINCT FROM 'banned')`
	// What is found is read from the newest on, so that it ends early where there is enough.
	sqlSearchMayRead = ` WHERE words @@ $1::tsquery AND room_pk = ANY ($2::bigint[])
		AND at >= coalesce(($4::timestamptz[])[array_position($3::bigint[], room_pk)], '-infinity')`
	sqlSearchMessages = `SELECT h.room_pk, ` + sqlMessageColumns + ` FROM hits h JOIN messages m ON m.room_pk = h.room_pk AND m.seq = h.seq
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

// A searched is what a search may look in: rooms of one host.
type searched struct {
	viewer, host tenant.TenantID
	rooms        []int64
	joined       []int64                 // those of them that may not be read from their beginning
	since        []time.Time             // when that begins
	names        map[int64]tenant.RoomID // of the rooms, for the viewer
}

func (in *searched) add(pk int64, name tenant.RoomID, since *time.Time) {
	in.rooms, in.names[pk] = append(in.rooms, pk), name
	if since != nil {
		in.joined, in.since = append(in.joined, pk), append(in.since, *since)
	}
}

func (c *Chat) search(ctx context.Context, t tenant.TenantID, q tenant.SearchQuery) ([]tenant.FoundMessage, error) {
	terms, err := parseQuery(q.Query)
	if err != nil {
		return nil, err
	}
	hosts, err := c.searchable(ctx, t, q)
	all := []tenant.FoundMessage{}
	for _, in := range hosts {
		if err == nil {
			var found []tenant.FoundMessage
			found, err = c.searchHost(ctx, terms, in, q)
			all = append(all, found...)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(hosts) > 1 {
		slices.SortStableFunc(all, func(a, b tenant.FoundMessage) int { return b.Time.Compare(a.Time) })
	}
	return all[:min(len(all), q.Limit)], nil
}

// searchHost searches rooms of one host: each has its own part of the index.
func (c *Chat) searchHost(ctx context.Context, terms []sought, in *searched, q tenant.SearchQuery) ([]tenant.FoundMessage, error) {
	s := scopeOf(in.host)
	plain := s.tsquery(terms, nil)
	// Twice as many, since not all of them need match to the letter.
	limit := 2 * q.Limit
	newest, args := sqlSearchNewest, []any{plain, in.rooms, in.joined, in.since, limit, s.number, searchRecent}
	if q.Room != "" {
		newest, args[5] = sqlSearchNewestOfRoom, in.rooms[0]
	}
	all, err := c.found(ctx, terms, in, q.Limit, newest, args...)
	if err != nil || len(all) == q.Limit {
		return all, err
	}
	if len(in.rooms) <= searchRooms {
		plain = s.tsquery(terms, in.rooms)
	}
	return c.found(ctx, terms, in, q.Limit, sqlSearchAll, plain, in.rooms, in.joined, in.since, limit, searchHits)
}

// searchable lists the rooms that may be read, by their hosts.
func (c *Chat) searchable(ctx context.Context, t tenant.TenantID, q tenant.SearchQuery) ([]*searched, error) {
	if q.Room != "" {
		room, err := c.find(ctx, t, q.Room, q.As)
		if isNotFound(err) || err == nil && q.As != "" && !room.rights.Read {
			err = tenant.NotFound("room")
		}
		if err == nil {
			err = c.caughtUp(ctx, room.stream)
		}
		in := newSearched(t, room.host)
		in.add(room.pk, room.id, timeOrNil(room.since))
		return []*searched{in}, err
	}
	if err := c.allCaughtUp(ctx, t); err != nil {
		return nil, err
	}
	rows, err := c.pool.Query(ctx, sqlSearchRooms, t, q.As)
	if err != nil {
		return nil, fromDB(err)
	}
	var all []*searched
	byHost := map[tenant.TenantID]*searched{}
	var pk int64
	var host tenant.TenantID
	var name tenant.RoomID
	var since *time.Time
	_, err = pgx.ForEachRow(rows, []any{&pk, &host, &name, &since}, func() error {
		if byHost[host] == nil {
			byHost[host] = newSearched(t, host)
			all = append(all, byHost[host])
		}
		byHost[host].add(pk, name, since)
		return nil
	})
	return all, fromDB(err)
}

func newSearched(viewer, host tenant.TenantID) *searched {
	return &searched{viewer: viewer, host: host, names: map[int64]tenant.RoomID{}}
}

// found reads the messages of hits, with the names that the viewer has, and marks what was looked for.
func (c *Chat) found(ctx context.Context, terms []sought, in *searched, limit int, sql string, args ...any) ([]tenant.FoundMessage, error) {
	rows, err := c.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("search: %w", fromDB(err))
	}
	defer rows.Close()
	found := []tenant.FoundMessage{}
	as := seenRoom{viewer: in.viewer, host: in.host}
	for rows.Next() && len(found) < limit {
		var m tenant.FoundMessage
		var pk int64
		if m.Message, _, err = scanMessage(withRoom{rows, &pk}); err != nil {
			return nil, fmt.Errorf("search: %w", fromDB(err))
		}
		m.Room = in.names[pk]
		as.show(&m.Message)
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
	room *int64
}

func (w withRoom) Scan(to ...any) error { return w.Rows.Scan(append([]any{w.room}, to...)...) }

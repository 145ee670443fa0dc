package chat

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"parley/tenant"
)

// Each statement comes twice: for the rooms of a host in the order of places, and for one room in the order of its
// sequences, which a clock that was put back does not disturb. The bounds of what is looked at stand within, so that
// each page costs what the first does.
//
// $1 query, $2 the rooms that may be read, $3 and $4 those that may not be read from their beginning and since when, $5 limit.
const (
	sqlSearchMayRead = ` WHERE words @@ $1::tsquery AND room_pk = ANY ($2::bigint[])
		AND at >= coalesce(($4::timestamptz[])[array_position($3::bigint[], room_pk)], '-infinity')`
	sqlSearchOrder    = ` ORDER BY at DESC, room_pk DESC, seq DESC`
	sqlSearchMessages = ` SELECT h.room_pk, h.seq, h.at, ` + sqlMessageColumns + ` FROM hits h JOIN messages m ON m.room_pk = h.room_pk AND m.seq = h.seq
		ORDER BY h.at DESC, h.room_pk DESC, h.seq DESC`
	sqlSearchMessagesInRoom = ` SELECT h.room_pk, h.seq, h.at, ` + sqlMessageColumns + ` FROM hits h JOIN messages m ON m.room_pk = h.room_pk AND m.seq = h.seq
		ORDER BY h.seq DESC`

	// $6 scope or room, $7 how many are looked at (none: all), then where they begin and where they end. What is found is
	// read from the newest on, so that it ends early where there is enough.
	sqlSearchNewest = `WITH newest AS (
			SELECT room_pk, seq, at, words FROM message_words WHERE scope = $6
				AND (at, room_pk, seq) < ($8::timestamptz, $9::bigint, $10::bigint) AND (at, room_pk, seq) >= ($11::timestamptz, $12::bigint, $13::bigint)` +
		sqlSearchOrder + ` LIMIT $7
		), hits AS MATERIALIZED (SELECT room_pk, seq, at FROM newest` + sqlSearchMayRead + sqlSearchOrder + ` LIMIT $5)` + sqlSearchMessages
	sqlSearchNewestInRoom = `WITH newest AS (
			SELECT room_pk, seq, at, words FROM message_words WHERE room_pk = $6 AND seq < $8 AND seq >= $9 ORDER BY seq DESC LIMIT $7
		), hits AS MATERIALIZED (SELECT room_pk, seq, at FROM newest` + sqlSearchMayRead + ` ORDER BY seq DESC LIMIT $5)` + sqlSearchMessagesInRoom

	// $6 how many the index may list, then where they begin. The index lists in no order: where it lists as many as it may,
	// any could be missing, and none of them is of use.
	sqlSearchListed = `WITH listed AS MATERIALIZED (
			SELECT room_pk, seq, at, words FROM message_words WHERE words @@ $1::tsquery LIMIT $6
		), hits AS (SELECT room_pk, seq, at FROM listed` + sqlSearchMayRead + ` AND (SELECT count(*) FROM listed) < $6
				AND (at, room_pk, seq) < ($7::timestamptz, $8::bigint, $9::bigint)` + sqlSearchOrder + ` LIMIT $5)` + sqlSearchMessages
	sqlSearchListedInRoom = `WITH listed AS MATERIALIZED (
			SELECT room_pk, seq, at, words FROM message_words WHERE words @@ $1::tsquery LIMIT $6
		), hits AS (SELECT room_pk, seq, at FROM listed` + sqlSearchMayRead + ` AND (SELECT count(*) FROM listed) < $6
				AND seq < $7 ORDER BY seq DESC LIMIT $5)` + sqlSearchMessagesInRoom
	sqlSearchCount = `SELECT count(*) FROM (SELECT FROM message_words WHERE words @@ $1::tsquery LIMIT $2) AS listed`

	// $1 scope or room, $2 how many are looked at, then where they begin; of all rooms, the rooms that may be read. The end is in one of these
	// if any is there, since the cursor tells it: where messages of other rooms are is none of the reader's business.
	sqlSearchEnd = `WITH newest AS (
			SELECT room_pk, seq, at FROM message_words WHERE scope = $1 AND (at, room_pk, seq) < ($3::timestamptz, $4::bigint, $5::bigint)` + sqlSearchOrder + ` LIMIT $2
		) SELECT room_pk, seq, at, (SELECT count(*) FROM newest) FROM newest ORDER BY room_pk = ANY ($6::bigint[]) DESC, at, room_pk, seq LIMIT 1`
	sqlSearchEndInRoom = `SELECT room_pk, seq, at FROM message_words WHERE room_pk = $1 AND seq < $3 ORDER BY seq DESC OFFSET $2 - 1 LIMIT 1`
)

// A looking is one search of a host's rooms behind a place.
type looking struct {
	c     *Chat
	in    *searched
	scope scope
	terms []sought
	limit int
	after *searchPlace
}

func (in *searched) looking(c *Chat, terms []sought, limit int, after *searchPlace) looking {
	return looking{c: c, in: in, scope: scopeOf(in.host), terms: terms, limit: limit, after: after}
}

// where is what the newest messages are of.
func (l looking) where() int64 {
	if l.in.one {
		return l.in.rooms[0]
	}
	return l.scope.number
}

// bound are the arguments of a place; none: the one of that infinity.
func (l looking) bound(p *searchPlace, none pgtype.InfinityModifier) []any {
	at, room, seq := pgtype.Timestamptz{InfinityModifier: none, Valid: true}, int64(0), int64(0)
	switch {
	case p != nil:
		at, room, seq = pgtype.Timestamptz{Time: p.at, Valid: true}, p.room, p.seq
	case none == pgtype.Infinity:
		room, seq = math.MaxInt64, math.MaxInt64
	}
	if l.in.one {
		return []any{seq}
	}
	return []any{at, room, seq}
}

// begin is the bound behind which is looked.
func (l looking) begin() []any { return l.bound(l.after, pgtype.Infinity) }

// args are those that all statements have, and more. Not all that the index finds need match to the letter, so that more are read
// than are wanted.
func (l looking) args(query string, more ...any) []any {
	return append([]any{query, l.in.rooms, l.in.joined, l.in.since, l.atMost()}, more...)
}

func (l looking) atMost() int { return 2*l.limit + tenant.DefaultSearch }

// newest looks through the newest messages. Where it comes to no end there may be more all the same.
func (l looking) newest(ctx context.Context) (hits, error) {
	h, _, err := l.through(ctx, l.c.searching.recent, nil)
	return h, err
}

// through looks through so many messages (nil: all) up to a place (nil: the last).
func (l looking) through(ctx context.Context, most any, until *searchPlace) (hits, int, error) {
	sql := sqlSearchNewest
	if l.in.one {
		sql = sqlSearchNewestInRoom
	}
	args := append(l.args(l.scope.tsquery(l.terms, nil), l.where(), most), l.begin()...)
	return l.found(ctx, sql, append(args, l.bound(until, pgtype.NegativeInfinity)...)...)
}

// listed has the index list what matches. Where that is too much, it finds nothing and says so for the searches that follow.
func (l looking) listed(ctx context.Context) (hits, error) {
	sql, query := sqlSearchListed, l.scope.tsquery(l.terms, nil)
	if l.in.one {
		sql = sqlSearchListedInRoom
	}
	if len(l.in.rooms) <= l.c.searching.rooms {
		query = l.scope.tsquery(l.terms, l.in.rooms)
	}
	h, looked, err := l.found(ctx, sql, append(l.args(query, l.c.searching.listed), l.begin()...)...)
	if err != nil || looked > 0 {
		return h, err
	}
	var n int
	if err = l.c.pool.QueryRow(ctx, sqlSearchCount, query, l.c.searching.listed).Scan(&n); err != nil {
		return h, fmt.Errorf("count what is listed: %w", fromDB(err))
	}
	// Some may have gone since.
	l.in.often = n > l.c.searching.listed/2
	return h, nil
}

// window looks through many messages in their order, and ends behind the last of them.
func (l looking) window(ctx context.Context) (hits, error) {
	end, err := l.windowEnd(ctx)
	if err != nil {
		return hits{}, fmt.Errorf("end of a window: %w", fromDB(err))
	}
	h, _, err := l.through(ctx, nil, end)
	if h.end == nil {
		h.end = end
	}
	return h, err
}

// windowEnd is nil where a window has all messages that are left.
func (l looking) windowEnd(ctx context.Context) (*searchPlace, error) {
	var p searchPlace
	n := l.c.searching.listed
	args := append([]any{l.where(), l.c.searching.listed}, l.begin()...)
	var err error
	if l.in.one {
		err = l.c.pool.QueryRow(ctx, sqlSearchEndInRoom, args...).Scan(&p.room, &p.seq, &p.at)
	} else {
		err = l.c.pool.QueryRow(ctx, sqlSearchEnd, append(args, l.in.rooms)...).Scan(&p.room, &p.seq, &p.at, &n)
	}
	if errors.Is(err, pgx.ErrNoRows) || n < l.c.searching.listed {
		return nil, nil
	}
	return &p, err
}

// found reads the messages of a statement, with the names that the viewer has, and marks what was looked for.
func (l looking) found(ctx context.Context, sql string, args ...any) (h hits, looked int, err error) {
	rows, err := l.c.pool.Query(ctx, sql, args...)
	if err != nil {
		return h, 0, fmt.Errorf("search: %w", fromDB(err))
	}
	defer rows.Close()
	as := seenRoom{viewer: l.in.viewer, host: l.in.host}
	for h.end == nil && rows.Next() {
		var m hit
		if m.Message, _, err = scanMessage(withPlace{rows, &m.place}); err != nil {
			return h, looked, fmt.Errorf("search: %w", fromDB(err))
		}
		looked++
		m.Room = l.in.names[m.place.room]
		as.show(&m.Message)
		if at, ok := matches(l.terms, m.Text); ok {
			m.Highlights = excerpt(m.Text, at)
			h.all = append(h.all, m)
		}
		if len(h.all) == l.limit || looked == l.atMost() {
			h.end = &m.place
		}
	}
	return h, looked, fromDB(rows.Err())
}

// withPlace scans a place before the columns of a message.
type withPlace struct {
	pgx.Rows
	place *searchPlace
}

func (w withPlace) Scan(to ...any) error {
	return w.Rows.Scan(append([]any{&w.place.room, &w.place.seq, &w.place.at}, to...)...)
}

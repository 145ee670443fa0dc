package pgstore

import (
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"parley/tenant"
)

// maxPage bounds a page whatever the caller asks.
const maxPage = 1000

func limit(p tenant.Page) int { return min(max(p.Limit, 1), maxPage) }

// pattern is a LIKE pattern that finds the query's characters as they are.
func pattern(p tenant.Page) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(p.Query) + "%"
}

// A place is where a list of events, newest first, goes on: behind the event of this time
// and number. The time alone would lose or repeat events of the same microsecond.
type place struct {
	at pgtype.Timestamptz
	id int64
}

func (p place) String() string {
	return p.at.Time.UTC().Format(time.RFC3339Nano) + "," + strconv.FormatInt(p.id, 10)
}

// parsePlace reads Page.After: what String wrote, or a time alone, which is before all events of that time.
func parsePlace(after string) (place, error) {
	if after == "" {
		return place{at: pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}}, nil
	}
	text, number, numbered := strings.Cut(after, ",")
	at, err := time.Parse(time.RFC3339Nano, text)
	var id int64
	if err == nil && numbered {
		id, err = strconv.ParseInt(number, 10, 64)
	}
	if err != nil || at.Year() < 1 {
		return place{}, tenant.Invalid("after", "must be the cursor of an entry, or a time in RFC 3339")
	}
	return place{at: pgtype.Timestamptz{Time: at, Valid: true}, id: id}, nil
}

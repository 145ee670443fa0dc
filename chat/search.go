package chat

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// searchBounds are how much one search looks at.
type searchBounds struct {
	// recent is how many of the newest messages are looked through first. A word that is frequent is found
	// there often enough; one that is not is rare, so that the index lists few messages.
	recent int
	// listed bounds what the index may list, and what is looked through at once where it would list more.
	listed int
	// rooms is how many rooms are named to the index: so it lists nothing of other rooms.
	rooms int
	// tries is how often a search goes on behind where it was left, to fill its page.
	tries int
}

var realSearch = searchBounds{recent: 4096, listed: 20_000, rooms: 64, tries: 4}

const sqlSearchRooms = `SELECT r.room_pk, r.tenant_id, r.id,
		greatest(r.visible_from, CASE WHEN r.history = 'joined' AND u.kind = 'person' THEN coalesce(m.joined_at, now()) END)
	FROM tenant_rooms r LEFT JOIN standings m ON m.room_pk = r.room_pk AND m.user_id = $2 AND m.tenant_id = r.viewer
	LEFT JOIN users u ON u.tenant_id = r.viewer AND u.user_id = $2
	WHERE r.viewer = $1 AND r.state <> 'deleted' AND ($2 = '' OR u.kind = 'service' AND r.kind NOT IN ('direct', 'shared')
		OR m.state = 'joined' OR r.kind IN ('open', 'announce') AND m.state IS DISTINCT FROM 'banned')`

// Search finds messages for the tenant itself, or for one of its users, newest first.
func (c *Chat) Search(ctx context.Context, t tenant.TenantID, q tenant.SearchQuery) (tenant.FoundPage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	if err := q.Check(); err != nil {
		return tenant.FoundPage{}, err
	}
	if q.As != "" {
		_, err := c.caller(ctx, sqlPoster, string(t), q.As)
		if isNotFound(err) {
			err = tenant.Invalid("as", "is no active user of this tenant")
		}
		if err != nil {
			return tenant.FoundPage{}, err
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
	one          bool                    // one room was asked for
	often        bool                    // the index would list too many: messages are looked through in their order
}

func (in *searched) add(pk int64, name tenant.RoomID, since *time.Time) {
	in.rooms, in.names[pk] = append(in.rooms, pk), name
	if since != nil {
		in.joined, in.since = append(in.joined, pk), append(in.since, *since)
	}
}

// A hit is a message that was found, and its place.
type hit struct {
	tenant.FoundMessage
	place searchPlace
}

// hits are what a look found, in the order of an answer.
type hits struct {
	all []hit
	// end is the last place that was looked at, behind which there may be more; nil: there is none.
	end *searchPlace
}

func (c *Chat) search(ctx context.Context, t tenant.TenantID, q tenant.SearchQuery) (tenant.FoundPage, error) {
	page := tenant.FoundPage{Messages: []tenant.FoundMessage{}}
	terms, err := parseQuery(q.Query)
	if err != nil {
		return page, err
	}
	after, err := parseSearchPlace(q.After, t, q)
	if err != nil {
		return page, err
	}
	hosts, err := c.searchable(ctx, t, q)
	if err != nil {
		return page, err
	}
	for range c.searching.tries {
		h, err := c.searchHosts(ctx, terms, hosts, q.Limit-len(page.Messages), after)
		if err != nil {
			return page, err
		}
		for _, m := range h.all {
			page.Messages = append(page.Messages, m.FoundMessage)
		}
		if after = h.end; after == nil || len(page.Messages) == q.Limit {
			break
		}
	}
	if after != nil {
		page.Next = after.cursor(t, q)
	}
	return page, nil
}

// searchHosts searches the rooms of all hosts behind a place, and puts what is found in one order.
func (c *Chat) searchHosts(ctx context.Context, terms []sought, hosts []*searched, limit int, after *searchPlace) (hits, error) {
	var h hits
	for _, in := range hosts {
		one, err := c.searchHost(ctx, terms, in, limit, after)
		if err != nil {
			return h, err
		}
		if len(hosts) == 1 {
			return one, nil
		}
		h.all = append(h.all, one.all...)
		if h.end == nil || one.end != nil && h.end.compare(*one.end) < 0 {
			h.end = one.end
		}
	}
	slices.SortFunc(h.all, func(a, b hit) int { return b.place.compare(a.place) })
	// Behind the place where the search of one host was left, hits of others wait until that one has come so far.
	if h.end != nil {
		h.all = slices.DeleteFunc(h.all, func(m hit) bool { return m.place.compare(*h.end) < 0 })
	}
	if len(h.all) > limit {
		h.all = h.all[:limit]
		h.end = &h.all[limit-1].place
	}
	return h, nil
}

// searchHost searches rooms of one host: each has its own part of the index.
func (c *Chat) searchHost(ctx context.Context, terms []sought, in *searched, limit int, after *searchPlace) (hits, error) {
	l := in.looking(c, terms, limit, after)
	if !in.often {
		h, err := l.newest(ctx)
		if err != nil || h.end != nil {
			return h, err
		}
		h, err = l.listed(ctx)
		if err != nil || !in.often {
			return h, err
		}
	}
	return l.window(ctx)
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
		in.one = true
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

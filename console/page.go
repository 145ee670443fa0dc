package console

import (
	"context"
	"time"

	"parley/tenant"
)

// mostItems is the longest page that the domain gives.
const mostItems = 1000

// pageQuery asks for a part of a list that is ordered by id.
type pageQuery struct {
	After string `query:"after" maxLength:"200" doc:"The last id of the page before"`
	Query string `query:"query" maxLength:"200" doc:"A part of the id or name"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most"`
}

// list gets a page, and asks whether one more item is behind a full one.
func list[T any](ctx context.Context, q pageQuery, id func(T) string, ask func(context.Context, tenant.Page) ([]T, error)) ([]T, bool, error) {
	items, err := ask(ctx, tenant.Page{After: q.After, Query: q.Query, Limit: q.Limit})
	if err != nil {
		return nil, false, err
	}
	if len(items) < q.Limit {
		return orEmpty(items), false, nil
	}
	next, err := ask(ctx, tenant.Page{After: id(items[len(items)-1]), Query: q.Query, Limit: 1})
	return items, len(next) > 0, err
}

// orEmpty keeps an empty list from being answered as null.
func orEmpty[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// trailQuery asks for a part of a list that is ordered by time, newest first.
type trailQuery struct {
	After time.Time `query:"after" doc:"next of the page before: only what is older"`
	Limit int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most"`
}

// trail gets a page and the cursor of the next, which is empty at the end. Pages are cut
// between two times, since what has the time of the cursor is not older than it.
func trail[T any](ctx context.Context, q trailQuery, at func(T) time.Time, ask func(context.Context, tenant.Page) ([]T, error)) ([]T, string, error) {
	p := tenant.Page{Limit: min(q.Limit+1, mostItems)}
	if !q.After.IsZero() {
		p.After = cursor(q.After)
	}
	items, err := ask(ctx, p)
	if err != nil {
		return nil, "", err
	}
	if len(items) < p.Limit {
		return orEmpty(items), "", nil
	}
	items = cutAtTime(items, at)
	return items, cursor(at(items[len(items)-1])), nil
}

// cutAtTime drops the last item and what has its time. Where all have the same time it drops the last alone.
func cutAtTime[T any](items []T, at func(T) time.Time) []T {
	last := len(items) - 1
	for n := last; n > 0; n-- {
		if !at(items[n-1]).Equal(at(items[last])) {
			return items[:n]
		}
	}
	return items[:max(last, 1)]
}

func cursor(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

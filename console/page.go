package console

import (
	"context"

	"parley/tenant"
)

// pageQuery asks for a part of a list that is ordered by id.
type pageQuery struct {
	After string `query:"after" maxLength:"200" doc:"The last id of the page before"`
	Query string `query:"query" maxLength:"200" doc:"A part of the id or name"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most"`
}

// rest tells what is behind a page.
type rest struct {
	More bool   `json:"more"`
	Next string `json:"next,omitempty" doc:"after of the next page"`
}

// list gets a page, and asks whether one more item is behind a full one. cursor says
// what After is behind an item.
func list[T any](ctx context.Context, q pageQuery, cursor func(T) string, ask func(context.Context, tenant.Page) ([]T, error)) ([]T, rest, error) {
	items, err := ask(ctx, tenant.Page{After: q.After, Query: q.Query, Limit: q.Limit})
	if err != nil {
		return nil, rest{}, err
	}
	if len(items) < q.Limit {
		return orEmpty(items), rest{}, nil
	}
	next := cursor(items[len(items)-1])
	behind, err := ask(ctx, tenant.Page{After: next, Query: q.Query, Limit: 1})
	if len(behind) == 0 {
		return items, rest{}, err
	}
	return items, rest{More: true, Next: next}, nil
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
	After string `query:"after" maxLength:"200" doc:"next of the page before, or a time in RFC 3339: only what is older"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most"`
}

func (q trailQuery) page() pageQuery { return pageQuery{After: q.After, Limit: q.Limit} }

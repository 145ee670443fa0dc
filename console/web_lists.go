package console

import (
	"context"
	"net/url"

	"parley/console/ui"
	"parley/tenant"
)

// webPage is how many rows a page of a list shows.
const webPage = 50

// A listing is one page of a list as its address asks for it: q is searched, after is where it goes on.
type listing struct {
	path string
	page tenant.Page
}

func (q *request) listing() listing {
	v := q.URL.Query()
	return listing{q.URL.Path, tenant.Page{After: v.Get("after"), Query: v.Get("q"), Limit: webPage}}
}

func (l listing) search(label string) ui.Search {
	return ui.Search{Action: l.path, Query: l.page.Query, Label: label}
}

func (l listing) link(after string) string {
	v := url.Values{}
	if l.page.Query != "" {
		v.Set("q", l.page.Query)
	}
	if after != "" {
		v.Set("after", after)
	}
	if len(v) == 0 {
		return l.path
	}
	return l.path + "?" + v.Encode()
}

// rows asks for one row more than a page shows, to know whether there is a next one.
func rows[T any](ctx context.Context, l listing, cursor func(T) string, ask func(context.Context, tenant.Page) ([]T, error)) ([]T, ui.Pager, error) {
	p := l.page
	p.Limit++
	items, err := ask(ctx, p)
	if err != nil {
		return nil, ui.Pager{}, err
	}
	var pager ui.Pager
	if l.page.After != "" {
		pager.First = l.link("")
	}
	if len(items) > webPage {
		items = items[:webPage]
		pager.Next = l.link(cursor(items[len(items)-1]))
	}
	return items, pager, nil
}

package chat

import (
	"context"

	"parley/tenant"
)

type searchRequest struct {
	Query string `json:"query"`
	Room  string `json:"room"`
	Limit int    `json:"limit"`
	After string `json:"after"` // next of the page before
}

type searchAnswer struct {
	okay
	tenant.FoundPage
	Rooms []roomView `json:"rooms"` // whose id or title holds the query; none where one room is searched, or a page goes on
}

// maxFoundRooms is how many rooms a search shows beside messages.
const maxFoundRooms = 10

func (c *Chat) opSearch(ctx context.Context, who caller, r searchRequest) (any, error) {
	q := tenant.SearchQuery{Query: r.Query, As: who.user, Limit: r.Limit, After: r.After}
	if err := q.Check(); err != nil {
		return nil, err
	}
	var err error
	if r.Room != "" {
		if q.Room, err = tenant.ParseRoomID("room", r.Room); err != nil {
			return nil, err
		}
	}
	answer := searchAnswer{okay: yes, Rooms: []roomView{}}
	if answer.FoundPage, err = c.search(ctx, who.tenant, q); err != nil {
		return nil, err
	}
	if q.Room == "" && q.After == "" {
		answer.Rooms, err = c.roomsOf(ctx, who, r.Query, "", maxFoundRooms)
	}
	return answer, err
}

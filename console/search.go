package console

import (
	"context"

	"parley/tenant"
)

type searchQuery struct {
	Query string `query:"query" doc:"Words that must all be there, at most 200 bytes; a * behind a word stands for any ending"`
	Room  string `query:"room" doc:"Only in this room"`
	As    string `query:"as" doc:"Only what this user may read; left out: all of the tenant"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most; a page may have fewer though there is a next"`
	After string `query:"after" maxLength:"200" doc:"next of the page before, of the same search"`
}

type foundMessages struct {
	Body struct {
		Messages []tenant.FoundMessage `json:"messages" nullable:"false" doc:"Newest first"`
		rest
	} `nameHint:"FoundMessages"`
}

func (c *console) searchMessages(ctx context.Context, in *searchQuery) (*foundMessages, error) {
	call := callOf(ctx)
	if err := call.actor.Allow(tenant.ScopeRead, call.tenant); err != nil {
		return nil, err
	}
	q := tenant.SearchQuery{Query: in.Query, Limit: in.Limit, After: in.After}
	var err error
	if in.Room != "" {
		if q.Room, err = tenant.ParseRoomID("room", in.Room); err != nil {
			return nil, err
		}
	}
	if in.As != "" {
		if q.As, err = tenant.ParseUserID("as", in.As); err != nil {
			return nil, err
		}
	}
	found, err := c.messages.Search(ctx, call.tenant, q)
	out := &foundMessages{}
	out.Body.Messages = orEmpty(found.Messages)
	out.Body.rest = rest{More: found.Next != "", Next: found.Next}
	return out, err
}

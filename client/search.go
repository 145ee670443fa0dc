package client

import (
	"context"
	"encoding/json"

	"parley/tenant"
)

// A SearchQuery is what to look for: words, or parts of them in scripts that don't divide words.
type SearchQuery struct {
	Query string
	Room  tenant.RoomID // "": everywhere the user may read
	Limit int           // 0: the service's choice
	After string        // what Search told as next with the page before
}

// A Found message has an excerpt of its text.
type Found struct {
	Message
	Room    tenant.RoomID
	Excerpt []TextPart
}

// A TextPart is a stretch of plain text.
type TextPart struct {
	Text string `json:"text"`
	Hit  bool   `json:"hit"` // it is what was looked for
}

// Search finds messages, newest first. Where more follow it returns next, the After of the same query's next page; a page
// may have fewer messages than the limit, or none, all the same.
func (c *Client) Search(ctx context.Context, q SearchQuery) (found []Found, next string, err error) {
	body := struct {
		Query string        `json:"query"`
		Room  tenant.RoomID `json:"room,omitempty"`
		Limit int           `json:"limit,omitempty"`
		After string        `json:"after,omitempty"`
	}(q)
	var answer struct {
		Messages []json.RawMessage `json:"messages"`
		Next     string            `json:"next"`
	}
	if err := c.call(ctx, "search", body, &answer); err != nil {
		return nil, "", err
	}
	for _, raw := range answer.Messages {
		var m stored
		var where struct {
			Room       tenant.RoomID `json:"room"`
			Highlights []TextPart    `json:"highlights"`
		}
		if json.Unmarshal(raw, &m) != nil || json.Unmarshal(raw, &where) != nil {
			continue // of a form that a newer service has
		}
		found = append(found, Found{Message: m.message(), Room: where.Room, Excerpt: where.Highlights})
	}
	return found, answer.Next, nil
}

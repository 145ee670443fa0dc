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

// Search finds messages, newest first.
func (c *Client) Search(ctx context.Context, q SearchQuery) ([]Found, error) {
	body := struct {
		Query string        `json:"query"`
		Room  tenant.RoomID `json:"room,omitempty"`
		Limit int           `json:"limit,omitempty"`
	}(q)
	var answer struct {
		Messages []json.RawMessage `json:"messages"`
	}
	if err := c.call(ctx, "search", body, &answer); err != nil {
		return nil, err
	}
	var all []Found
	for _, raw := range answer.Messages {
		var m stored
		var where struct {
			Room       tenant.RoomID `json:"room"`
			Highlights []TextPart    `json:"highlights"`
		}
		if json.Unmarshal(raw, &m) != nil || json.Unmarshal(raw, &where) != nil {
			continue // of a form that a newer service has
		}
		all = append(all, Found{Message: m.message(), Room: where.Room, Excerpt: where.Highlights})
	}
	return all, nil
}

package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/tenant"
)

type roomSearchCmd struct {
	tenantArg
	Query string `arg:"" help:"Words that must all be there; word* finds words that begin so."`
	Room  string `help:"Only in this room."`
	As    string `help:"Only what this user may read."`
	Limit int    `help:"How many at most." default:"20"`
}

func (c *roomSearchCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	q := url.Values{"query": {c.Query}, "limit": {strconv.Itoa(c.Limit)}}
	if c.Room != "" {
		q.Set("room", c.Room)
	}
	if c.As != "" {
		q.Set("as", c.As)
	}
	var answer struct {
		Messages []tenant.FoundMessage `json:"messages"`
	}
	if err := a.call(ctx, http.MethodGet, path("tenants", c.Tenant, "search")+"?"+q.Encode(), nil, &answer); err != nil {
		return err
	}
	var rows [][]string
	for _, m := range answer.Messages {
		rows = append(rows, []string{m.Time.Format(time.RFC3339), string(m.Room), m.Sender, strconv.Quote(marked(m.Highlights))})
	}
	return a.show(answer, func(w io.Writer) {
		table(w, "Nothing found.", []string{"at", "room", "sender", "text"}, rows)
	})
}

// marked puts brackets around what was found.
func marked(parts []tenant.TextPart) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Hit {
			b.WriteString("[" + p.Text + "]")
			continue
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

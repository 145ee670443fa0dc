package main

import (
	"context"
	"fmt"
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
	After string `help:"Go on with the page that the one before names." placeholder:"CURSOR"`
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
	if c.After != "" {
		q.Set("after", c.After)
	}
	var answer tenant.FoundPage
	if err := a.call(ctx, http.MethodGet, path("tenants", c.Tenant, "search")+"?"+q.Encode(), nil, &answer); err != nil {
		return err
	}
	var rows [][]string
	for _, m := range answer.Messages {
		rows = append(rows, []string{m.Time.Format(time.RFC3339), string(m.Room), m.Sender, strconv.Quote(marked(m.Highlights))})
	}
	return a.show(answer, func(w io.Writer) {
		if len(rows) > 0 || answer.Next == "" {
			table(w, "Nothing found.", []string{"at", "room", "sender", "text"}, rows)
		}
		if answer.Next != "" {
			fmt.Fprintln(w, "There may be more: --after "+answer.Next)
		}
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

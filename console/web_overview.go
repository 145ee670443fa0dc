package console

import (
	"time"

	"parley/console/ui"
	"parley/tenant"
)

func (w *web) showOverview(q *request) (ui.View, error) {
	row, err := w.c.service.Tenant(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	has, err := w.c.service.Summary(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	open, err := w.c.service.Connections(q.Context(), q.actor(), q.tenant, "")
	if err != nil {
		return nil, err
	}
	events, err := w.c.service.AuditTrail(q.Context(), q.actor(), q.tenant, tenant.Page{Limit: 8})
	if err != nil {
		return nil, err
	}
	used, days, err := w.c.messages.Usage(q.Context(), q.tenant, chartDays)
	if err != nil {
		return nil, err
	}
	base, most := q.base(), row.Limits.Effective(tenant.Plan)
	return &ui.Overview{
		Page: ui.Page{Title: row.Name, Area: "overview", Charts: len(days) > 1}, ID: string(row.ID), Account: row.Account, Fresh: has.Messages == 0,
		Tiles: []ui.Tile{
			{Label: "messages", Value: has.Messages},
			{Label: "connections", Value: int64(len(open)), Most: most.Connections, Link: base + "/connections"},
			{Label: "users", Value: has.Users, Most: most.Users, Link: base + "/users"},
			{Label: "rooms", Value: has.Rooms, Most: most.Rooms, Link: base + "/rooms"},
			storageTile(used),
		},
		Lines:  charts(days),
		Events: auditRows(events),
	}, nil
}

// chartDays is how far back the charts of the overview go.
const chartDays = 30

// charts are the days as lines; one day makes none.
func charts(days []tenant.UsageDay) []ui.Chart {
	if len(days) < 2 {
		return nil
	}
	messages := ui.Chart{Title: "Messages a day", Label: "messages"}
	connections := ui.Chart{Title: "Most connections at once", Label: "connections"}
	stored := ui.Chart{Title: "MB stored", Label: "MB"}
	for _, d := range days {
		day, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			continue // a day that is none has no place in a line
		}
		messages.At, messages.Values = append(messages.At, day.Unix()), append(messages.Values, d.Messages)
		connections.At, connections.Values = append(connections.At, day.Unix()), append(connections.Values, d.Connections)
		stored.At, stored.Values = append(stored.At, day.Unix()), append(stored.Values, d.Bytes>>20)
	}
	return []ui.Chart{messages, connections, stored}
}

// storageTile is what all retention classes hold, against what they may.
func storageTile(u tenant.Usage) ui.Tile {
	tile := ui.Tile{Label: "stored", Size: true}
	for _, c := range u.Storage {
		tile.Value += int64(c.Bytes) //nolint:gosec // G115: a stream has less than 2^63 bytes
		tile.Most += c.Limit
	}
	return tile
}

// base is the address of the first page of the tenant.
func (q *request) base() string { return "/t/" + string(q.tenant) }

// may reports whether the person may do what needs a scope, for what a page offers; the domain decides.
func (q *request) may(s tenant.Scope) bool { return q.actor().Allow(s, q.tenant) == nil }

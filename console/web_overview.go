package console

import (
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
	base, most := q.base(), row.Limits.Effective(tenant.Plan)
	return &ui.Overview{
		Page: ui.Page{Title: row.Name, Area: "overview"}, ID: string(row.ID), Account: row.Account, Fresh: has.Messages == 0,
		Tiles: []ui.Tile{
			{Label: "messages", Value: has.Messages},
			{Label: "connections", Value: int64(len(open)), Most: most.Connections, Link: base + "/connections"},
			{Label: "users", Value: has.Users, Most: most.Users, Link: base + "/users"},
			{Label: "rooms", Value: has.Rooms, Most: most.Rooms, Link: base + "/rooms"},
		},
		Events: auditRows(events),
	}, nil
}

// base is the address of the first page of the tenant.
func (q *request) base() string { return "/t/" + string(q.tenant) }

// may reports whether the person may do what needs a scope, for what a page offers; the domain decides.
func (q *request) may(s tenant.Scope) bool { return q.actor().Allow(s, q.tenant) == nil }

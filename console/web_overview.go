package console

import (
	"parley/console/ui"
)

func (w *web) showOverview(q *request) (ui.View, error) {
	row, err := w.c.service.Tenant(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	open, err := w.c.service.Connections(q.Context(), q.actor(), q.tenant, "")
	if err != nil {
		return nil, err
	}
	return &ui.Overview{Page: ui.Page{Title: row.Name, Area: "overview"}, ID: string(row.ID), Account: row.Account, Connections: int64(len(open))}, nil
}

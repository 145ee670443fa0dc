package console

import (
	"context"
	"net/http"

	"parley/console/ui"
	"parley/tenant"
)

// doErase erases a person from his page, where his id is typed.
func (w *web) doErase(q *request) (outcome, error) {
	u, err := w.userOf(q)
	if err != nil {
		return outcome{}, err
	}
	if q.typed("confirm") == string(u.ID) {
		return w.erase(q, u.ID)
	}
	if err := q.actor().Allow(tenant.ScopeAdmin, q.tenant); err != nil {
		return outcome{}, err
	}
	forms := q.userForms(u)
	return q.correct(&forms.erase, tenant.Invalid("confirm", "type the user's id exactly, or leave it"), func() (ui.View, error) { return w.userView(q, u, forms) })
}

func (w *web) erase(q *request, u tenant.UserID) (outcome, error) {
	_, err := w.c.service.EraseUser(q.Context(), q.actor(), q.tenant, u)
	return to(q.base()+"/users/"+string(u)+"/erasure", "The erasure has begun."), err
}

func (w *web) showErasure(q *request) (ui.View, error) {
	u, err := q.user()
	if err != nil {
		return nil, err
	}
	e, err := w.c.service.PersonErasure(q.Context(), q.actor(), q.tenant, u)
	if err != nil {
		return nil, err
	}
	return &ui.Erasure{
		Page: ui.Page{Title: "Erasure of " + string(u), Area: "users"}, Base: q.base(), ID: string(u), Messages: e.Messages, Begun: e.BegunAt, Finished: e.FinishedAt,
	}, nil
}

func (w *web) exportUser(q *request, out http.ResponseWriter) error {
	u, err := q.user()
	if err == nil {
		err = q.actor().Allow(tenant.ScopeAdmin, q.tenant)
	}
	if err != nil {
		return err
	}
	return q.sendLines(out, "user-"+string(u), func(ctx context.Context, line func(any) error) error {
		return w.c.messages.ExportUser(ctx, q.tenant, u, line)
	})
}

func (w *web) exportRoom(q *request, out http.ResponseWriter) error {
	r, err := q.room()
	if err == nil {
		err = q.actor().Allow(tenant.ScopeRead, q.tenant)
	}
	if err != nil {
		return err
	}
	return q.sendLines(out, "room-"+string(r), func(ctx context.Context, line func(any) error) error {
		return w.c.messages.ExportRoom(ctx, q.tenant, r, 0, line)
	})
}

// sendLines answers with a file of JSON lines.
func (q *request) sendLines(out http.ResponseWriter, name string, e export) error {
	return e.write(q.Context(), out, map[string]string{"Content-Disposition": `attachment; filename="` + string(q.tenant) + "-" + name + `.ndjson"`})
}

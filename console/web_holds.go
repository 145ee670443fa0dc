package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	"parley/console/ui"
	"parley/tenant"
)

func (q *request) holdForm() ui.Form {
	return ui.Form{Action: q.base() + "/holds", Submit: "Place the hold", Fields: []ui.Field{
		{Name: "room", Label: "Room", Optional: true, Autocomplete: "off", Hint: "Its id; it may be deleted already. Empty: all rooms of the tenant."},
		{Name: "reason", Label: "Reason", Autocomplete: "off", Hint: "For whoever finds the hold later: the case, and whom to ask."},
	}}
}

func (w *web) showHolds(q *request) (ui.View, error) { return w.holdsView(q, q.holdForm()) }

func (w *web) holdsView(q *request, form ui.Form) (ui.View, error) {
	holds, err := w.c.service.Holds(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	v := &ui.Holds{Page: ui.Page{Title: "Legal holds", Area: "settings"}, Base: q.base(), Form: form}
	for _, h := range holds {
		v.Rows = append(v.Rows, q.holdRow(h))
	}
	return v, nil
}

func (q *request) holdRow(h tenant.Hold) ui.HoldRow {
	row := ui.HoldRow{
		Room: string(h.Room), Reason: h.Reason, Since: h.PlacedAt,
		Lift: q.base() + "/holds/lift?room=" + url.QueryEscape(string(h.Room)),
	}
	if h.Room != "" {
		row.Export = q.base() + "/rooms/" + row.Room + "/held"
	}
	return row
}

// heldRoom is the room that a form names; "": the whole tenant.
func (q *request) heldRoom() (tenant.RoomID, error) {
	if q.typed("room") == "" {
		return "", nil
	}
	return tenant.ParseRoomID("room", q.typed("room"))
}

func (w *web) doPlaceHold(q *request) (outcome, error) {
	r, err := q.heldRoom()
	if err == nil {
		_, err = w.c.service.PlaceHold(q.Context(), q.actor(), q.tenant, r, q.typed("reason"))
	}
	if e, ok := tenant.AsError(err); ok && e.Code == tenant.CodeNotFound {
		err = tenant.Invalid("room", "there was never a room of this id")
	}
	if err != nil {
		form := q.holdForm()
		return q.correct(&form, err, func() (ui.View, error) { return w.holdsView(q, form) })
	}
	return to(q.base()+"/holds", "On hold: a copy of what is taken away stays."), nil
}

// heldID is what is typed to lift a hold: the id of its room, or of the tenant.
func (q *request) heldID(h tenant.Hold) string { return cmp.Or(string(h.Room), string(q.tenant)) }

func (q *request) liftForm(h tenant.Hold) ui.Form {
	return ui.Form{
		Action: q.base() + "/holds/lift", Submit: "Lift the hold", Danger: true, Hidden: []ui.Option{{Value: "room", Label: string(h.Room)}},
		Fields: []ui.Field{{Name: "confirm", Label: "Type " + q.heldID(h) + " to confirm", Autocomplete: "off"}},
	}
}

// holdOf finds the hold on a room, or where that is empty on the tenant.
func (w *web) holdOf(q *request, room string) (tenant.Hold, error) {
	all, err := w.c.service.Holds(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return tenant.Hold{}, err
	}
	i := slices.IndexFunc(all, func(h tenant.Hold) bool { return string(h.Room) == room })
	if i < 0 {
		return tenant.Hold{}, tenant.NotFound("hold")
	}
	return all[i], nil
}

func (w *web) showLiftHold(q *request) (ui.View, error) {
	h, err := w.holdOf(q, q.URL.Query().Get("room"))
	if err != nil {
		return nil, err
	}
	return q.liftView(h, q.liftForm(h)), nil
}

func (q *request) liftView(h tenant.Hold, form ui.Form) ui.View {
	title := "Lift the hold on " + cmp.Or(string(h.Room), "all rooms")
	return &ui.HoldLift{Page: ui.Page{Title: title, Area: "settings"}, Holds: q.base() + "/holds", Row: q.holdRow(h), Form: form}
}

func (w *web) doLiftHold(q *request) (outcome, error) {
	h, err := w.holdOf(q, q.typed("room"))
	if err != nil {
		return outcome{}, err
	}
	if q.typed("confirm") != q.heldID(h) {
		form := q.liftForm(h)
		return q.correct(&form, tenant.Invalid("confirm", "type "+q.heldID(h)+" exactly, or leave it"), func() (ui.View, error) { return q.liftView(h, form), nil })
	}
	return to(q.base()+"/holds", "Lifted. What it alone kept goes for good."), w.c.service.LiftHold(q.Context(), q.actor(), q.tenant, h.Room)
}

func (w *web) exportHeld(q *request, out http.ResponseWriter) error {
	r, err := q.room()
	if err == nil {
		err = q.actor().Allow(tenant.ScopeAdmin, q.tenant)
	}
	if err != nil {
		return err
	}
	return q.sendLines(out, "held-"+string(r), func(ctx context.Context, line func(any) error) error {
		return w.c.messages.ExportHeld(ctx, q.tenant, r, 0, line)
	})
}

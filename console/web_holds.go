package console

import (
	"context"
	"net/http"

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
		row := ui.HoldRow{
			Room: string(h.Room), Reason: h.Reason, Since: h.PlacedAt,
			Lift: ui.Button{Action: q.base() + "/holds/lift", Label: "Lift", Danger: true, Hidden: []ui.Option{{Value: "room", Label: string(h.Room)}}},
		}
		if h.Room != "" {
			row.Export = q.base() + "/rooms/" + string(h.Room) + "/held"
		}
		v.Rows = append(v.Rows, row)
	}
	return v, nil
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

func (w *web) doLiftHold(q *request) (outcome, error) {
	r, err := q.heldRoom()
	if err != nil {
		return outcome{}, tenant.NotFound("hold")
	}
	return to(q.base()+"/holds", "Lifted. What it alone kept goes for good."), w.c.service.LiftHold(q.Context(), q.actor(), q.tenant, r)
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

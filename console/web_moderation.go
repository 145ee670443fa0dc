package console

import (
	"strconv"
	"strings"

	"parley/console/ui"
	"parley/tenant"
)

func sanctionForm(room string) ui.Form {
	return ui.Form{Action: room + "/sanctions", Submit: "Do it", Danger: true, Fields: []ui.Field{
		{Name: "whom", Label: "User", Autocomplete: "off", Hint: "The id; of another tenant's user, whom you may ban, <user>@<tenant>."},
		{Name: "what", Label: "What", Value: "mute", Options: []ui.Option{{Value: "mute", Label: "mute: reads, and posts nothing"}, {Value: "ban", Label: "ban: out of the room"}}},
		{Name: "seconds", Label: "For", Value: "3600", Options: []ui.Option{
			{Value: "600", Label: "10 minutes"},
			{Value: "3600", Label: "an hour"},
			{Value: "86400", Label: "a day"},
			{Value: "604800", Label: "a week"},
			{Value: "0", Label: "until it is lifted"},
		}},
		{Name: "why", Label: "Reason", Optional: true, Autocomplete: "off", Hint: "For the user and the audit trail."},
	}}
}

func (w *web) doSanction(q *request) (outcome, error) {
	room, err := w.roomOf(q)
	if err != nil {
		return outcome{}, err
	}
	forms, ban := q.roomForms(room), q.typed("what") == "ban"
	again := func() (ui.View, error) { return w.roomView(q, room, forms) }
	if !ban && q.typed("what") != "mute" {
		return q.correct(&forms.sanction, tenant.Invalid("what", "choose from the list"), again)
	}
	seconds, err := strconv.ParseInt(q.typed("seconds"), 10, 32)
	if err != nil || seconds < 0 {
		return q.correct(&forms.sanction, tenant.Invalid("seconds", "choose from the list"), again)
	}
	u, err := tenant.ParseMemberID("whom", q.typed("whom"))
	term := tenant.Term{Seconds: seconds}
	switch {
	case err != nil:
	case ban:
		_, err = w.c.service.Ban(q.Context(), q.actor(), q.tenant, room.ID, u, term, q.typed("why"))
	default:
		_, err = w.c.service.Mute(q.Context(), q.actor(), q.tenant, room.ID, u, term, q.typed("why"))
	}
	if e, ok := tenant.AsError(err); ok && e.Code == tenant.CodeNotFound {
		err = tenant.Invalid("whom", "there is no user of this id")
	}
	if err != nil {
		return q.correct(&forms.sanction, err, again, "reason", "why")
	}
	if ban {
		return to(q.base()+"/rooms/"+string(room.ID), "%s is banned from the room.", u), nil
	}
	return to(q.base()+"/rooms/"+string(room.ID), "%s is muted.", u), nil
}

// member is the member of the path, one of another tenant too.
func (q *request) member() (tenant.RoomID, tenant.UserID, error) {
	r, err := q.room()
	if err != nil {
		return "", "", err
	}
	u, err := tenant.ParseMemberID("user", q.PathValue("user"))
	if err != nil {
		return "", "", tenant.NotFound("member")
	}
	return r, u, nil
}

func (w *web) doUnban(q *request) (outcome, error) {
	r, u, err := q.member()
	if err != nil {
		return outcome{}, err
	}
	return to(q.base()+"/rooms/"+string(r), "The ban of %s is over.", u), w.c.service.Unban(q.Context(), q.actor(), q.tenant, r, u)
}

func (w *web) doUnmute(q *request) (outcome, error) {
	r, u, err := q.member()
	if err != nil {
		return outcome{}, err
	}
	return to(q.base()+"/rooms/"+string(r), "%s may post again.", u), w.c.service.Unmute(q.Context(), q.actor(), q.tenant, r, u)
}

// message is the message of the path, for who may moderate.
func (q *request) message() (tenant.RoomID, uint64, error) {
	r, err := q.room()
	if err != nil {
		return "", 0, err
	}
	seq, err := strconv.ParseUint(q.PathValue("seq"), 10, 63)
	if err != nil {
		return "", 0, tenant.NotFound("message")
	}
	return r, seq, q.actor().Allow(tenant.ScopeModerate, q.tenant)
}

func (w *web) doPin(q *request) (outcome, error)   { return w.setPin(q, true, "The message is pinned.") }
func (w *web) doUnpin(q *request) (outcome, error) { return w.setPin(q, false, "The pin is gone.") }

func (w *web) setPin(q *request, on bool, said string) (outcome, error) {
	r, seq, err := q.message()
	if err != nil {
		return outcome{}, err
	}
	return to(q.back(r), "%s", said), w.c.messages.PinMessage(q.Context(), q.actor(), q.tenant, r, seq, on)
}

func (w *web) doDeleteMessage(q *request) (outcome, error) {
	r, seq, err := q.message()
	if err != nil {
		return outcome{}, err
	}
	return to(q.back(r), "The message is deleted; its place in the room says so."), w.c.messages.DeleteMessage(q.Context(), q.actor(), q.tenant, r, "", seq)
}

// back is where who did something to a message was: that page of the room, its search, or the reports.
func (q *request) back(r tenant.RoomID) string {
	was, room := q.w.whereHeWas(q), q.base()+"/rooms/"+string(r)
	if path, _, _ := strings.Cut(was, "?"); path == room || path == q.base()+"/reports" {
		return was
	}
	return room
}

func (w *web) showReports(q *request) (ui.View, error) {
	l, state := q.listing(), tenant.OpenReports
	if q.URL.Query().Get("state") == string(tenant.ClosedReports) {
		state = tenant.ClosedReports
	}
	items, pager, err := rows(q.Context(), l, func(r tenant.Report) string { return r.Cursor },
		func(ctx ctx, p tenant.Page) ([]tenant.Report, error) {
			return w.c.service.Reports(ctx, q.actor(), q.tenant, state, p)
		})
	if err != nil {
		return nil, err
	}
	v := &ui.Reports{Page: ui.Page{Title: "Reports", Area: "reports"}, Closed: state == tenant.ClosedReports, Base: q.base(), Search: l.search("Room, sender or reporter"), Pager: pager}
	for _, s := range []struct {
		of    tenant.ReportState
		label string
	}{{tenant.OpenReports, "Open"}, {tenant.ClosedReports, "Closed"}} {
		v.Tabs = append(v.Tabs, ui.Tab{Label: s.label, Link: q.base() + "/reports?state=" + string(s.of), Current: s.of == state})
	}
	for _, r := range items {
		v.Rows = append(v.Rows, q.reportRow(r))
	}
	return v, nil
}

// outcomes are what became of a report, in words.
var outcomes = map[tenant.Outcome]string{tenant.OutcomeActed: "dealt with", tenant.OutcomeDismissed: "nothing wrong"}

func (q *request) reportRow(r tenant.Report) ui.ReportRow {
	room := q.base() + "/rooms/" + string(r.Room)
	row := ui.ReportRow{
		At: r.At, Room: string(r.Room), RoomLink: room, Sender: r.Sender, By: string(r.By), Reason: r.Reason,
		Message: room + "?before=" + strconv.FormatUint(r.Seq+1, 10),
	}
	switch {
	case r.Closed != nil:
		row.Outcome, row.Note, row.Closed = outcomes[r.Closed.Outcome], r.Closed.Note, r.Closed.At
		if r.Closed.Tenant != q.tenant {
			row.Note = "by " + string(r.Closed.Tenant)
		}
	case q.may(tenant.ScopeModerate):
		done := q.base() + "/reports/" + strconv.FormatInt(r.ID, 10) + "/close"
		row.Actions = []ui.Button{
			{Action: room + "/messages/" + strconv.FormatUint(r.Seq, 10) + "/delete", Label: "Delete the message", Danger: true},
			{Action: done, Label: "Dealt with", Hidden: []ui.Option{{Value: "outcome", Label: string(tenant.OutcomeActed)}}},
			{Action: done, Label: "Nothing wrong", Hidden: []ui.Option{{Value: "outcome", Label: string(tenant.OutcomeDismissed)}}},
		}
	}
	return row
}

func (w *web) doCloseReport(q *request) (outcome, error) {
	id, err := strconv.ParseInt(q.PathValue("report"), 10, 64)
	if err != nil {
		return outcome{}, tenant.NotFound("report")
	}
	_, err = w.c.service.CloseReport(q.Context(), q.actor(), q.tenant, id, tenant.Outcome(q.typed("outcome")), "")
	return to(q.base()+"/reports", "The report is closed; it stands under Closed."), err
}

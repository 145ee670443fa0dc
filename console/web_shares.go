package console

import (
	"cmp"
	"slices"
	"time"

	"parley/console/ui"
	"parley/tenant"
)

var yesNoPost = []ui.Option{{Value: "", Label: "read only"}, {Value: "yes", Label: "read and post"}}

var (
	guestField = ui.Field{Name: "guest", Label: "Tenant", Autocomplete: "off", Hint: "The other tenant's id. Its admins see the offer and accept or decline it."}
	untilField = ui.Field{Name: "until", Label: "Ends on", Type: "date", Optional: true, Hint: "At the beginning of this day, in UTC. Empty: when one of you ends it."}
)

// offerForms are the two forms of an offer; one of them may come back with what is wrong, and is open then.
type offerForms struct {
	room, service ui.Form
	open          string // the first field of the one that is open
}

func (q *request) offerForms() offerForms {
	path := q.base() + "/shares"
	forms := offerForms{
		room: ui.Form{Action: path, Submit: "Offer the room", Fields: []ui.Field{
			{Name: "room", Label: "Room", Value: q.URL.Query().Get("room"), Autocomplete: "off", Hint: "The id of a room of yours of the kind shared."},
			guestField,
			{Name: "post", Label: "Its users may", Options: yesNoPost},
			{Name: "history", Label: "They read", Value: string(tenant.ShareSince), Options: []ui.Option{
				{Value: string(tenant.ShareSince), Label: "what is posted from the acceptance on"},
				{Value: string(tenant.ShareAll), Label: "everything, from the beginning"},
			}},
			{Name: "keep_copy", Label: "When it ends, they keep", Options: []ui.Option{
				{Value: "", Label: "nothing"}, {Value: "yes", Label: "a frozen copy of what they could read"},
			}},
			untilField,
		}},
		service: ui.Form{Action: path, Submit: "Offer the service", Fields: []ui.Field{
			{Name: "service", Label: "Service", Autocomplete: "off", Hint: "The name on which your backends answer: helper, for svc.helper."},
			guestField,
			untilField,
		}},
	}
	for i := range forms.service.Fields {
		forms.service.Fields[i].ID = "-service" // both forms stand on one page
	}
	if q.URL.Query().Has("room") {
		forms.open = "room"
	}
	return forms
}

func (w *web) showShares(q *request) (ui.View, error) { return w.sharesView(q, q.offerForms()) }

func (w *web) sharesView(q *request, forms offerForms) (ui.View, error) {
	l := q.listing()
	l.path = q.base() + "/shares"
	items, pager, err := rows(q.Context(), l, func(s tenant.Share) string { return s.ID },
		func(ctx ctx, p tenant.Page) ([]tenant.Share, error) {
			return w.c.service.Shares(ctx, q.actor(), q.tenant, p)
		})
	if err != nil {
		return nil, err
	}
	v := &ui.Shares{
		Page: ui.Page{Title: "Shares", Area: "shares"}, ID: string(q.tenant), Search: l.search("Tenant or title"), Pager: pager,
		Offer: forms.room, Service: forms.service, May: q.may(tenant.ScopeAdmin), Open: forms.open, Rooms: q.base() + "/rooms",
	}
	slices.SortStableFunc(items, func(a, b tenant.Share) int { return cmp.Compare(q.urgency(a), q.urgency(b)) })
	for _, s := range items {
		v.Rows = append(v.Rows, q.shareRow(s))
	}
	return v, nil
}

// urgency puts what waits for this tenant's answer first, and what is over last.
func (q *request) urgency(s tenant.Share) int {
	switch {
	case s.Status == tenant.ShareOffered && s.Guest == q.tenant:
		return 0
	case s.Status == tenant.ShareOffered, s.Status == tenant.ShareAccepted:
		return 1
	}
	return 2
}

func (q *request) shareRow(s tenant.Share) ui.ShareRow {
	row := ui.ShareRow{
		Link: q.base() + "/shares/" + s.ID, Title: cmp.Or(s.Title, string(s.Room)), With: string(s.Host), Status: string(s.Status),
		Post: s.Post, Service: s.Service, Since: s.OfferedAt, By: s.OfferedBy,
	}
	if s.Host == q.tenant {
		row.Out, row.With, row.Title = true, string(s.Guest), cmp.Or(s.Service, string(s.HostRoom))
	}
	switch s.Status {
	case tenant.ShareAccepted:
		row.Since, row.By = s.AcceptedAt, s.AcceptedBy
	case tenant.ShareDeclined, tenant.ShareEnded:
		row.Since, row.By = s.EndedAt, s.EndedBy
	case tenant.ShareExpired:
		row.Since, row.By = s.ExpiresAt, ""
	}
	return row
}

// day parses a field of a date; empty is no time.
func (q *request) day(name string) (time.Time, error) {
	s := q.typed(name)
	if s == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, tenant.Invalid(name, "must be a day, as 2026-12-31")
	}
	return at, nil
}

// offers reports whether the form of an offer was of this.
func (q *request) offers(what string) bool { return q.ParseForm() == nil && q.PostForm.Has(what) }

func (w *web) doOffer(q *request) (outcome, error) {
	forms := q.offerForms()
	form, what := &forms.room, "room"
	if q.offers("service") {
		form, what = &forms.service, "service"
	}
	forms.open = what
	again := func() (ui.View, error) { return w.sharesView(q, forms) }
	until, err := q.day("until")
	if err == nil && q.typed(what) == "" { // the domain would ask for either
		err = tenant.Invalid(what, "must be given")
	}
	if err != nil {
		return q.correct(form, err, again)
	}
	s, err := w.c.service.OfferShare(q.Context(), q.actor(), q.tenant, tenant.NewShare{
		Room: q.typed("room"), Service: q.typed("service"), Guest: q.typed("guest"), Post: q.typed("post") == "yes",
		History: q.typed("history"), Keep: q.typed("keep_copy") == "yes", Until: until,
	})
	if err != nil {
		return q.correct(form, err, again)
	}
	return to(q.base()+"/shares/"+s.ID, "The %s is offered to %s. It is open to its users when an admin there accepts.", what, s.Guest), nil
}

// shareForms are the forms of a share's page; one of them may come back with what is wrong.
type shareForms struct{ accept, rename, change ui.Form }

func (q *request) shareForms(s tenant.Share) shareForms {
	path := q.base() + "/shares/" + s.ID
	name := ui.Field{Name: "title", Label: "Your name for it", Value: s.Title, Optional: true, Autocomplete: "off", Hint: "As your users see it. Empty: as the host calls it."}
	post := ""
	if s.Post {
		post = "yes"
	}
	ends := untilField
	if !s.Until.IsZero() {
		ends.Value = s.Until.Format(time.DateOnly)
	}
	forms := shareForms{
		accept: ui.Form{Action: path + "/accept", Submit: "Accept", Fields: []ui.Field{name}},
		rename: ui.Form{Action: path + "/title", Submit: "Change", Fields: []ui.Field{name}},
		change: ui.Form{Action: path + "/change", Submit: "Change", Fields: []ui.Field{
			{Name: "post", Label: "Its users may", Value: post, Options: yesNoPost},
			ends,
		}},
	}
	if s.Service != "" {
		forms.change.Fields = forms.change.Fields[1:]
	}
	return forms
}

// share is the share of the path.
func (w *web) share(q *request) (tenant.Share, error) {
	id, err := tenant.ParseShareID("share", q.PathValue("share"))
	if err != nil {
		return tenant.Share{}, tenant.NotFound("share")
	}
	return w.c.service.Share(q.Context(), q.actor(), q.tenant, id)
}

func (w *web) showShare(q *request) (ui.View, error) {
	s, err := w.share(q)
	if err != nil {
		return nil, err
	}
	return w.shareView(q, s, q.shareForms(s))
}

func (w *web) shareView(q *request, s tenant.Share, forms shareForms) (ui.View, error) {
	row := q.shareRow(s)
	v := &ui.Share{
		Page: ui.Page{Title: row.Title, Area: "shares"}, List: q.base() + "/shares", Row: row, Room: q.base() + "/rooms/" + string(s.HostRoom),
		Host: string(s.Host), Guest: string(s.Guest), Everything: s.History == tenant.ShareAll, Keeps: s.KeepCopy,
		OfferedAt: s.OfferedAt, OfferedBy: s.OfferedBy, AcceptedAt: s.AcceptedAt, AcceptedBy: s.AcceptedBy,
		EndedAt: s.EndedAt, EndedBy: s.EndedBy, ExpiresAt: s.ExpiresAt,
	}
	if !row.Out {
		v.Room = q.base() + "/rooms/" + string(s.Room)
	}
	if s.Copy != "" && !row.Out {
		v.Copy = q.base() + "/rooms/" + string(s.Copy)
	}
	if !q.may(tenant.ScopeAdmin) {
		return v, nil
	}
	path := v.List + "/" + s.ID
	end := ui.Button{Action: path + "/end", Label: "End the share", Danger: true}
	switch {
	case s.Status == tenant.ShareOffered && row.Out:
		end.Label = "Take the offer back"
		v.Change, v.End = &forms.change, &end
	case s.Status == tenant.ShareOffered:
		v.Accept, v.Decline = &forms.accept, &ui.Button{Action: path + "/decline", Label: "Decline", Danger: true}
	case s.Status == tenant.ShareAccepted && row.Out:
		v.Change, v.End = &forms.change, &end
	case s.Status == tenant.ShareAccepted:
		v.Rename, v.End = &forms.rename, &end
	}
	return v, nil
}

// correctShare brings a form back. What is no fault of a field is a page of its own: the share may be in
// a state meanwhile in which its page has the form no longer.
func (w *web) correctShare(q *request, s tenant.Share, forms *shareForms, f *ui.Form, err error) (outcome, error) {
	if e, ok := tenant.AsError(err); !ok || e.Code != tenant.CodeInvalid {
		return outcome{}, err
	}
	return q.correct(f, err, func() (ui.View, error) { return w.shareView(q, s, *forms) })
}

func (w *web) doAcceptShare(q *request) (outcome, error) {
	s, err := w.share(q)
	if err != nil {
		return outcome{}, err
	}
	forms := q.shareForms(s)
	// The name first: who accepts sees the room under the name that he gave it from the beginning.
	if title := q.typed("title"); title != s.Title {
		if _, err := w.c.service.UpdateShare(q.Context(), q.actor(), q.tenant, s.ID, tenant.SharePatch{Title: &title}); err != nil {
			return w.correctShare(q, s, &forms, &forms.accept, err)
		}
	}
	if _, err := w.c.service.AcceptShare(q.Context(), q.actor(), q.tenant, s.ID); err != nil {
		return w.correctShare(q, s, &forms, &forms.accept, err)
	}
	return to(q.base()+"/shares/"+s.ID, "Accepted: it is open to your users."), nil
}

func (w *web) doDeclineShare(q *request) (outcome, error) {
	s, err := w.share(q)
	if err != nil {
		return outcome{}, err
	}
	_, err = w.c.service.DeclineShare(q.Context(), q.actor(), q.tenant, s.ID)
	return to(q.base()+"/shares", "The offer of %s is declined.", s.Host), err
}

func (w *web) doRenameShare(q *request) (outcome, error) {
	s, err := w.share(q)
	if err != nil {
		return outcome{}, err
	}
	title := q.typed("title")
	if _, err := w.c.service.UpdateShare(q.Context(), q.actor(), q.tenant, s.ID, tenant.SharePatch{Title: &title}); err != nil {
		forms := q.shareForms(s)
		return w.correctShare(q, s, &forms, &forms.rename, err)
	}
	return to(q.base()+"/shares/"+s.ID, "The name is changed."), nil
}

func (w *web) doChangeShare(q *request) (outcome, error) {
	s, err := w.share(q)
	if err != nil {
		return outcome{}, err
	}
	forms, patch := q.shareForms(s), tenant.SharePatch{}
	if s.Service == "" {
		post := q.typed("post") == "yes"
		patch.Post = &post
	}
	until, err := q.day("until")
	if err == nil {
		patch.Until = &until
		_, err = w.c.service.UpdateShare(q.Context(), q.actor(), q.tenant, s.ID, patch)
	}
	if err != nil {
		return w.correctShare(q, s, &forms, &forms.change, err)
	}
	return to(q.base()+"/shares/"+s.ID, "The change holds from now on."), nil
}

func (w *web) doEndShare(q *request) (outcome, error) {
	s, err := w.share(q)
	if err != nil {
		return outcome{}, err
	}
	return to(q.base()+"/shares", "It is over: users of %s have no access any more.", s.Guest),
		w.c.service.EndShare(q.Context(), q.actor(), q.tenant, s.ID)
}

package console

import (
	"strings"

	"parley/console/ui"
	"parley/tenant"
)

// roleOptions are the roles that the person may give.
func (q *request) roleOptions(owner bool) []ui.Option {
	var all []ui.Option
	for _, r := range tenant.SeatRoles {
		if r != tenant.SeatOwner || owner {
			all = append(all, ui.Option{Value: string(r), Label: string(r)})
		}
	}
	return all
}

// role is the person's own in the tenant; a visitor's is empty.
func (q *request) role() tenant.SeatRole {
	for _, s := range q.who.Seats {
		if s.Tenant == q.tenant {
			return s.Role
		}
	}
	return ""
}

func (q *request) inviteForm() ui.Form {
	return ui.Form{Action: q.base() + "/people/invite", Submit: "Make a link", Inline: true, Fields: []ui.Field{
		{Name: "role", Label: "Role", Value: string(tenant.SeatDeveloper), Options: q.roleOptions(q.role() == tenant.SeatOwner)},
	}}
}

func (w *web) showPeople(q *request) (ui.View, error) { return w.peopleView(q, q.inviteForm()) }

func (w *web) peopleView(q *request, form ui.Form) (ui.View, error) {
	seats, err := w.people.Seats(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	links, err := w.people.Invitations(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	visits, err := w.people.Visits(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	admin, owner, base := q.may(tenant.ScopeAdmin), q.role() == tenant.SeatOwner, q.base()+"/people/"
	v := &ui.People{Page: ui.Page{Title: "Colleagues", Area: "people"}, Invite: form, May: admin}
	for _, s := range seats {
		row := ui.SeatRow{Email: s.Email, Name: s.Name, Role: string(s.Role), Since: s.Since, You: s.Person == q.who.Profile.ID}
		if admin && (owner || s.Role != tenant.SeatOwner) {
			row.Change = &ui.Form{Action: base + string(s.Person) + "/role", Submit: "Set", Inline: true, Fields: []ui.Field{
				{Name: "role", Label: "Role of " + s.Email, Bare: true, ID: string(s.Person), Value: string(s.Role), Options: q.roleOptions(owner)},
			}}
			row.Remove = &ui.Button{Action: base + string(s.Person) + "/remove", Label: "Remove"}
		}
		if row.You {
			row.Remove = &ui.Button{Action: base + string(s.Person) + "/remove", Label: "Leave"}
		}
		v.Seats = append(v.Seats, row)
	}
	for _, l := range links {
		row := ui.LinkRow{Role: string(l.Role), By: l.By, Until: l.ExpiresAt}
		if admin {
			row.Back = &ui.Button{Action: base + "links/" + l.ID + "/remove", Label: "Take back"}
		}
		v.Invitations = append(v.Invitations, row)
	}
	for _, x := range visits {
		v.Visits = append(v.Visits, ui.Visit{Reason: x.Reason, Until: x.Until})
	}
	return v, nil
}

// linkTo is the address of a link: its secret stands behind the #, which browsers send to nobody.
func (w *web) linkTo(path string, secret tenant.Secret) string {
	return strings.TrimRight(w.public.String(), "/") + path + "#" + secret.Reveal()
}

func (w *web) doInvite(q *request) (outcome, error) {
	form := q.inviteForm()
	secret, link, err := w.people.Invite(q.Context(), q.actor(), q.tenant, q.typed("role"))
	if err != nil {
		return q.correct(&form, err, func() (ui.View, error) { return w.peopleView(q, form) })
	}
	path := q.base() + "/people"
	return outcome{to: path, view: &ui.Secret{
		Page: ui.Page{Title: "Invitation", Area: "people"}, Heading: "Invitation as " + string(link.Role),
		Lead: "Send this link to your colleague. Whoever opens it first has it.", Text: w.linkTo("/join?link", secret),
		Note: "It works once, until " + link.ExpiresAt.UTC().Format("2 Jan 2006 15:04 UTC") + ".", Back: ui.Option{Value: path, Label: "Back to the colleagues"},
	}}, nil
}

func (w *web) doUninvite(q *request) (outcome, error) {
	return to(q.base()+"/people", "The link works no more."), w.people.Uninvite(q.Context(), q.actor(), q.tenant, q.PathValue("link"))
}

func (w *web) doSetSeat(q *request) (outcome, error) {
	err := w.people.SetSeat(q.Context(), q.actor(), q.tenant, tenant.PersonID(q.PathValue("person")), q.typed("role"))
	return to(q.base()+"/people", "The role is changed."), err
}

func (w *web) doRemoveSeat(q *request) (outcome, error) {
	id := tenant.PersonID(q.PathValue("person"))
	if err := w.people.RemoveSeat(q.Context(), q.actor(), q.tenant, id); err != nil {
		return outcome{}, err
	}
	if id == q.who.Profile.ID {
		return to("/", "You work for %s no more.", q.tenant), nil
	}
	return to(q.base()+"/people", "That person works for this tenant no more."), nil
}

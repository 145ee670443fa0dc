package console

import (
	"strings"

	"parley/console/ui"
	"parley/tenant"
)

func (w *web) showHome(q *request) (ui.View, error) {
	v := &ui.Home{Page: ui.Page{Title: "Your tenants", Area: "home"}, Found: q.who.Profile.Founder}
	for _, s := range q.who.Seats {
		v.Places = append(v.Places, ui.Place{ID: string(s.Tenant), Name: s.TenantName, Role: string(s.Role)})
	}
	return v, nil
}

func newTenantForm() ui.Form {
	return ui.Form{Action: "/tenants/new", Submit: "Make the tenant", Fields: []ui.Field{
		{Name: "name", Label: "Name", Autocomplete: "organization", Hint: "As people say it, for example Acme Chat."},
		{Name: "id", Label: "Id", Optional: true, Autocomplete: "off", Hint: "Stands in addresses and stays for ever: a-z, 0-9, - and _. Made of the name where you leave it empty."},
		{Name: "timezone", Label: "Time zone", Value: "UTC", Autocomplete: "off", Hint: "For rooms that are emptied at midnight. An IANA name, as Europe/Berlin."},
	}}
}

func (w *web) showNewTenant(q *request) (ui.View, error) {
	if !q.who.Profile.Founder {
		return nil, tenant.Errorf(tenant.CodeForbidden, "you work for the tenants that you were invited to; ask the operator to make one for you")
	}
	return &ui.NewTenant{Page: ui.Page{Title: "New tenant"}, Form: newTenantForm()}, nil
}

// idOf makes an id of a name: what can't stand in one becomes a dash.
func idOf(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	id := b.String()
	return strings.Trim(id[:min(len(id), 40)], "-")
}

// doNewTenant makes a tenant with what a first message needs: a room and two users.
func (w *web) doNewTenant(q *request) (outcome, error) {
	form := newTenantForm()
	again := func() (ui.View, error) {
		return &ui.NewTenant{Page: ui.Page{Title: "New tenant"}, Form: form}, nil
	}
	n := tenant.NewTenant{ID: q.typed("id"), Name: q.typed("name"), Timezone: q.typed("timezone")}
	if n.Name == "" {
		return q.correct(&form, tenant.Invalid("name", "give the tenant a name"), again)
	}
	if n.ID == "" {
		n.ID = idOf(n.Name)
	}
	made, _, err := w.people.Found(q.Context(), *q.who, n)
	if err != nil {
		return q.correct(&form, err, again)
	}
	if q.who, err = w.session(q.Request); err != nil || q.who == nil { // with the new seat
		return outcome{to: "/"}, err
	}
	return to("/t/"+string(made.ID)+"/connect", "%s is there.", made.Name), w.furnish(q, made.ID)
}

// The demo's room and users.
const demoRoom = tenant.RoomID("lobby")

var demoUsers = []struct {
	id   tenant.UserID
	name string
}{{"alice", "Alice (demo)"}, {"bob", "Bob (demo)"}}

func (w *web) furnish(q *request, t tenant.TenantID) error {
	_, err := w.c.service.CreateRoom(q.Context(), q.actor(), t, tenant.NewRoom{ID: string(demoRoom), Kind: string(tenant.Open), Title: "Lobby"})
	if err != nil {
		return err
	}
	for _, u := range demoUsers {
		if _, _, err := w.c.service.PutUser(q.Context(), q.actor(), t, u.id, tenant.UserSpec{Name: &u.name}); err != nil {
			return err
		}
		if _, err := w.c.service.PutMember(q.Context(), q.actor(), t, demoRoom, u.id, string(tenant.RoleMember)); err != nil {
			return err
		}
	}
	return nil
}

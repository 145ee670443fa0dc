package console

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/console/ui"
	"parley/tenant"
)

type ctx = context.Context

func (q *request) newUserForm() ui.Form {
	return ui.Form{Action: q.base() + "/users", Submit: "Make the user", Fields: []ui.Field{
		{Name: "id", Label: "Id", Autocomplete: "off", Hint: "The sender of their messages; stays for ever: a-z, 0-9, - and _."},
		{Name: "name", Label: "Name", Optional: true, Autocomplete: "off"},
		{Name: "external_id", Label: "Your own id of them", Optional: true, Autocomplete: "off", Hint: "A mail address or UUID, whatever your system calls them."},
		{Name: "password", Label: "Password", Type: "password", Optional: true, Autocomplete: "new-password", Hint: "Only for who connects with user and password; tokens need none."},
	}}
}

func (w *web) showUsers(q *request) (ui.View, error) { return w.usersView(q, q.newUserForm(), false) }

func (w *web) usersView(q *request, form ui.Form, open bool) (ui.View, error) {
	l := q.listing()
	items, pager, err := rows(q.Context(), l, func(u tenant.User) string { return string(u.ID) },
		func(ctx ctx, p tenant.Page) ([]tenant.User, error) {
			return w.c.service.Users(ctx, q.actor(), q.tenant, p)
		})
	if err != nil {
		return nil, err
	}
	v := &ui.Users{
		Page: ui.Page{Title: "Users", Area: "users"}, ID: string(q.tenant), Search: l.search("Id or name"), Pager: pager,
		New: form, May: q.may(tenant.ScopeAdmin), Open: open || len(items) == 0 && l.page.Query == "",
	}
	for _, u := range items {
		v.Rows = append(v.Rows, ui.UserRow{Link: q.base() + "/users/" + string(u.ID), ID: string(u.ID), Name: u.Name, Kind: string(u.Kind), Status: string(u.Status)})
	}
	return v, nil
}

func (w *web) doNewUser(q *request) (outcome, error) {
	form := q.newUserForm()
	again := func() (ui.View, error) { return w.usersView(q, form, true) }
	id, err := tenant.ParseUserID("id", q.typed("id"))
	if err != nil {
		return q.correct(&form, err, again)
	}
	if _, err := w.c.service.User(q.Context(), q.actor(), q.tenant, id); err == nil {
		return q.correct(&form, tenant.Invalid("id", "a user of this id exists"), again)
	}
	name, external, spec := q.typed("name"), q.typed("external_id"), tenant.UserSpec{}
	spec.Name, spec.ExternalID = &name, &external
	if p := tenant.Secret(q.PostFormValue("password")); p != "" {
		spec.Password = &p
	}
	if _, _, err := w.c.service.PutUser(q.Context(), q.actor(), q.tenant, id, spec); err != nil {
		return q.correct(&form, err, again)
	}
	return to(q.base()+"/users/"+string(id), "The user is there."), nil
}

// user is the user of the path.
func (q *request) user() (tenant.UserID, error) {
	u, err := tenant.ParseUserID("user", q.PathValue("user"))
	if err != nil {
		return "", tenant.NotFound("user")
	}
	return u, nil
}

// userForms are the forms of a user's page; one of them may come back with what is wrong.
type userForms struct{ revoke, token, creds, edit, endToken, erase ui.Form }

func (q *request) userForms(u tenant.User) userForms {
	path := q.base() + "/users/" + string(u.ID)
	return userForms{
		revoke: ui.Form{Action: path + "/revoke", Submit: "Throw out", Danger: true, Fields: []ui.Field{
			{Name: "reason", Label: "Reason", Optional: true, Autocomplete: "off", Hint: "He sees it, and it stands in the audit trail."},
		}},
		token: ui.Form{Action: path + "/token", Submit: "Make a token", Fields: []ui.Field{
			{Name: "ttl", Label: "Good for", Value: "1h", Options: []ui.Option{{Value: "10m", Label: "10 minutes"}, {Value: "1h", Label: "an hour"}, {Value: "8h", Label: "8 hours"}, {Value: "24h", Label: "a day"}}},
		}},
		creds: ui.Form{Action: path + "/creds", Submit: "Make a file"},
		edit: ui.Form{Action: path + "/edit", Submit: "Save", Fields: []ui.Field{
			{Name: "name", Label: "Name", Value: u.Name, Optional: true, Autocomplete: "off"},
			{Name: "external_id", Label: "Your own id of them", Value: u.ExternalID, Optional: true, Autocomplete: "off"},
			{Name: "nkey", Label: "User nkey", Value: u.NKey, Optional: true, Autocomplete: "off", Hint: "The public key, U…, of a program that proves itself with one. Empty: none."},
			{Name: "password", Label: "New password", Type: "password", Optional: true, Autocomplete: "new-password", Hint: "Empty: it stays as it is."},
		}},
		endToken: ui.Form{Action: path + "/tokens/end", Submit: "End the token", Danger: true, Fields: []ui.Field{
			{Name: "token", Label: "Id of the token", Autocomplete: "off", Hint: "Its claim jti. What was opened with it is closed; the user's other tokens stay good."},
		}},
		erase: ui.Form{Action: path + "/erase", Submit: "Erase the person", Danger: true, Fields: []ui.Field{
			{Name: "confirm", Label: "Type " + string(u.ID) + " to confirm", Autocomplete: "off"},
		}},
	}
}

func (w *web) showUser(q *request) (ui.View, error) {
	u, err := w.userOf(q)
	if err != nil {
		return nil, err
	}
	return w.userView(q, u, q.userForms(u))
}

func (w *web) userOf(q *request) (tenant.User, error) {
	id, err := q.user()
	if err != nil {
		return tenant.User{}, err
	}
	return w.c.service.User(q.Context(), q.actor(), q.tenant, id)
}

func (w *web) userView(q *request, u tenant.User, forms userForms) (ui.View, error) {
	open, err := w.connections(q, u.ID)
	if err != nil {
		return nil, err
	}
	l := q.listing()
	l.path = q.base() + "/users/" + string(u.ID)
	member, pager, err := rows(q.Context(), l, func(r tenant.UserRoom) string { return string(r.Room) },
		func(ctx ctx, p tenant.Page) ([]tenant.UserRoom, error) {
			return w.c.service.RoomsOf(ctx, q.actor(), q.tenant, u.ID, p)
		})
	if err != nil {
		return nil, err
	}
	v := &ui.User{
		Page: ui.Page{Title: u.Name, Area: "users"}, Base: q.base(), ID: string(u.ID), Name: u.Name, Kind: string(u.Kind), Status: string(u.Status),
		Reason: u.Reason, ExternalID: u.ExternalID, NKey: u.NKey, Since: u.CreatedAt, Connections: open, More: pager.Next,
	}
	for _, r := range member {
		v.Rooms = append(v.Rooms, ui.UserRoomRow{
			Link: q.base() + "/rooms/" + string(r.Room), ID: string(r.Room), Title: r.Title, Kind: string(r.Kind), Role: string(r.Role), State: string(r.State),
		})
	}
	if v.Credentials, err = w.credentialsOf(q, u.ID); err != nil {
		return nil, err
	}
	path := q.base() + "/users/" + string(u.ID)
	active := u.Status == tenant.UserActive
	if q.may(tenant.ScopeModerate) {
		if active {
			v.Revoke = &forms.revoke
		} else {
			v.Restore = &ui.Button{Action: path + "/restore", Label: "Let them in again"}
		}
	}
	if q.may(tenant.ScopeChat) && active {
		v.Token = &forms.token
	}
	if q.may(tenant.ScopeAdmin) {
		v.Edit, v.Delete = &forms.edit, &ui.Button{Action: path + "/delete", Label: "Delete the user", Danger: true}
		v.EndToken, v.Erase, v.Export = &forms.endToken, &forms.erase, path+"/export"
		if active {
			v.Creds = &forms.creds
		}
	}
	return v, nil
}

// credentialsOf lists the credentials of a user, those that are good first.
func (w *web) credentialsOf(q *request, u tenant.UserID) ([]ui.CredentialRow, error) {
	items, err := w.c.service.Credentials(q.Context(), q.actor(), q.tenant, u, tenant.Page{Limit: webPage})
	slices.SortStableFunc(items, func(a, b tenant.Credential) int { return a.RevokedAt.Compare(b.RevokedAt) })
	var out []ui.CredentialRow
	for _, c := range items {
		row := ui.CredentialRow{NKey: c.NKey, Kind: string(c.Kind), Since: c.IssuedAt, Revoked: c.RevokedAt}
		if c.RevokedAt.IsZero() && q.may(tenant.ScopeModerate) {
			row.Revoke = &ui.Button{Action: q.base() + "/users/" + string(u) + "/creds/" + c.NKey + "/revoke", Label: "Revoke", Danger: true}
		}
		out = append(out, row)
	}
	return out, err
}

// closed says what an end of somebody's ways in did: "2 connections closed in 1.5 ms".
func closed(r tenant.Revocation) string {
	connections := "connections"
	if r.Disconnected == 1 {
		connections = "connection"
	}
	return fmt.Sprintf("%d %s closed in %.1f ms", r.Disconnected, connections, float64(r.Took.Microseconds())/1000)
}

func (w *web) doRevokeCreds(q *request) (outcome, error) {
	u, err := q.user()
	if err != nil {
		return outcome{}, err
	}
	nkey, err := tenant.ParseNKey("nkey", q.PathValue("nkey"))
	if err != nil {
		return outcome{}, tenant.NotFound("credential")
	}
	done, err := w.c.service.RevokeCredential(q.Context(), q.actor(), q.tenant, u, nkey)
	return to(q.base()+"/users/"+string(u), "The credential is good no longer: %s.", closed(done)), err
}

func (w *web) doEndToken(q *request) (outcome, error) {
	u, err := w.userOf(q)
	if err != nil {
		return outcome{}, err
	}
	var done tenant.Revocation
	token, err := tenant.ParseTokenID("token", q.typed("token"))
	if err == nil {
		done, err = w.c.service.RevokeToken(q.Context(), q.actor(), q.tenant, u.ID, token)
	}
	if err != nil {
		forms := q.userForms(u)
		return q.correct(&forms.endToken, err, func() (ui.View, error) { return w.userView(q, u, forms) })
	}
	return to(q.base()+"/users/"+string(u.ID), "The token is good no longer: %s.", closed(done)), nil
}

func (w *web) doRevoke(q *request) (outcome, error) {
	u, err := w.userOf(q)
	if err != nil {
		return outcome{}, err
	}
	done, err := w.c.service.RevokeUser(q.Context(), q.actor(), q.tenant, u.ID, q.typed("reason"))
	if err != nil {
		forms := q.userForms(u)
		return q.correct(&forms.revoke, err, func() (ui.View, error) { return w.userView(q, u, forms) })
	}
	return to(q.base()+"/users/"+string(u.ID), "%s is out: %s.", u.ID, closed(done)), nil
}

func (w *web) doRestore(q *request) (outcome, error) {
	u, err := w.userOf(q)
	if err != nil {
		return outcome{}, err
	}
	begun := time.Now()
	if _, err := w.c.service.RestoreUser(q.Context(), q.actor(), q.tenant, u.ID); err != nil {
		return outcome{}, err
	}
	return to(q.base()+"/users/"+string(u.ID), "%s may connect again, after %.1f ms.", u.ID, float64(time.Since(begun).Microseconds())/1000), nil
}

func (w *web) doToken(q *request) (outcome, error) {
	u, err := w.userOf(q)
	if err != nil {
		return outcome{}, err
	}
	forms := q.userForms(u)
	again := func() (ui.View, error) { return w.userView(q, u, forms) }
	ttl, err := time.ParseDuration(q.typed("ttl"))
	if err != nil {
		return q.correct(&forms.token, tenant.Invalid("ttl", "choose one of the list"), again)
	}
	token, expires, err := w.c.service.MintToken(q.Context(), q.actor(), q.tenant, u.ID, ttl)
	if err != nil {
		return q.correct(&forms.token, err, again, "ttl_seconds", "ttl")
	}
	path := q.base() + "/users/" + string(u.ID)
	return outcome{to: path, view: &ui.Secret{
		Page: ui.Page{Title: "Token of " + u.Name, Area: "users"}, Heading: "Token of " + u.Name,
		Lead: "Connect with it as the NATS token, with the inbox prefix _INBOX." + string(u.ID) + ".",
		Text: token.Reveal(), Name: string(u.ID) + ".token", Note: "Good until " + expires.UTC().Format("2 Jan 2006 15:04:05 UTC") + ", or until the user is revoked.",
		Back: ui.Option{Value: path, Label: "Back to " + u.Name},
	}}, nil
}

func (w *web) doCreds(q *request) (outcome, error) {
	u, err := w.userOf(q)
	if err != nil {
		return outcome{}, err
	}
	file, err := w.c.service.IssueCreds(q.Context(), q.actor(), q.tenant, u.ID)
	if err != nil {
		return outcome{}, err
	}
	path := q.base() + "/users/" + string(u.ID)
	return outcome{to: path, view: &ui.Secret{
		Page: ui.Page{Title: "Credentials of " + u.Name, Area: "users"}, Heading: "Credentials of " + u.Name,
		Lead: "An ordinary .creds file: every NATS client takes it, with the inbox prefix _INBOX." + string(u.ID) + ".",
		Text: file.Reveal(), Name: string(u.ID) + ".creds", Note: "Good until it or the user is revoked.",
		Back: ui.Option{Value: path, Label: "Back to " + u.Name},
	}}, nil
}

func (w *web) doEditUser(q *request) (outcome, error) {
	u, err := w.userOf(q)
	if err != nil {
		return outcome{}, err
	}
	name, external, nkey, spec := q.typed("name"), q.typed("external_id"), q.typed("nkey"), tenant.UserSpec{}
	spec.Name, spec.ExternalID, spec.NKey = &name, &external, &nkey
	if p := tenant.Secret(q.PostFormValue("password")); p != "" {
		spec.Password = &p
	}
	if _, _, err := w.c.service.PutUser(q.Context(), q.actor(), q.tenant, u.ID, spec); err != nil {
		forms := q.userForms(u)
		return q.correct(&forms.edit, err, func() (ui.View, error) { return w.userView(q, u, forms) })
	}
	return to(q.base()+"/users/"+string(u.ID), "Saved."), nil
}

func (w *web) doDeleteUser(q *request) (outcome, error) {
	u, err := q.user()
	if err != nil {
		return outcome{}, err
	}
	return to(q.base()+"/users", "The user %s is deleted, and thrown out.", u), w.c.service.DeleteUser(q.Context(), q.actor(), q.tenant, u)
}

// maxShown is how many connections a page shows.
const maxShown = 200

// connections lists what is open of a user, or of the tenant where u is empty.
func (w *web) connections(q *request, u tenant.UserID) (ui.Connections, error) {
	v := ui.Connections{Base: q.base(), Again: q.base() + "/connections/list", At: time.Now(), User: u != ""}
	if u != "" {
		v.Again += "?user=" + string(u)
	}
	open, err := w.c.service.Connections(q.Context(), q.actor(), q.tenant, u)
	if err != nil {
		return v, err
	}
	for _, c := range open[:min(len(open), maxShown)] {
		v.Rows = append(v.Rows, ui.ConnectionRow{
			Link: q.base() + "/users/" + string(c.User), User: string(c.User), Method: string(c.Method), Address: c.Address,
			Server: c.Server[:min(len(c.Server), 10)], Since: c.Since,
		})
	}
	v.More = int64(max(0, len(open)-maxShown))
	return v, nil
}

func (w *web) showConnections(q *request) (ui.View, error) {
	list, err := w.connections(q, "")
	return &ui.Live{Page: ui.Page{Title: "Live connections", Area: "connections"}, List: list}, err
}

// showConnectionList is the part that looks again by itself.
func (w *web) showConnectionList(q *request) (ui.View, error) {
	u := strings.TrimSpace(q.URL.Query().Get("user"))
	if u == "" {
		return w.connections(q, "")
	}
	id, err := tenant.ParseUserID("user", u)
	if err != nil {
		return nil, tenant.NotFound("user")
	}
	return w.connections(q, id)
}

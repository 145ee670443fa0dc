package console

import (
	"parley/console/ui"
	"parley/tenant"
)

func (q *request) settingsForm(row tenant.Tenant) ui.Form {
	return ui.Form{Action: q.base() + "/settings", Submit: "Save", Fields: []ui.Field{
		{Name: "name", Label: "Name", Value: row.Name, Autocomplete: "organization"},
		{Name: "timezone", Label: "Time zone", Value: row.Timezone, Autocomplete: "off", Hint: "An IANA name, as Europe/Berlin. Rooms of class day are emptied at its midnight."},
	}}
}

func (q *request) deleteForm() ui.Form {
	return ui.Form{Action: q.base() + "/delete", Submit: "Delete the tenant", Danger: true, Fields: []ui.Field{
		{Name: "confirm", Label: "Type " + string(q.tenant) + " to confirm", Autocomplete: "off"},
	}}
}

// settingsForms are the forms of the settings; one of them may come back with what is wrong. nil is a fresh one.
type settingsForms struct{ form, erase, remove *ui.Form }

func (q *request) eraseForm() ui.Form {
	return ui.Form{Action: q.base() + "/erase", Submit: "Erase the person", Danger: true, Fields: []ui.Field{
		{Name: "user", Label: "User", Autocomplete: "off", Hint: "The user's id; the user may be deleted already."},
	}}
}

func (w *web) showSettings(q *request) (ui.View, error) { return w.settingsView(q, settingsForms{}) }

func (w *web) settingsView(q *request, forms settingsForms) (ui.View, error) {
	row, err := w.c.service.Tenant(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	v := &ui.Settings{Page: ui.Page{Title: "Settings", Area: "settings"}, ID: string(row.ID), Account: row.Account, Since: row.CreatedAt, May: q.may(tenant.ScopeAdmin)}
	or := func(came *ui.Form, fresh ui.Form) *ui.Form {
		if came != nil {
			return came
		}
		return &fresh
	}
	v.Form = *or(forms.form, q.settingsForm(row))
	if v.May {
		v.Erase = or(forms.erase, q.eraseForm())
	}
	if q.role() == tenant.SeatOwner {
		v.Delete = or(forms.remove, q.deleteForm())
	}
	keys, err := w.c.service.Keys(q.Context(), q.actor(), q.tenant, tenant.Page{Limit: 1000})
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.Kind == tenant.KeyOIDC {
			v.Providers = append(v.Providers, ui.Option{Value: k.Issuer, Label: k.Name})
		}
	}
	v.Limits = limitTiles(row.Limits.Effective(tenant.Plan))
	return v, nil
}

func limitTiles(l tenant.Limits) []ui.Tile {
	return []ui.Tile{
		{Label: "Connections", Value: l.Connections},
		{Label: "Users", Value: l.Users},
		{Label: "Rooms", Value: l.Rooms},
		{Label: "Storage of each class", Note: ui.ByteSize(l.StorageBytes)},
		{Label: "Size of a message", Note: ui.ByteSize(l.MessageBytes)},
		{Label: "Messages a second, of a user", Value: l.MessagesPerSecond},
		{Label: "Connections of a user", Value: l.ConnectionsPerUser, Note: map[bool]string{true: "no limit"}[l.ConnectionsPerUser == 0]},
	}
}

func (w *web) doSettings(q *request) (outcome, error) {
	name, zone := q.typed("name"), q.typed("timezone")
	_, err := w.c.service.UpdateTenant(q.Context(), q.actor(), q.tenant, tenant.TenantPatch{Name: &name, Timezone: &zone})
	if err != nil {
		form := q.settingsForm(tenant.Tenant{})
		return q.correct(&form, err, func() (ui.View, error) { return w.settingsView(q, settingsForms{form: &form}) })
	}
	return to(q.base()+"/settings", "Saved."), nil
}

func (w *web) doDeleteTenant(q *request) (outcome, error) {
	if q.typed("confirm") != string(q.tenant) {
		if err := q.actor().Allow(tenant.ScopeAdmin, q.tenant); err != nil {
			return outcome{}, err
		}
		form := q.deleteForm()
		return q.correct(&form, tenant.Invalid("confirm", "type the tenant's id exactly, or leave it"), func() (ui.View, error) { return w.settingsView(q, settingsForms{remove: &form}) })
	}
	return to("/", "The tenant %s is deleted.", q.tenant), w.c.service.DeleteTenant(q.Context(), q.actor(), q.tenant)
}

// doEraseAny erases a person who may have no page any more.
func (w *web) doEraseAny(q *request) (outcome, error) {
	form := q.eraseForm()
	u, err := tenant.ParseUserID("user", q.typed("user"))
	if err == nil {
		var done outcome
		if done, err = w.erase(q, u); err == nil {
			return done, nil
		}
	}
	if e, ok := tenant.AsError(err); ok && e.Code == tenant.CodeNotFound {
		err = tenant.Invalid("user", "there was never a user of this id")
	}
	return q.correct(&form, err, func() (ui.View, error) { return w.settingsView(q, settingsForms{erase: &form}) })
}

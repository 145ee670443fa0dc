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

func (w *web) showSettings(q *request) (ui.View, error) { return w.settingsView(q, nil, nil) }

// settingsView shows a form that came back in the place of a fresh one.
func (w *web) settingsView(q *request, form, remove *ui.Form) (ui.View, error) {
	row, err := w.c.service.Tenant(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	v := &ui.Settings{Page: ui.Page{Title: "Settings", Area: "settings"}, ID: string(row.ID), Account: row.Account, Since: row.CreatedAt, May: q.may(tenant.ScopeAdmin)}
	if v.Form = q.settingsForm(row); form != nil {
		v.Form = *form
	}
	if q.role() == tenant.SeatOwner {
		if v.Delete = remove; v.Delete == nil {
			fresh := q.deleteForm()
			v.Delete = &fresh
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
		return q.correct(&form, err, func() (ui.View, error) { return w.settingsView(q, &form, nil) })
	}
	return to(q.base()+"/settings", "Saved."), nil
}

func (w *web) doDeleteTenant(q *request) (outcome, error) {
	if q.typed("confirm") != string(q.tenant) {
		if err := q.actor().Allow(tenant.ScopeAdmin, q.tenant); err != nil {
			return outcome{}, err
		}
		form := q.deleteForm()
		return q.correct(&form, tenant.Invalid("confirm", "type the tenant's id exactly, or leave it"), func() (ui.View, error) { return w.settingsView(q, nil, &form) })
	}
	return to("/", "The tenant %s is deleted.", q.tenant), w.c.service.DeleteTenant(q.Context(), q.actor(), q.tenant)
}

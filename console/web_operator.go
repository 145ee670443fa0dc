package console

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/console/ui"
	"parley/tenant"
)

// operator is the person as he asks for the operator's operations.
func (q *request) operator() tenant.Actor {
	a, err := q.who.Operator()
	if err != nil {
		return tenant.Actor{} // who may nothing; admit has let only operators through
	}
	return a
}

func (w *web) showTenants(q *request) (ui.View, error) {
	l := q.listing()
	items, pager, err := rows(q.Context(), l, func(t tenant.TenantLoad) string { return string(t.ID) },
		func(ctx ctx, p tenant.Page) ([]tenant.TenantLoad, error) {
			return w.c.service.Loads(ctx, q.operator(), p)
		})
	if err != nil {
		return nil, err
	}
	v := &ui.Tenants{Page: ui.Page{Title: "Tenants", Area: "operator"}, Search: l.search("Id or name"), Pager: pager}
	for _, t := range items {
		v.Rows = append(v.Rows, ui.TenantRow{
			Link: "/operator/tenants/" + string(t.ID), ID: string(t.ID), Name: t.Name, Since: t.Since,
			Health: healthWords[t.Health], Near: strings.Join(t.Near, ", "),
			Uses: []ui.Tile{
				useTile("Connections", t.Connections), useTile("Users", t.Users), useTile("Rooms", t.Rooms), sizeTile("Stored", t.Bytes()),
			},
		})
	}
	return v, nil
}

var healthWords = map[tenant.Health]ui.Word{
	tenant.HealthOK: {Text: "ok", Tone: "good"}, tenant.HealthNearLimit: {Text: "near a limit", Tone: "warn"},
	tenant.HealthBehind: {Text: "claims behind", Tone: "warn"}, tenant.HealthSuspended: {Text: "suspended", Tone: "bad"},
}

func useTile(label string, u tenant.Use) ui.Tile {
	return ui.Tile{Label: label, Value: u.Used, Most: u.Limit}
}

func sizeTile(label string, u tenant.Use) ui.Tile {
	return ui.Tile{Label: label, Value: u.Used, Most: u.Limit, Size: true}
}

// limitFields are the limits that operators give, by their names in the API.
var limitFields = []struct {
	name, label string
	of          func(tenant.Limits) int64
}{
	{"connections", "Connections", func(l tenant.Limits) int64 { return l.Connections }},
	{"users", "Users", func(l tenant.Limits) int64 { return l.Users }},
	{"rooms", "Rooms", func(l tenant.Limits) int64 { return l.Rooms }},
	{"storage_bytes", "Storage of each class, bytes", func(l tenant.Limits) int64 { return l.StorageBytes }},
	{"message_bytes", "Size of a message, bytes", func(l tenant.Limits) int64 { return l.MessageBytes }},
	{"messages_per_second", "Messages a second, of a user", func(l tenant.Limits) int64 { return l.MessagesPerSecond }},
	{"connections_per_user", "Connections of a user", func(l tenant.Limits) int64 { return l.ConnectionsPerUser }},
}

func cardForms(t tenant.Tenant) (enter, limits ui.Form) {
	path := "/operator/tenants/" + string(t.ID)
	enter = ui.Form{Action: path + "/enter", Submit: "Enter", Fields: []ui.Field{
		{Name: "reason", Label: "Reason", Autocomplete: "off", Hint: "As a ticket's number, and what it is about."},
	}}
	limits = ui.Form{Action: path + "/limits", Submit: "Save the limits"}
	for _, f := range limitFields {
		limits.Fields = append(limits.Fields, ui.Field{Name: f.name, Label: f.label, Type: "number", Value: strconv.FormatInt(f.of(t.Limits), 10), Autocomplete: "off"})
	}
	return enter, limits
}

// card is the tenant of the path, for operators.
func (w *web) card(q *request) (tenant.Tenant, error) {
	id, err := tenant.ParseTenantID("tenant", q.PathValue("tenant"))
	if err != nil {
		return tenant.Tenant{}, tenant.NotFound("tenant")
	}
	return w.c.service.Tenant(q.Context(), q.operator(), id)
}

func (w *web) showCard(q *request) (ui.View, error) {
	t, err := w.card(q)
	if err != nil {
		return nil, err
	}
	enter, limits := cardForms(t)
	return w.cardView(q, t, enter, limits)
}

func (w *web) cardView(q *request, t tenant.Tenant, enter, limits ui.Form) (ui.View, error) {
	has, err := w.c.service.Summary(q.Context(), q.operator(), t.ID)
	if err != nil {
		return nil, err
	}
	open, err := w.c.service.Connections(q.Context(), q.operator(), t.ID, "")
	if err != nil {
		return nil, err
	}
	most := t.Limits.Effective(tenant.Plan)
	v := &ui.TenantCard{
		Page: ui.Page{Title: t.Name, Area: "operator"}, ID: string(t.ID), Name: t.Name, Account: t.Account, Zone: t.Timezone, State: string(t.Status),
		Since: t.CreatedAt, InStep: has.Pushed > 0 && has.Pushed == has.Wanted, Enter: enter, Limits: limits,
		Tiles: []ui.Tile{
			{Label: "messages", Value: has.Messages},
			{Label: "connections", Value: int64(len(open)), Most: most.Connections},
			{Label: "users", Value: has.Users, Most: most.Users},
			{Label: "rooms", Value: has.Rooms, Most: most.Rooms},
		},
		Switch: ui.Button{Action: "/operator/tenants/" + string(t.ID) + "/suspend", Label: "Suspend", Danger: true},
	}
	if t.Status == tenant.Suspended {
		v.Switch = ui.Button{Action: "/operator/tenants/" + string(t.ID) + "/resume", Label: "Resume"}
	}
	return v, nil
}

func (w *web) doLimits(q *request) (outcome, error) {
	t, err := w.card(q)
	if err != nil {
		return outcome{}, err
	}
	enter, form := cardForms(t)
	again := func() (ui.View, error) { return w.cardView(q, t, enter, form) }
	limits, wrong := map[string]int64{}, map[string]string{}
	for _, f := range limitFields {
		n, err := strconv.ParseInt(q.typed(f.name), 10, 64)
		if err != nil {
			wrong[f.name] = "must be a whole number; 0 is what the plan says"
		}
		limits[f.name] = n
	}
	if len(wrong) > 0 {
		return q.correct(&form, &tenant.Error{Code: tenant.CodeInvalid, Message: "some limits are no numbers", Fields: wrong}, again)
	}
	if _, err := w.c.service.UpdateTenant(q.Context(), q.operator(), t.ID, tenant.TenantPatch{Limits: limits}); err != nil {
		var names []string
		for _, f := range limitFields {
			names = append(names, "limits."+f.name, f.name)
		}
		return q.correct(&form, err, again, names...)
	}
	return to("/operator/tenants/"+string(t.ID), "The limits hold now."), nil
}

func (w *web) setStatus(q *request, s tenant.Status, said string) (outcome, error) {
	t, err := w.card(q)
	if err != nil {
		return outcome{}, err
	}
	_, err = w.c.service.UpdateTenant(q.Context(), q.operator(), t.ID, tenant.TenantPatch{Status: &s})
	return outcome{to: "/operator/tenants/" + string(t.ID), said: said}, err
}

func (w *web) doSuspend(q *request) (outcome, error) {
	return w.setStatus(q, tenant.Suspended, "The tenant is suspended, and all its connections are closed.")
}

func (w *web) doResume(q *request) (outcome, error) {
	return w.setStatus(q, tenant.Active, "The tenant is active again.")
}

func (w *web) doEnter(q *request) (outcome, error) {
	t, err := w.card(q)
	if err != nil {
		return outcome{}, err
	}
	enter, limits := cardForms(t)
	if _, err := w.people.Enter(q.Context(), *q.who, t.ID, q.typed("reason")); err != nil {
		return q.correct(&enter, err, func() (ui.View, error) { return w.cardView(q, t, enter, limits) })
	}
	return to("/t/"+string(t.ID), "You are in %s for an hour.", t.Name), nil
}

func (w *web) doLeaveTenant(q *request) (outcome, error) {
	t, err := w.card(q)
	if err != nil {
		return outcome{}, err
	}
	return to("/operator", "You left %s.", t.Name), w.people.LeaveTenant(q.Context(), *q.who, t.ID)
}

func inviteFolkForm() ui.Form {
	return ui.Form{Action: "/operator/people/invite", Submit: "Make a link", Inline: true, Fields: []ui.Field{
		{Name: "kind", Label: "Who opens it", Value: string(tenant.LinkFounder), Options: []ui.Option{
			{Value: string(tenant.LinkFounder), Label: "signs up and makes tenants of his own"},
			{Value: string(tenant.LinkOperator), Label: "becomes an operator"},
		}},
	}}
}

func (w *web) showFolks(q *request) (ui.View, error) { return w.folksView(q, inviteFolkForm()) }

func (w *web) folksView(q *request, form ui.Form) (ui.View, error) {
	l := q.listing()
	l.path = "/operator/people"
	items, pager, err := rows(q.Context(), l, func(p tenant.Profile) string { return p.Email },
		func(ctx ctx, p tenant.Page) ([]tenant.Profile, error) { return w.people.Profiles(ctx, *q.who, p) })
	if err != nil {
		return nil, err
	}
	links, err := w.people.OperatorLinks(q.Context(), *q.who)
	if err != nil {
		return nil, err
	}
	linked, err := w.linked(q, items)
	if err != nil {
		return nil, err
	}
	v := &ui.Folks{Page: ui.Page{Title: "People", Area: "operator/people"}, Search: l.search("Address or name"), Pager: pager, Invite: form}
	for _, p := range items {
		v.Rows = append(v.Rows, ui.FolkRow{
			Email: p.Email, Name: p.Name, Operator: p.Operator, Founder: p.Founder, Since: p.CreatedAt,
			Recover: ui.Button{Action: "/operator/people/recover", Label: "Link for a new password", Hidden: []ui.Option{{Value: "email", Label: p.Email}}},
			Unlink:  linked[p.ID],
		})
	}
	for _, x := range links {
		v.Links = append(v.Links, ui.LinkRow{Role: string(x.Kind), By: x.By, Until: x.ExpiresAt})
	}
	return v, nil
}

// linked has a button for each of some people who log in by the provider.
func (w *web) linked(q *request, people []tenant.Profile) (map[tenant.PersonID]*ui.Button, error) {
	emails := map[tenant.PersonID]string{}
	for _, p := range people {
		emails[p.ID] = p.Email
	}
	linked, err := w.people.Linked(q.Context(), *q.who, slices.Collect(maps.Keys(emails)))
	buttons := map[tenant.PersonID]*ui.Button{}
	for _, id := range linked {
		buttons[id] = &ui.Button{Action: "/operator/people/unlink", Label: "Part from the login provider", Hidden: []ui.Option{{Value: "email", Label: emails[id]}}}
	}
	return buttons, err
}

func (w *web) doInviteFolk(q *request) (outcome, error) {
	form := inviteFolkForm()
	secret, link, err := w.people.OperatorLink(q.Context(), *q.who, tenant.LinkKind(q.typed("kind")))
	if err != nil {
		return q.correct(&form, err, func() (ui.View, error) { return w.folksView(q, form) })
	}
	return outcome{to: "/operator/people", view: &ui.Secret{
		Page: ui.Page{Title: "Invitation", Area: "operator/people"}, Heading: "Invitation: " + string(link.Kind),
		Lead: "Hand this link over. Whoever opens it first has it.", Text: w.linkTo("/join?link", secret),
		Note: "It works once, until " + link.ExpiresAt.UTC().Format("2 Jan 2006 15:04 UTC") + ".", Back: ui.Option{Value: "/operator/people", Label: "Back to the people"},
	}}, nil
}

// doUnlinkFolk is for accounts of the login provider that were given up, and for addresses that are somebody else's now.
func (w *web) doUnlinkFolk(q *request) (outcome, error) {
	email := tenant.NormalEmail(q.typed("email"))
	return to("/operator/people", "%s is parted from the login provider, and logged out. Make a link for a new password where it is still their account.", email),
		w.people.Unlink(q.Context(), *q.who, email)
}

func (w *web) doRecoverFolk(q *request) (outcome, error) {
	email := tenant.NormalEmail(q.typed("email"))
	secret, err := w.people.RecoveryLink(q.Context(), *q.who, email)
	if err != nil {
		return outcome{}, err
	}
	return outcome{to: "/operator/people", view: &ui.Secret{
		Page: ui.Page{Title: "Recovery", Area: "operator/people"}, Heading: "A new password for " + email,
		Lead: "Be sure who asks you for it. Whoever opens this link first sets the password.", Text: w.linkTo("/recover", secret),
		Note: "It works once, for an hour.", Back: ui.Option{Value: "/operator/people", Label: "Back to the people"},
	}}, nil
}

func (w *web) showOperatorAudit(q *request) (ui.View, error) {
	l := q.listing()
	items, pager, err := rows(q.Context(), l, func(e tenant.AuditEntry) string { return e.Cursor },
		func(ctx ctx, p tenant.Page) ([]tenant.AuditEntry, error) {
			return w.people.OperatorTrail(ctx, *q.who, p)
		})
	if err != nil {
		return nil, err
	}
	return &ui.Audit{
		Page: ui.Page{Title: "Audit", Area: "operator/audit"}, Lead: "Sign-ups, logins, links and passwords, the newest first. Each tenant has a trail of its own.",
		Search: l.search("Who, what or on what"), Rows: auditRows(items), Pager: pager,
	}, nil
}

// maxHealth is how many jobs and accounts the page shows.
const maxHealth = 200

func (w *web) showHealth(q *request) (ui.View, error) {
	jobs, err := w.people.QueuedJobs(q.Context(), *q.who, maxHealth)
	if err != nil {
		return nil, err
	}
	accounts, err := w.people.AccountStates(q.Context(), *q.who, maxHealth)
	if err != nil {
		return nil, err
	}
	v := &ui.Health{Page: ui.Page{Title: "Health", Area: "operator/health"}}
	for _, j := range jobs {
		row := ui.JobRow{ID: j.ID, Kind: j.Kind, State: j.State, Args: j.Args, Failed: j.LastFail, Attempt: int64(j.Attempt), Most: int64(j.Most), At: j.At}
		if j.State != "running" {
			row.Retry = &ui.Button{Action: "/operator/jobs/" + strconv.FormatInt(j.ID, 10) + "/retry", Label: "Run now"}
		}
		v.Jobs = append(v.Jobs, row)
	}
	for _, a := range accounts {
		row := ui.AccountRow{Name: a.Name, Account: a.Account, Wanted: time.Unix(a.Wanted, 0), Pushed: time.Unix(a.Pushed, 0), InStep: a.Wanted == a.Pushed}
		if a.Tenant != "" {
			row.Name = string(a.Tenant)
		}
		if !row.InStep {
			v.Behind++
		}
		v.Accounts = append(v.Accounts, row)
	}
	return v, nil
}

// showChecks is the part of the page that takes a while.
func (w *web) showChecks(q *request) (ui.View, error) {
	all, err := w.c.checks(q.Context(), q.operator())
	if err != nil {
		return nil, err
	}
	v := &ui.Checks{At: time.Now()}
	for _, c := range all {
		v.Rows = append(v.Rows, ui.CheckRow{Name: c.Name, Found: c.Found, Remedy: c.Remedy, OK: c.OK})
		if !c.OK {
			v.Faults++
		}
	}
	return v, nil
}

func (w *web) doRetryJob(q *request) (outcome, error) {
	id, err := strconv.ParseInt(q.PathValue("job"), 10, 64)
	if err != nil {
		return outcome{}, tenant.NotFound("job")
	}
	return to("/operator/health", "The job runs now."), w.people.RetryJob(q.Context(), *q.who, id)
}

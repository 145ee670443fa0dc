package console

import (
	"parley/console/ui"
	"parley/tenant"
)

const codeHint = "What stands behind the # of the link. It is filled in by itself where scripts run."

// joinForm takes the secret of a link along where there is one.
func joinForm(linked bool) ui.Form {
	f := ui.Form{Action: "/join", Submit: "Sign up"}
	if linked {
		f.Action = "/join?link"
		f.Fields = append(f.Fields, linkField())
	}
	f.Fields = append(f.Fields,
		ui.Field{Name: "email", Label: "E-mail address", Type: "email", Autocomplete: "username", Hint: "You log in with it."},
		ui.Field{Name: "name", Label: "Your name", Autocomplete: "name", Optional: true},
		ui.Field{Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password", Hint: "At least 8 characters. A few words are easier to keep than a short riddle."},
	)
	return f
}

func linkField() ui.Field {
	return ui.Field{Name: "link", Label: "Code of the link", Secret: true, Autocomplete: "off", Hint: codeHint}
}

func acceptForm() ui.Form {
	return ui.Form{Action: "/join/accept", Submit: "Accept", Fields: []ui.Field{linkField()}}
}

func (w *web) joinView(q *request, linked bool, f ui.Form) *ui.Join {
	v := &ui.Join{Page: ui.Page{Title: "Sign up"}, Form: f, Linked: linked}
	if q.who != nil {
		accept := acceptForm()
		v.Accept, v.Title = &accept, "Accept the invitation"
	}
	return v
}

func (w *web) showJoin(q *request) (ui.View, error) {
	linked := q.URL.Query().Has("link")
	if !linked && w.people.SignUp() != tenant.SignUpOpen {
		return nil, tenant.Errorf(tenant.CodeForbidden, "signing up needs a link; ask the operator, or an admin of your company, for one")
	}
	return w.joinView(q, linked, joinForm(linked)), nil
}

// link reads the secret of a link, and counts the try: links are as good as passwords.
func (w *web) link(q *request) (tenant.Secret, error) {
	secret := tenant.Secret(q.typed("link"))
	if secret == "" {
		return "", tenant.Invalid("link", "open the link as you got it, with all that is behind the #")
	}
	if !w.throttle.try(nobody, q.browser().Address) {
		return "", tooMany()
	}
	if _, err := w.people.Link(q.Context(), secret); err != nil {
		return "", err
	}
	w.throttle.right(nobody, q.browser().Address)
	return secret, nil
}

// doLinkInfo shows what a link is for, without using it.
func (w *web) doLinkInfo(q *request) (outcome, error) {
	secret, err := w.link(q)
	var l tenant.Link
	if err == nil {
		l, err = w.people.Link(q.Context(), secret)
	}
	if e, ok := tenant.AsError(err); ok {
		return outcome{view: ui.LinkInfo{Error: sentence(e.Message)}}, nil
	}
	info := ui.LinkInfo{Kind: string(l.Kind), Tenant: l.TenantName, Role: string(l.Role), Until: l.ExpiresAt}
	if err != nil || w.provider == nil || q.who != nil || l.Kind == tenant.LinkRecovery {
		return outcome{view: info}, err
	}
	info.SSO = []ui.Option{{Value: ssoPath + "?link", Label: "Join with " + w.provider.Host()}}
	return outcome{view: info, cookie: w.cookie(linkCookie, secret.Reveal(), int(ssoLife.Seconds()))}, nil
}

func (w *web) doJoin(q *request) (outcome, error) {
	linked := q.URL.Query().Has("link")
	form := joinForm(linked)
	again := func() (ui.View, error) {
		for i := range form.Fields { // the secret of a link that still works stays where it was put
			if form.Fields[i].Secret {
				form.Fields[i].Value = q.typed("link")
			}
		}
		return &ui.Join{Page: ui.Page{Title: "Sign up"}, Form: form, Linked: linked}, nil
	}
	var secret tenant.Secret
	var err error
	if linked {
		if secret, err = w.link(q); err != nil {
			return q.correct(&form, err, again)
		}
	} else if !w.throttle.try(nobody, q.browser().Address) { // each costs a hash, and tells whether an address is taken
		return q.correct(&form, tooMany(), again)
	}
	session, err := w.people.Join(q.Context(), secret, tenant.NewPerson{
		Email: q.typed("email"), Name: q.typed("name"), Password: tenant.Secret(q.PostFormValue("password")),
	}, q.browser())
	if err != nil {
		return q.correct(&form, err, again)
	}
	return outcome{to: "/", cookie: w.loggedIn(session)}, nil
}

func (w *web) doAccept(q *request) (outcome, error) {
	form := acceptForm()
	again := func() (ui.View, error) {
		v := w.joinView(q, true, joinForm(true))
		v.Accept = &form
		return v, nil
	}
	secret, err := w.link(q)
	if err != nil {
		return q.correct(&form, err, again)
	}
	used, err := w.people.Accept(q.Context(), *q.who, secret)
	if err != nil {
		return q.correct(&form, err, again)
	}
	return accepted(used), nil
}

// accepted leads to what a link has given.
func accepted(used tenant.Link) outcome {
	switch used.Kind {
	case tenant.LinkSeat:
		return to("/t/"+string(used.Tenant), "You work for this tenant now, as %s.", used.Role)
	case tenant.LinkOperator:
		return to("/operator", "You are an operator now.")
	default:
		return to("/tenants/new", "You may make tenants now.")
	}
}

func recoverForm() ui.Form {
	return ui.Form{Action: "/recover", Submit: "Set the password", Fields: []ui.Field{
		linkField(),
		{Name: "password", Label: "New password", Type: "password", Autocomplete: "new-password", Hint: "At least 8 characters."},
	}}
}

func (w *web) showRecover(*request) (ui.View, error) {
	return &ui.Recover{Page: ui.Page{Title: "Set a new password"}, Form: recoverForm()}, nil
}

func (w *web) doRecover(q *request) (outcome, error) {
	form := recoverForm()
	again := func() (ui.View, error) {
		form.Set("link", q.typed("link"))
		return &ui.Recover{Page: ui.Page{Title: "Set a new password"}, Form: form}, nil
	}
	secret, err := w.link(q)
	if err != nil {
		return q.correct(&form, err, again)
	}
	session, err := w.people.Recover(q.Context(), secret, tenant.Secret(q.PostFormValue("password")), q.browser())
	if err != nil {
		return q.correct(&form, err, again)
	}
	return outcome{to: "/", said: "Your password is set, and all other sessions have ended.", cookie: w.loggedIn(session)}, nil
}

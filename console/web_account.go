package console

import (
	"parley/console/ui"
	"parley/tenant"
)

// passwordForm asks for the old password where there is one.
func passwordForm(q *request) ui.Form {
	f := ui.Form{Action: "/account/password", Submit: "Set a password", Fields: []ui.Field{
		{Name: "password", Label: "New password", Type: "password", Autocomplete: "new-password", Hint: "At least 8 characters."},
	}}
	if q.who.Profile.PasswordHash != "" {
		old := ui.Field{Name: "old", Label: "Your password", Type: "password", Autocomplete: "current-password"}
		f.Submit, f.Fields = "Change the password", append([]ui.Field{old}, f.Fields...)
	}
	return f
}

// accountForms are the forms of a person's page.
type accountForms struct{ password, passkey, codes ui.Form }

func (w *web) accountForms(q *request) accountForms {
	return accountForms{password: passwordForm(q), passkey: w.newPasskeyForm(q), codes: w.codesForm(q)}
}

func (w *web) showAccount(q *request) (ui.View, error) { return w.accountView(q, w.accountForms(q)) }

func (w *web) accountView(q *request, forms accountForms) (ui.View, error) {
	logins, err := w.people.Logins(q.Context(), *q.who)
	if err != nil {
		return nil, err
	}
	who := q.who.Profile
	v := &ui.Account{
		Page: ui.Page{Title: "Your account", Area: "account", Passkeys: true}, Name: who.Name, Since: who.CreatedAt, Password: forms.password, Codes: forms.codes,
		EndOther: ui.Button{Action: "/account/logins/end-others", Label: "End all others"},
	}
	if v.Passkeys, err = w.passkeyRows(q); err != nil {
		return nil, err
	}
	if v.CodesLeft, err = w.people.RecoveryCodes(q.Context(), *q.who); err != nil {
		return nil, err
	}
	if w.site != nil {
		v.AddPasskey = &forms.passkey
	} else {
		v.NoHost = w.public.Host
	}
	for _, l := range logins {
		v.Logins = append(v.Logins, ui.LoginRow{
			Agent: l.Agent, Address: l.Address, Since: l.CreatedAt, Seen: l.SeenAt, Current: l.ID == q.who.Login.ID,
			End: ui.Button{Action: "/account/logins/" + l.ID + "/end", Label: "End"},
		})
	}
	return v, nil
}

func (w *web) doPassword(q *request) (outcome, error) {
	forms := w.accountForms(q)
	again := func() (ui.View, error) { return w.accountView(q, forms) }
	who := q.who.Profile.Email
	if !w.throttle.try(who, q.browser().Address) { // a session left open is not the password
		return q.correct(&forms.password, tooMany(), again)
	}
	secret, err := w.people.ChangePassword(q.Context(), *q.who, tenant.Secret(q.PostFormValue("old")), tenant.Secret(q.PostFormValue("password")), q.browser())
	if err != nil {
		return q.correct(&forms.password, err, again)
	}
	w.throttle.right(who, q.browser().Address)
	return outcome{to: "/account", said: "Your password is changed, and your other sessions have ended.", cookie: w.loggedIn(secret)}, nil
}

func (w *web) doEndLogin(q *request) (outcome, error) {
	id := q.PathValue("login")
	if id == q.who.Login.ID {
		return w.doLogout(q)
	}
	return to("/account", "The session has ended."), w.people.EndLogin(q.Context(), *q.who, id)
}

func (w *web) doEndOthers(q *request) (outcome, error) {
	return to("/account", "All other sessions have ended."), w.people.EndOtherLogins(q.Context(), *q.who)
}

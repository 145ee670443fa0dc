package console

import (
	"net/url"

	"parley/console/ui"
	"parley/tenant"
)

func loginForm(next string) ui.Form {
	return ui.Form{
		Action: "/login?next=" + url.QueryEscape(next), Submit: "Log in",
		Fields: []ui.Field{
			{Name: "email", Label: "E-mail address", Type: "email", Autocomplete: "username"},
			{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password"},
		},
	}
}

func (w *web) loginView(f ui.Form, next string) *ui.Login {
	v := &ui.Login{Page: ui.Page{Title: "Log in", Passkeys: true}, Form: f, SignUp: w.people.SignUp() == tenant.SignUpOpen, SSO: w.ssoOptions(next)}
	if w.site != nil {
		v.Passkey = passkeyLoginForm(next)
	}
	return v
}

func (w *web) showLogin(q *request) (ui.View, error) {
	next := localPath(q.URL.Query().Get("next"))
	return w.loginView(loginForm(next), next), nil
}

func tooMany() error {
	return tenant.Errorf(tenant.CodeRateLimited, "too many wrong tries; wait a minute, then try again")
}

// doLogin answers the same, and as late, whoever's address is given.
func (w *web) doLogin(q *request) (outcome, error) {
	next := localPath(q.URL.Query().Get("next"))
	form := loginForm(next)
	again := func() (ui.View, error) { return w.loginView(form, next), nil }
	email, from := tenant.NormalEmail(q.typed("email")), q.browser()
	if !w.throttle.try(email, from.Address) {
		return q.correct(&form, tooMany(), again)
	}
	secret, err := w.people.LogIn(q.Context(), email, tenant.Secret(q.PostFormValue("password")), from)
	if err != nil {
		return q.correct(&form, err, again)
	}
	w.throttle.right(email, from.Address)
	return w.enter(q, next, secret)
}

// enter leads a person on who has logged in.
func (w *web) enter(q *request, next string, session tenant.Secret) (outcome, error) {
	if q.who != nil { // whoever was logged in here no longer is
		if err := w.people.LogOut(q.Context(), *q.who); err != nil {
			return outcome{}, err
		}
	}
	return outcome{to: next, cookie: w.loggedIn(session)}, nil
}

func (w *web) doLogout(q *request) (outcome, error) {
	if err := w.people.LogOut(q.Context(), *q.who); err != nil {
		return outcome{}, err
	}
	return outcome{to: "/login", said: "You are logged out.", cookie: w.loggedOut()}, nil
}

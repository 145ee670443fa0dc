package console

import (
	"strings"

	"parley/console/ui"
	"parley/tenant"
)

func recoverByCodeForm() ui.Form {
	return ui.Form{Action: "/recover/code", Submit: "Set the password", Fields: []ui.Field{
		{Name: "email", Label: "E-mail address", Type: "email", Autocomplete: "username"},
		{Name: "code", Label: "Recovery code", Type: "password", Autocomplete: "off", Hint: "One of the ten that you were shown, as ABCD-EFGH-IJKL-MNOP. It works once."},
		{Name: "password", Label: "New password", Type: "password", Autocomplete: "new-password", Hint: "At least 8 characters."},
	}}
}

func recoverByCodeView(f ui.Form) *ui.Recover {
	return &ui.Recover{Page: ui.Page{Title: "Set a new password"}, Form: f}
}

func (w *web) showRecoverByCode(*request) (ui.View, error) {
	return recoverByCodeView(recoverByCodeForm()), nil
}

// doRecoverByCode answers the same whoever's address is given, and counts wrong codes like wrong passwords.
func (w *web) doRecoverByCode(q *request) (outcome, error) {
	form := recoverByCodeForm()
	again := func() (ui.View, error) { return recoverByCodeView(form), nil }
	email, from := tenant.NormalEmail(q.typed("email")), q.browser()
	if !w.throttle.try(email, from.Address) {
		return q.correct(&form, tooMany(), again)
	}
	session, err := w.people.RecoverByCode(q.Context(), email, tenant.Secret(q.typed("code")), tenant.Secret(q.PostFormValue("password")), from)
	if err != nil {
		return q.correct(&form, err, again)
	}
	w.throttle.right(email, from.Address)
	done, err := w.enter(q, "/account", session)
	done.said = "Your password is set, and all other sessions have ended."
	return done, err
}

func (w *web) codesForm(q *request) ui.Form {
	f := ui.Form{Action: "/account/recovery-codes", Submit: "Make ten codes"}
	if w.asksAgain(q) {
		f.Fields = append(f.Fields, ui.Field{Name: "password", ID: "-codes", Label: "Your password", Type: "password", Autocomplete: "current-password"})
	}
	return f
}

func (w *web) doNewCodes(q *request) (outcome, error) {
	codes, err := w.newCodes(q)
	if err != nil {
		forms := w.accountForms(q)
		return q.correct(&forms.codes, err, func() (ui.View, error) { return w.accountView(q, forms) })
	}
	var text strings.Builder
	for _, c := range codes {
		text.WriteString(c.Reveal() + "\n")
	}
	return outcome{to: "/account", view: &ui.Secret{
		Page: ui.Page{Title: "Recovery codes", Area: "account"}, Heading: "Recovery codes",
		Lead: "Print them or put them where you keep other keys. With one of them and your address you set a new password.",
		Name: "parley-recovery-codes.txt", Text: text.String(), Note: "Each works once. Those from before work no more.",
		Back: ui.Option{Value: "/account", Label: "Back to your account"},
	}}, nil
}

func (w *web) newCodes(q *request) ([]tenant.Secret, error) {
	who := q.who.Profile.Email
	if !w.throttle.try(who, q.browser().Address) { // a session left open is not the password
		return nil, tooMany()
	}
	codes, err := w.people.NewRecoveryCodes(q.Context(), *q.who, tenant.Secret(q.PostFormValue("password")))
	if err == nil {
		w.throttle.right(who, q.browser().Address)
	}
	return codes, err
}

package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"parley/console/passkey"
	"parley/console/ui"
	"parley/tenant"
)

// newSite is nil where the console is at an address for which browsers make no passkeys.
func (w *web) newSite() (*passkey.Site, error) {
	site, err := passkey.New(w.public)
	if errors.Is(err, passkey.ErrNoHostName) {
		return nil, nil //nolint:nilnil // the pages say so
	}
	return site, err
}

func (w *web) needSite() error {
	if w.site == nil {
		return tenant.Errorf(tenant.CodeConflict, "passkeys need a host name, and this console is at %s; start it with --public-url and a name, as http://localhost:8080 or https://chat.example.com, and open it there", w.public.Host)
	}
	return nil
}

// answerField has what the authenticator said; the page's script fills it.
const answerField = "answer"

func passkeyLoginForm(next string) *ui.Form {
	return &ui.Form{
		Action: "/login/passkey?next=" + url.QueryEscape(next), Submit: "Log in with a passkey", Challenge: "/login/passkey/challenge",
		Hidden: []ui.Option{{Value: answerField}},
	}
}

// ask answers the script of a page with what its browser shall ask an authenticator, or with what is wrong.
func ask(q *request, out http.ResponseWriter, asked any, err error) error {
	status := http.StatusOK
	if e, readable := tenant.AsError(err); readable {
		status, q.call.code = domainFailure(e).status, e.Code
		said := e.Message
		for _, why := range e.Fields {
			said = why
		}
		asked, err = struct {
			Error string `json:"error"`
		}{sentence(said)}, nil
	}
	if err != nil {
		return err
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		out.Header().Set("Retry-After", retryAfter)
	}
	out.Header().Set("Content-Type", jsonType)
	out.WriteHeader(status)
	return json.NewEncoder(out).Encode(asked)
}

func (w *web) serveLoginChallenge(q *request, out http.ResponseWriter) error {
	asked, err := w.loginChallenge(q)
	return ask(q, out, asked, err)
}

// loginChallenge counts as a try, for each keeps a row: a login that succeeds takes it back.
func (w *web) loginChallenge(q *request) (any, error) {
	if err := w.needSite(); err != nil {
		return nil, err
	}
	if !w.throttle.try(nobody, q.browser().Address) {
		return nil, tooMany()
	}
	challenge, err := w.people.PasskeyChallenge(q.Context())
	if err != nil {
		return nil, err
	}
	return w.site.Login(challenge)
}

func (w *web) doPasskeyLogin(q *request) (outcome, error) {
	next := localPath(q.URL.Query().Get("next"))
	session, err := w.passkeyLogin(q)
	if err != nil {
		form := loginForm(next)
		return q.correct(&form, err, func() (ui.View, error) { return w.loginView(form, next), nil })
	}
	return w.enter(q, next, session)
}

func (w *web) passkeyLogin(q *request) (tenant.Secret, error) {
	if err := w.needSite(); err != nil {
		return "", err
	}
	from := q.browser()
	if !w.throttle.try(nobody, from.Address) {
		return "", tooMany()
	}
	answer, err := w.site.ReadLogin(q.PostFormValue(answerField))
	if err != nil {
		return "", err
	}
	session, err := w.people.LogInByPasskey(q.Context(), answer, from)
	if err == nil {
		w.throttle.right(nobody, from.Address) // the answer's try, and
		w.throttle.right(nobody, from.Address) // the challenge's
	}
	return session, err
}

// asksAgain reports whether the password is asked for before a person gets another way to log in.
func (w *web) asksAgain(q *request) bool {
	return !w.people.Fresh(*q.who) && q.who.Profile.PasswordHash != ""
}

// newPasskeyForm asks for the password where the login is not fresh.
func (w *web) newPasskeyForm(q *request) ui.Form {
	f := ui.Form{
		Action: "/account/passkeys", Submit: "Add a passkey", Challenge: "/account/passkeys/challenge",
		Hidden: []ui.Option{{Value: answerField}},
		Fields: []ui.Field{{Name: "name", ID: "-passkey", Label: "Name", Optional: true, Autocomplete: "off", Hint: "Where it is, for example: my phone."}},
	}
	if w.asksAgain(q) {
		f.Fields = append(f.Fields, ui.Field{Name: "password", ID: "-passkey", Label: "Your password", Type: "password", Autocomplete: "current-password"})
	}
	return f
}

func (w *web) serveNewPasskeyChallenge(q *request, out http.ResponseWriter) error {
	asked, err := w.newPasskeyChallenge(q)
	return ask(q, out, asked, err)
}

func (w *web) newPasskeyChallenge(q *request) (any, error) {
	if err := w.needSite(); err != nil {
		return nil, err
	}
	who := q.who.Profile.Email
	if !w.throttle.try(who, q.browser().Address) { // a session left open is not the password
		return nil, tooMany()
	}
	challenge, has, err := w.people.NewPasskeyChallenge(q.Context(), *q.who, tenant.Secret(q.PostFormValue("password")))
	if err != nil {
		return nil, err
	}
	w.throttle.right(who, q.browser().Address)
	return w.site.Creation(challenge, q.who.Profile, has)
}

func (w *web) doAddPasskey(q *request) (outcome, error) {
	if err := w.addPasskey(q); err != nil {
		forms := w.accountForms(q)
		return q.correct(&forms.passkey, err, func() (ui.View, error) { return w.accountView(q, forms) })
	}
	return to("/account", "The passkey is there: you can log in with it."), nil
}

func (w *web) addPasskey(q *request) error {
	if err := w.needSite(); err != nil {
		return err
	}
	answer, err := w.site.ReadCreation(q.PostFormValue(answerField))
	if err != nil {
		return err
	}
	return w.people.AddPasskey(q.Context(), *q.who, q.typed("name"), answer)
}

func (w *web) doRenamePasskey(q *request) (outcome, error) {
	return to("/account", "The passkey has its new name."), w.people.RenamePasskey(q.Context(), *q.who, q.PathValue("passkey"), q.typed("name"))
}

func (w *web) doRemovePasskey(q *request) (outcome, error) {
	return to("/account", "The passkey opens your account no more, and your other sessions have ended."),
		w.people.RemovePasskey(q.Context(), *q.who, q.PathValue("passkey"))
}

func (w *web) passkeyRows(q *request) ([]ui.PasskeyRow, error) {
	keys, err := w.people.Passkeys(q.Context(), *q.who)
	var rows []ui.PasskeyRow
	for _, k := range keys {
		base := "/account/passkeys/" + k.ID
		rows = append(rows, ui.PasskeyRow{
			Name: k.Name, Synced: k.Synced, Since: k.CreatedAt, Used: k.UsedAt,
			Rename: ui.Form{Action: base + "/rename", Submit: "Rename", Inline: true, Fields: []ui.Field{
				{Name: "name", ID: k.ID, Label: "Name of " + k.Name, Bare: true, Value: k.Name, Autocomplete: "off"},
			}},
			Remove: ui.Button{Action: base + "/remove", Label: "Remove"},
		})
	}
	return rows, err
}

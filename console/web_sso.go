package console

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/console/sso"
	"parley/console/ui"
	"parley/tenant"
)

// SSOConfig is the login provider of the operator's people. All fields are required.
type SSOConfig struct {
	Issuer       string // as OpenID Connect has it
	ClientID     string
	ClientSecret tenant.Secret
	HTTP         *http.Client // reaches what the issuer may be
}

const (
	ssoPath   = "/login/sso"
	ssoReturn = "/login/sso/return"
	ssoCookie = "parley-sso"
	ssoLife   = 10 * time.Minute // that people have at the provider
)

func (w *web) newProvider(c *SSOConfig) (*sso.Provider, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // nobody logs in so
	}
	back := strings.TrimRight(w.public.String(), "/") + ssoReturn
	return sso.New(sso.Config{Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Return: back, HTTP: c.HTTP})
}

// ssoOptions are the links to providers on the page of the login. They are no forms: the policy refuses forms that
// lead to other sites, at redirects too.
func (w *web) ssoOptions(next string) []ui.Option {
	if w.provider == nil {
		return nil
	}
	return []ui.Option{{Value: ssoPath + "?next=" + url.QueryEscape(next), Label: "Log in with " + w.provider.Host()}}
}

// serveSSO sends a browser to the provider. Its cookie remembers what must come back.
func (w *web) serveSSO(q *request, out http.ResponseWriter) error {
	if w.provider == nil {
		return tenant.NotFound("page")
	}
	at, a, err := w.provider.Begin(q.Context())
	if err != nil {
		q.call.err = err
		return err
	}
	kept := url.Values{"state": {a.State}, "nonce": {a.Nonce}, "verifier": {a.Verifier}, "next": {localPath(q.URL.Query().Get("next"))}}
	http.SetCookie(out, w.cookie(ssoCookie, kept.Encode(), int(ssoLife.Seconds())))
	http.Redirect(out, q.Request, at, http.StatusSeeOther)
	return nil
}

// attempt reads what the browser remembers of its way to the provider.
func (w *web) attempt(q *request) (a sso.Attempt, next string) {
	cookie, err := q.Cookie(w.cookieName(ssoCookie))
	if err != nil {
		return a, "/"
	}
	kept, err := url.ParseQuery(cookie.Value)
	if err != nil {
		return a, "/"
	}
	return sso.Attempt{State: kept.Get("state"), Nonce: kept.Get("nonce"), Verifier: kept.Get("verifier")}, localPath(kept.Get("next"))
}

// serveSSOReturn logs in who comes back from the provider.
func (w *web) serveSSOReturn(q *request, out http.ResponseWriter) error {
	if w.provider == nil {
		return tenant.NotFound("page")
	}
	a, next := w.attempt(q)
	http.SetCookie(out, w.cookie(ssoCookie, "", -1))
	session, arrival, err := w.ssoLogin(q, a)
	if err != nil {
		q.call.err = err // the page says less
		form := loginForm(next)
		done, err := q.correct(&form, err, func() (ui.View, error) { return w.loginView(form, next), nil })
		if err != nil {
			return err
		}
		return w.finish(out, q, done)
	}
	done, err := w.enter(q, next, session)
	if err != nil {
		return err
	}
	if arrival == tenant.ArrivedLinked {
		done.said = "Your account now opens by " + w.provider.Host() + ". Its password, passkeys and recovery codes from before work no more."
	}
	return w.finish(out, q, done)
}

func (w *web) ssoLogin(q *request, a sso.Attempt) (tenant.Secret, tenant.Arrival, error) {
	answer, from := q.URL.Query(), q.browser()
	if !a.Answers(answer.Get("state")) {
		return "", "", tenant.Errorf(tenant.CodeUnauthorized, "this login was not begun in this browser, or took too long; begin it here again")
	}
	if code := answer.Get("code"); code == "" {
		return "", "", tenant.Errorf(tenant.CodeUnauthorized, "the login provider let nobody in (%s); try again", cmp.Or(knownRefusal[answer.Get("error")], "it does not say why"))
	}
	if !w.throttle.try(nobody, from.Address) { // each has this server ask the provider
		return "", "", tooMany()
	}
	who, err := w.provider.Finish(q.Context(), a, answer.Get("code"))
	if err != nil {
		return "", "", err
	}
	session, arrival, err := w.people.LogInVouched(q.Context(), who, from)
	if err == nil {
		w.throttle.right(nobody, from.Address)
	}
	return session, arrival, err
}

// knownRefusal has what providers say, RFC 6749 section 4.1.2.1, for people. What else stands in an address is anybody's text.
var knownRefusal = map[string]string{
	"access_denied": "it was refused there", "temporarily_unavailable": "it is busy", "server_error": "it has a fault",
	"unauthorized_client": "it does not know this console", "invalid_scope": "it does not give e-mail addresses",
}

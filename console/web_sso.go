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
	// The secret of a link that was looked at. It waits here for who goes to the provider, where no form can take it.
	linkCookie = "parley-link"
	ssoLife    = 10 * time.Minute // that people have at the provider
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
	if q.URL.Query().Has("link") {
		kept.Set("link", "yes")
	}
	http.SetCookie(out, w.cookie(ssoCookie, kept.Encode(), int(ssoLife.Seconds())))
	http.Redirect(out, q.Request, at, http.StatusSeeOther)
	return nil
}

// attempt reads what the browser remembers of its way to the provider, with the secret of the link that it went for.
func (w *web) attempt(q *request) (a sso.Attempt, next string, link tenant.Secret) {
	cookie, err := q.Cookie(w.cookieName(ssoCookie))
	if err != nil {
		return a, "/", ""
	}
	kept, err := url.ParseQuery(cookie.Value)
	if err != nil {
		return a, "/", ""
	}
	if c, err := q.Cookie(w.cookieName(linkCookie)); err == nil && kept.Has("link") {
		link = tenant.Secret(c.Value)
	}
	return sso.Attempt{State: kept.Get("state"), Nonce: kept.Get("nonce"), Verifier: kept.Get("verifier")}, localPath(kept.Get("next")), link
}

// serveSSOReturn logs in who comes back from the provider.
func (w *web) serveSSOReturn(q *request, out http.ResponseWriter) error {
	if w.provider == nil {
		return tenant.NotFound("page")
	}
	a, next, link := w.attempt(q)
	http.SetCookie(out, w.cookie(ssoCookie, "", -1))
	http.SetCookie(out, w.cookie(linkCookie, "", -1))
	session, arrival, err := w.ssoLogin(q, a, link)
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
	if link != "" && arrival != tenant.ArrivedNew {
		if done.to, done.said, err = w.acceptAfter(q, session, link); err != nil {
			return err
		}
	}
	if arrival == tenant.ArrivedLinked {
		done.said = "Your account now opens by " + w.provider.Host() + ". Its password, passkeys and recovery codes from before work no more."
	}
	return w.finish(out, q, done)
}

// acceptAfter uses a link for somebody who had an account before they opened it. They are logged in whatever becomes of it.
func (w *web) acceptAfter(q *request, session, link tenant.Secret) (path, said string, err error) {
	who, err := w.people.Principal(q.Context(), session)
	if err != nil {
		return "", "", err
	}
	used, err := w.people.Accept(q.Context(), who, link)
	if e, ok := tenant.AsError(err); ok {
		return "/", sentence(e.Message), nil
	}
	done := accepted(used)
	return done.to, done.said, err
}

func (w *web) ssoLogin(q *request, a sso.Attempt, link tenant.Secret) (tenant.Secret, tenant.Arrival, error) {
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
	session, arrival, err := w.people.LogInVouched(q.Context(), who, link, from)
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

package console

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"

	"parley/tenant"
)

// Cookies have the prefix __Host- and the attribute Secure, which keep them from plain http and
// from other hosts' hands. Where the console itself is on plain http, which it is on loopback
// alone, browsers and programs would not send them back, so there they have neither.
const (
	hostPrefix    = "__Host-"
	sessionCookie = "parley-session"
	flashCookie   = "parley-said"
)

func (w *web) cookieName(name string) string {
	if w.public.Scheme == "https" {
		return hostPrefix + name
	}
	return name
}

func (w *web) cookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // G124: Secure is off on plain http alone, which is loopback
		Name: w.cookieName(name), Value: value, Path: "/", MaxAge: seconds,
		Secure: w.public.Scheme == "https", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// loggedIn is the cookie of a new session.
func (w *web) loggedIn(secret tenant.Secret) *http.Cookie {
	return w.cookie(sessionCookie, secret.Reveal(), int(tenant.LoginLife.Seconds()))
}

func (w *web) loggedOut() *http.Cookie { return w.cookie(sessionCookie, "", -1) }

// session finds who sent a request: nobody where there is no cookie, or one whose session is over.
func (w *web) session(r *http.Request) (*tenant.Principal, error) {
	cookie, err := r.Cookie(w.cookieName(sessionCookie))
	if err != nil || cookie.Value == "" {
		return nil, nil //nolint:nilnil // nobody is no error: most of the pages before the login are for him
	}
	p, err := w.people.Principal(r.Context(), tenant.Secret(cookie.Value))
	if errors.Is(err, &tenant.Error{Code: tenant.CodeUnauthorized}) {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// visitor is who calls the API from the console's own pages: a person with his seats, and an operator where
// the call is in no tenant.
func (w *web) visitor(r *http.Request, write, inTenant bool) (tenant.Actor, error) {
	p, err := w.session(r)
	if err != nil {
		return tenant.Actor{}, err
	}
	if p == nil || w.open {
		return tenant.Actor{}, tenant.Errorf(tenant.CodeUnauthorized, "send the operator's token or an API key as Authorization: Bearer, or log in to the console")
	}
	if write {
		if err := w.sameOrigin(r); err != nil {
			return tenant.Actor{}, err
		}
	}
	if p.Profile.Operator && !inTenant {
		return p.Operator()
	}
	return p.Actor(), nil
}

// A flash is what the page behind a redirect says was done. It waits in a cookie for a minute.
func (w *web) flashCookie(said string) *http.Cookie {
	return w.cookie(flashCookie, base64.RawURLEncoding.EncodeToString([]byte(said)), 60)
}

func (w *web) takeFlash(out http.ResponseWriter, q *request) string {
	if q.fromHTMX() {
		return ""
	}
	cookie, err := q.Cookie(w.cookieName(flashCookie))
	if err != nil {
		return ""
	}
	http.SetCookie(out, w.cookie(flashCookie, "", -1))
	said, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return ""
	}
	return string(said)
}

// onceField makes a form count once: its word and what was typed are claimed like an Idempotency-Key, and a
// second send waits for the first, and leads to where that one led.
const onceField = "once"

// maxOnce is the longest word of a form, in bytes.
const maxOnce = 64

const (
	saidBefore  = "That was done already."
	shownBefore = "That was done already; what is shown once is not shown again. If you did not see it, make another and remove this one."
)

func (w *web) once(q *request, do func(*request) (outcome, error)) (outcome, error) {
	word := q.PostFormValue(onceField)
	if word == "" || q.who == nil {
		return do(q)
	}
	if len(word) > maxOnce {
		return outcome{}, tenant.Errorf(tenant.CodeInvalid, "the form is not one of this page's; open the page again")
	}
	request := sha256.Sum256([]byte(q.URL.RequestURI() + "\n" + q.PostForm.Encode()))
	key := "form " + base64.RawURLEncoding.EncodeToString(request[:])
	mine, before, err := w.c.answers.await(q.Context(), q.actor().String(), key, request[:])
	if err != nil {
		return outcome{}, err
	}
	if before != nil {
		return outcome{to: string(before.body), said: map[int]string{http.StatusSeeOther: saidBefore, http.StatusOK: shownBefore}[before.status]}, nil
	}
	done, err := do(q)
	if err != nil || done.view != nil && done.status >= http.StatusBadRequest {
		return done, errors.Join(err, w.c.answers.release(q.Context(), mine))
	}
	kept := answer{status: http.StatusSeeOther, body: []byte(done.to)}
	if done.view != nil { // what is shown once is not kept; to says where it belongs
		kept.status = http.StatusOK
	}
	return done, w.c.answers.keep(q.Context(), mine, kept)
}

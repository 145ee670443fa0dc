package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

func TestFromTheFirstLinkToATenant(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpClosed)
	link, _, err := s.people.FirstOperator(t.Context())
	s.must(err)
	b := s.surfer()
	b.shows("signing up without a link", b.get("/join"), http.StatusForbidden, "needs a link")
	b.shows("the page of the link", b.get("/join?link"), http.StatusOK, `data-secret`)
	b.shows("what the link is for", b.post("/join/info", "link", link.Reveal()), http.StatusOK, "become an <strong>operator</strong>")
	b.shows("what no link is for", b.post("/join/info", "link", "nonsense"), http.StatusOK, "was used, has expired")
	wrong := b.post("/join?link", "link", link.Reveal(), "email", "nothing", "name", "Ada", "password", "s3cret!")
	b.shows("wrong fields", wrong, http.StatusUnprocessableEntity, "Must be an e-mail address", "Must be 8 characters", `value="nothing"`, `value="Ada"`)
	b.shows("nothing of what was typed as a password", wrong, http.StatusUnprocessableEntity)
	if strings.Contains(wrong.body, "s3cret!") {
		t.Errorf("got a page with the password that was typed:\n%s", wrong.body)
	}
	home := b.goes("sign up", b.post("/join?link", "link", link.Reveal(), "email", "op@example.com", "password", password), "/")
	b.shows("the first page", home, http.StatusOK, "op@example.com", "Make your first tenant")
	other := s.surfer()
	other.shows("the link again", other.post("/join?link", "link", link.Reveal(), "email", "eve@example.com", "password", password), http.StatusNotFound, "was used")
	if strings.Contains(s.log.String(), link.Reveal()) || strings.Contains(s.log.String(), b.cookies[sessionCookie]) {
		t.Error("got the link's or the session's secret in the log, want neither")
	}
}

// CON-06, CON-07
func TestLoginIsUniformAndThrottled(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	s.join("", "ada@example.com")
	try := func(email, password string) reply {
		b := s.surfer()
		return b.post("/login", "email", email, "password", password)
	}
	page := func(r reply, email string) string { return strings.ReplaceAll(r.uniform(), email, "") }
	wrong, nobody := try("ada@example.com", "wrong"), try("eve@example.com", "wrong")
	if wrong.status != http.StatusUnauthorized || nobody.status != wrong.status || page(wrong, "ada@example.com") != page(nobody, "eve@example.com") {
		t.Errorf("got %d and %d, want the same answer to a wrong password and an unknown address", wrong.status, nobody.status)
	}
	for range wrongPerPerson - 1 {
		try("ada@example.com", "wrong")
	}
	limited := try("ada@example.com", password)
	if limited.status != http.StatusTooManyRequests || limited.header.Get("Retry-After") == "" {
		t.Errorf("the right password behind too many wrong ones: got %d, want 429 with Retry-After", limited.status)
	}
	s.web.throttle.now = func() time.Time { return time.Now().Add(time.Minute) }
	if got := try("ada@example.com", password); got.status != http.StatusSeeOther {
		t.Errorf("a minute later: got %d, want 303", got.status)
	}
	s.web.throttle.now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	for range wrongPerPerson { // from elsewhere
		s.web.throttle.try("ada@example.com", "203.0.113.9")
	}
	if got := try("ada@example.com", password); got.status != http.StatusSeeOther {
		t.Errorf("from where she logged in before, while others guess: got %d, want 303", got.status)
	}
}

// CON-02: a session ends with a new login, and with its logout.
func TestLoginRenewsTheSessionAndLogoutEndsIt(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.join("", "ada@example.com")
	before := b.cookies[sessionCookie]
	b.goes("log in again", b.post("/login?next=/account", "email", "ADA@example.com ", "password", password), "/account")
	if b.cookies[sessionCookie] == before {
		t.Error("got the session from before the login, want another")
	}
	old := s.surfer()
	old.cookies[sessionCookie] = before
	old.goes("the old session", old.get("/account"), "/login?next=%2Faccount")
	late := s.surfer()
	late.cookies[sessionCookie] = b.cookies[sessionCookie]
	b.shows("the page behind the logout", b.goes("log out", b.post("/logout"), "/login"), http.StatusOK, "logged out")
	late.goes("the session after its logout", late.get("/account"), "/login?next=%2Faccount")
}

func TestAnExpiredSessionLeadsBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.owner("acme")
	b.get("/tenants/new")
	b.cookies = map[string]string{}
	b.goes("a page", b.send(http.MethodGet, "/t/acme?x=1", ""), "/login?next=%2Ft%2Facme%3Fx%3D1")
	b.last = "/tenants/new"
	got := b.post("/tenants/new", "name", "Two")
	b.goes("a form", got, "/login?next=%2Ftenants%2Fnew")
	b.goes("the login", b.post("/login?next=%2Ftenants%2Fnew", "email", "acme-owner@example.com", "password", password), "/tenants/new")
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "evil", "javascript:alert(1)"} {
		got := b.post("/login?next="+next, "email", "acme-owner@example.com", "password", password)
		if to := got.header.Get("Location"); to != "/" {
			t.Errorf("a login that would lead to %s: got %q, want /", next, to)
		}
	}
}

// TestEveryRouteLeadsBackFromTheLogin takes the routes as they are: whose session is over logs in, and comes back to
// the page, or to the page with the form that he sent.
func TestEveryRouteLeadsBackFromTheLogin(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, r := range w.web.routes {
		if r.who == anybody {
			continue
		}
		path := w.path.Replace(r.path)
		want := path
		b := w.surfer()
		b.cookies[sessionCookie] = "a session that is over"
		if r.method == http.MethodPost {
			b.last = "/t/acme/users?query=a&after=b"
			want = b.last
		}
		for _, htmx := range []string{"", "true"} {
			got := b.send(r.method, path, "", "HX-Request", htmx)
			to, status := got.header.Get("Location"), http.StatusSeeOther
			if htmx != "" {
				to, status = got.header.Get("HX-Redirect"), http.StatusNoContent
			}
			login, err := url.Parse(to)
			w.must(err)
			if got.status != status || login.Path != "/login" || login.Query().Get("next") != want && htmx == "" {
				t.Errorf("%s %s (htmx %q): got %d to %q, want the login and then %s", r.method, path, htmx, got.status, to, want)
			}
			if htmx != "" {
				continue
			}
			next := w.surfer().post(to, "email", "acme-owner@example.com", "password", password)
			if back := next.header.Get("Location"); next.status != http.StatusSeeOther || back != want {
				t.Errorf("%s %s: got %d to %q behind the login, want %s", r.method, path, next.status, back, want)
			}
		}
	}
}

func (s *site) count(sql string) (n int) {
	s.t.Helper()
	s.must(s.pool.QueryRow(s.t.Context(), sql).Scan(&n))
	return n
}

// CON-11
func TestHeadersAreOnEveryAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.surfer()
	for _, path := range []string{"/login", "/nothing", "/", "/static/x/app.js", "/t/none", "//login"} {
		got := b.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cache-Control": "no-store", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if !strings.Contains(got.header.Get(name), want) {
				t.Errorf("%s: got %s %q, want %q", path, name, got.header.Get(name), want)
			}
		}
		if csp := got.header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") {
			t.Errorf("%s: got %q, want nothing unsafe", path, csp)
		}
	}
}

// CON-03
func TestCookies(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	s.join("", "ada@example.com")
	b := s.surfer()
	got := b.post("/login", "email", "ada@example.com", "password", password)
	on := strings.Join(got.header.Values("Set-Cookie"), "\n")
	for _, want := range []string{"parley-session=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(on, want) {
			t.Errorf("on loopback: got %q, want %s", on, want)
		}
	}
	secure, err := newWeb(s.web.c, WebConfig{People: s.people, PublicURL: "https://chat.example.com"})
	s.must(err)
	c := secure.loggedIn("x")
	if !c.Secure || !c.HttpOnly || c.Name != "__Host-parley-session" || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("on https: got %+v, want a __Host- cookie that is Secure and HttpOnly", c)
	}
	open, err := newWeb(s.web.c, WebConfig{People: s.people, PublicURL: "http://chat.example.com"})
	s.must(err)
	if !open.open {
		t.Error("plain http that isn't loopback: got a console that lets people log in, want none")
	}
}

func TestAFormCountsOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.join("", "ada@example.com")
	word := onceOf(t, b.get("/tenants/new"))
	for range 2 {
		b.goes("send", b.post("/tenants/new", "name", "Acme", "timezone", "UTC", "once", word), "/t/acme/connect")
	}
	if n := s.count("SELECT count(*) FROM tenants"); n != 1 {
		t.Errorf("got %d tenants, want 1", n)
	}
	b.goes("back, and something else typed", b.post("/tenants/new", "name", "Second", "timezone", "UTC", "once", word), "/t/second/connect")
	b.shows("a long word", b.post("/tenants/new", "name", "Third", "timezone", "UTC", "once", strings.Repeat("w", 65)), http.StatusUnprocessableEntity, "open the page again")
	b.shows("a mistake", b.post("/tenants/new", "name", "Other", "timezone", "Nowhere", "once", "w2"), http.StatusUnprocessableEntity, "IANA")
	b.goes("and its correction", b.post("/tenants/new", "name", "Other", "timezone", "UTC", "once", "w2"), "/t/other/connect")
}

func TestAccountEndsSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.join("", "ada@example.com")
	other := s.surfer()
	other.post("/login", "email", "ada@example.com", "password", password)
	eve := s.join("", "eve@example.com")
	id := other.principal().Login.ID
	eve.post("/account/logins/" + id + "/end")
	if n := s.count("SELECT count(*) FROM logins"); n != 3 {
		t.Errorf("another person ends a session: got %d sessions, want all 3", n)
	}
	b.shows("the list", b.get("/account"), http.StatusOK, "this one", "/account/logins/"+id+"/end")
	b.goes("end it", b.post("/account/logins/"+id+"/end"), "/account")
	other.goes("the session that was ended", other.get("/account"), "/login?next=%2Faccount")

	b.shows("a wrong old password", b.post("/account/password", "old", "wrong", "password", "battery staple"), http.StatusUnprocessableEntity, "Is not your password")
	old := b.cookies[sessionCookie]
	b.goes("another password", b.post("/account/password", "old", password, "password", "battery staple"), "/account")
	if slices.Contains([]string{"", old}, b.cookies[sessionCookie]) {
		t.Error("got the session from before the password, want a new one")
	}
}

func TestRecoveryByLink(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	op := s.operator()
	s.join("", "ada@example.com")
	link, err := s.people.RecoveryLink(t.Context(), op.principal(), "ada@example.com")
	s.must(err)
	b := s.surfer()
	b.shows("the page", b.get("/recover"), http.StatusOK, "data-secret")
	b.shows("too short", b.post("/recover", "link", link.Reveal(), "password", "short"), http.StatusUnprocessableEntity, "Must be 8")
	b.goes("set it", b.post("/recover", "link", link.Reveal(), "password", "battery staple"), "/")
	b.shows("the link again", b.post("/recover", "link", link.Reveal(), "password", "battery staple"), http.StatusNotFound, "was used")
}

// CON-07, CON-08: strangers who guess links are slowed, and keep nobody else from using his.
func TestGuessedLinksSlowOnlyWhoGuesses(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpClosed)
	link, _, err := s.people.FirstOperator(t.Context())
	s.must(err)
	now := time.Now()
	s.web.throttle.now = func() time.Time { return now }
	for range wrongPerAddress {
		if !s.web.throttle.try(nobody, "203.0.113.9") {
			t.Fatal("a guess within the bound: got refused, want let through")
		}
	}
	if s.web.throttle.try(nobody, "203.0.113.9") {
		t.Error("one guess more: got let through, want refused")
	}
	b := s.surfer()
	b.goes("the link from elsewhere", b.post("/join?link", "link", link.Reveal(), "email", "op@example.com", "password", password), "/")
	for range wrongPerAddress {
		b.post("/join/info", "link", "nonsense")
	}
	b.shows("a guess too many", b.post("/join?link", "link", "nonsense", "email", "eve@example.com", "password", password), http.StatusTooManyRequests, "Too many wrong tries")
	if n := s.count("SELECT count(*) FROM people"); n != 1 {
		t.Errorf("got %d people, want the one whose link was good", n)
	}
}

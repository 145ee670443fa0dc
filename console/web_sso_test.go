package console

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"parley/tenant"
)

// A guest is somebody whom the provider knows. change forges what it says of them.
type guest struct {
	mockoidc.MockUser
	change func(claims jwt.MapClaims)
}

func (g *guest) Claims(_ []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	c := jwt.MapClaims{
		"iss": base.Issuer, "aud": []string(base.Audience), "sub": g.Subject, "exp": base.ExpiresAt.Unix(), "iat": base.IssuedAt.Unix(),
		"nonce": base.Nonce, "email": g.Email, "email_verified": g.EmailVerified, "name": "Ada Lovelace",
	}
	if g.change != nil {
		g.change(c)
	}
	return c, nil
}

func ada() *guest {
	return &guest{MockUser: mockoidc.MockUser{Subject: "ada-1", Email: "Ada@Example.com", EmailVerified: true}}
}

// A provided site has a login provider.
type provided struct {
	*site
	at *mockoidc.MockOIDC
}

func newProvided(t *testing.T, policy tenant.SignUp) *provided {
	t.Helper()
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return &provided{newSiteWith(t, policy, "localhost", &SSOConfig{Issuer: m.Issuer(), ClientID: m.ClientID, ClientSecret: tenant.Secret(m.ClientSecret), HTTP: client}), m}
}

// goes is where a browser is sent that begins a login, changed by edit.
func (p *provided) begins(b *surfer, edit func(url.Values)) string {
	p.t.Helper()
	return p.beginsAt(b, "/login/sso?next=/account", edit)
}

func (p *provided) beginsAt(b *surfer, path string, edit func(url.Values)) string {
	p.t.Helper()
	got := b.get(path)
	to, err := url.Parse(got.header.Get("Location"))
	p.must(err)
	if got.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), p.at.AuthorizationEndpoint()) {
		p.t.Fatalf("got %d to %s, want the provider\n%s", got.status, to, got.body)
	}
	q := to.Query()
	if edit != nil {
		edit(q)
	}
	to.RawQuery = q.Encode()
	return to.String()
}

// comesBack logs a guest in at the provider and returns the path at the console that they come back to.
func (p *provided) comesBack(at string, who *guest) string {
	p.t.Helper()
	p.at.QueueUser(who)
	res, err := http.DefaultTransport.RoundTrip(must(http.NewRequestWithContext(p.t.Context(), http.MethodGet, at, nil)))
	p.must(err)
	p.must(res.Body.Close())
	back, err := url.Parse(res.Header.Get("Location"))
	p.must(err)
	if back.Scheme+"://"+back.Host != p.url || back.Path != "/login/sso/return" {
		p.t.Fatalf("got back to %s, want the console", back)
	}
	return back.RequestURI()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (p *provided) arrives(b *surfer, who *guest) reply {
	p.t.Helper()
	return b.get(p.comesBack(p.begins(b, nil), who))
}

func TestPeopleLogInByTheProvider(t *testing.T) {
	t.Parallel()
	p := newProvided(t, tenant.SignUpOpen)
	b := p.surfer()
	b.shows("the login", b.get("/login?next=/account"), http.StatusOK, "Log in with 127.0.0.1", `href="/login/sso?next=%2Faccount"`)
	page := b.goes("a new person", p.arrives(b, ada()), "/account")
	b.shows("who it is", page, http.StatusOK, "Ada Lovelace", "ada@example.com", "Set a password")
	if !b.principal().Profile.Founder {
		t.Error("got somebody who may not make tenants where everybody may sign up, want that they may")
	}
	moved := ada()
	moved.Email = "countess@example.com"
	other := p.surfer()
	other.shows("the same person with another address", other.goes("again", p.arrives(other, moved), "/account"), http.StatusOK, "ada@example.com")
	if people, logins := p.count("SELECT count(*) FROM people"), p.count("SELECT count(*) FROM audit WHERE action = 'person.login' AND after->>'method' = 'provider'"); people != 1 || logins != 2 {
		t.Errorf("got %d people and %d entries of their logins, want 1 and 2", people, logins)
	}
	b.goes("a password too", b.post("/account/password", "password", "battery staple"), "/account")
	word := p.surfer()
	word.goes("log in with it", word.post("/login", "email", "ada@example.com", "password", "battery staple"), "/")
	if log := p.log.String(); strings.Contains(log, "code=") || strings.Contains(log, "eyJ") {
		t.Error("got a code or a token in the log")
	}
}

func TestWhoComesBackMustHaveBegunHere(t *testing.T) {
	t.Parallel()
	p := newProvided(t, tenant.SignUpOpen)
	refuse := func(name string, b *surfer, got reply, text string) {
		t.Helper()
		b.shows(name, got, http.StatusUnauthorized, text)
		if b.cookies[sessionCookie] != "" {
			t.Errorf("%s: got a session", name)
		}
	}
	const elsewhere, unconfirmed = "not begun in this browser", "did not confirm who you are"
	b, eve := p.surfer(), p.surfer()
	back := p.comesBack(p.begins(eve, nil), ada())
	refuse("a browser that began nothing", b, b.get(back), elsewhere)
	p.begins(b, nil)
	refuse("another's way back", b, b.get(back), elsewhere)
	refuse("no state", b, func() reply { p.begins(b, nil); return b.get("/login/sso/return?code=x") }(), elsewhere)
	refuse("neither state nor cookie", b, p.surfer().get("/login/sso/return?code=x&state="), elsewhere)
	eve.goes("the good twin", eve.get(back), "/account")
	spent := p.surfer()
	refuse("the way back again", spent, spent.get(back), elsewhere)

	refuse("a token for another login", b, b.get(p.comesBack(p.begins(b, func(q url.Values) { q.Set("nonce", "another") }), ada())), unconfirmed)
	refuse("a token without a nonce", b, b.get(p.comesBack(p.begins(b, func(q url.Values) { q.Del("nonce") }), ada())), unconfirmed)
	refuse("a code for another verifier", b, b.get(p.comesBack(p.begins(b, func(q url.Values) { q.Set("code_challenge", strings.Repeat("A", 43)) }), ada())), unconfirmed)
	state := func() string { return must(url.Parse(p.begins(b, nil))).Query().Get("state") }
	refuse("a code of nobody", b, b.get("/login/sso/return?code=nonsense&state="+state()), unconfirmed)
	refuse("a refusal", b, b.get("/login/sso/return?error=access_denied&state="+state()), "it was refused there")
	refuse("anybody's text", b, b.get("/login/sso/return?error=call+555&state="+state()), "it does not say why")
	for name, change := range map[string]func(c jwt.MapClaims){
		"another issuer":                    func(c jwt.MapClaims) { c["iss"] = "https://evil.example" },
		"another client":                    func(c jwt.MapClaims) { c["aud"] = "another" },
		"given to another client":           func(c jwt.MapClaims) { c["aud"], c["azp"] = []string{p.at.ClientID, "another"}, "another" },
		"of two clients, given to nobody":   func(c jwt.MapClaims) { c["aud"] = []string{p.at.ClientID, "another"} },
		"over":                              func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() },
		"for this client, given to another": func(c jwt.MapClaims) { c["azp"] = "another" },
	} {
		forged := ada()
		forged.change = change
		p.web.throttle = newThrottle()
		refuse(name, b, p.arrives(b, forged), unconfirmed)
	}
	if n := p.count("SELECT count(*) FROM logins"); n != 1 {
		t.Errorf("got %d sessions, want the good twin's", n)
	}
	for range wrongPerAddress {
		b.get("/login/sso/return?code=nonsense&state=" + state())
	}
	b.shows("too many", b.get("/login/sso/return?code=nonsense&state="+state()), http.StatusTooManyRequests, "Too many wrong tries")
}

func TestWhoMayJoinByTheProvider(t *testing.T) {
	t.Parallel()
	for _, policy := range []tenant.SignUp{tenant.SignUpInvite, tenant.SignUpClosed} {
		p := newProvided(t, policy)
		b := p.surfer()
		b.shows("a stranger", p.arrives(b, ada()), http.StatusForbidden, "signing up needs a link")
		if n := p.count("SELECT count(*) FROM people"); n != 0 {
			t.Errorf("%s: got %d people, want none", policy, n)
		}
		op := p.operator()
		boss := &guest{MockUser: mockoidc.MockUser{Subject: "op-1", Email: "op@example.com", EmailVerified: true}}
		b.goes("who has an account", p.arrives(b, boss), "/account")
		op.goes("whose other session has ended", op.get("/account"), "/login?next=%2Faccount")
	}
}

// Several tabs come back from the provider at once: of somebody who is new, and of the owner of an account.
func TestManyComeBackAtOnce(t *testing.T) {
	t.Parallel()
	p := newProvided(t, tenant.SignUpOpen)
	thief := p.withPasskey("eve@example.com")
	eve := &guest{MockUser: mockoidc.MockUser{Subject: "eve-1", Email: "eve@example.com", EmailVerified: true}}
	for _, who := range []*guest{ada(), eve} {
		tabs, backs := make([]*surfer, 8), make([]string, 8)
		for i := range tabs {
			tabs[i] = p.surfer()
			backs[i] = p.comesBack(p.begins(tabs[i], nil), who)
		}
		replies := make([]reply, len(tabs))
		var wg sync.WaitGroup
		for i, b := range tabs {
			wg.Go(func() { replies[i] = b.get(backs[i]) })
		}
		wg.Wait()
		for i, b := range tabs {
			b.goes("a tab", replies[i], "/account")
			b.shows("is logged in", b.get("/account"), http.StatusOK, strings.ToLower(who.Email))
		}
	}
	thief.goes("the thief's session", thief.get("/account"), "/login?next=%2Faccount")
	if people, identities := p.count("SELECT count(*) FROM people"), p.count("SELECT count(*) FROM person_identities"); people != 2 || identities != 2 {
		t.Errorf("got %d people with %d identities, want 2 with one each", people, identities)
	}
}

// Who is invited, and logs in by the provider, is where they were invited to.
func TestAnInvitationByTheProvider(t *testing.T) {
	t.Parallel()
	p := newProvided(t, tenant.SignUpInvite)
	boss := p.operator()
	boss.goes("make a tenant", boss.post("/tenants/new", "name", "acme", "id", "acme", "timezone", "UTC"), "/t/acme/connect")
	invite := func(role string) string {
		secret, _, err := p.people.Invite(t.Context(), boss.principal().Actor(), "acme", role)
		p.must(err)
		return secret.Reveal()
	}
	goes := func(b *surfer, link string, who *guest) reply {
		b.shows("the link", b.post("/join/info", "link", link), http.StatusOK, "You are invited to", `href="/login/sso?link"`, "Join with 127.0.0.1")
		return b.get(p.comesBack(p.beginsAt(b, "/login/sso?link", nil), who))
	}
	b, link := p.surfer(), invite("moderator")
	b.goes("a new person", goes(b, link, ada()), "/")
	b.shows("their tenants", b.get("/"), http.StatusOK, "acme", "moderator")
	if who := b.principal(); who.Profile.Founder || who.Profile.Operator || who.Profile.Email != "ada@example.com" {
		t.Errorf("got %+v, want a person with a seat alone", who.Profile)
	}
	b.shows("the link is used", p.surfer().post("/join/info", "link", link), http.StatusOK, "was used")

	// The link waits for its own way to the provider, and for no other.
	eve := &guest{MockUser: mockoidc.MockUser{Subject: "eve-1", Email: "eve@example.com", EmailVerified: true}}
	other, second := p.surfer(), invite("viewer")
	other.post("/join/info", "link", second)
	other.shows("a stranger by the plain login", p.arrives(other, eve), http.StatusForbidden, "signing up needs a link")
	other.shows("who lost the link on the way", other.get(p.comesBack(p.beginsAt(other, "/login/sso?link", nil), eve)), http.StatusForbidden, "signing up needs a link")

	known := &guest{MockUser: mockoidc.MockUser{Subject: "eve-1", Email: "eve@example.com", EmailVerified: true}}
	founder, _, err := p.people.OperatorLink(t.Context(), boss.principal(), tenant.LinkFounder)
	p.must(err)
	other = p.surfer()
	other.shows("another kind of link", other.post("/join/info", "link", founder.Reveal()), http.StatusOK, "tenants of your own", "Join with")
	other.goes("a founder", other.get(p.comesBack(p.beginsAt(other, "/login/sso?link", nil), known)), "/")
	again := p.surfer()
	again.goes("who has an account", goes(again, second, known), "/t/acme")
	third := invite("admin")
	again = p.surfer()
	again.shows("who works there already", again.goes("is logged in", goes(again, third, known), "/"), http.StatusOK, "You work for this tenant already")
	again.shows("and the link is left", p.surfer().post("/join/info", "link", third), http.StatusOK, "as <strong>admin</strong>")
	if n := p.count("SELECT count(*) FROM people WHERE email IN ('ada@example.com', 'eve@example.com')"); n != 2 {
		t.Errorf("got %d people, want the two", n)
	}
}

// Somebody signs up with an address that is not theirs, and waits until its owner comes by the provider.
func TestTheOwnerOfAnAddressTakesItsAccountOver(t *testing.T) {
	t.Parallel()
	p := newProvided(t, tenant.SignUpOpen)
	op := p.operator()
	thief := p.withPasskey("ada@example.com")
	codes := thief.codes()
	link, err := p.people.RecoveryLink(t.Context(), op.principal(), "ada@example.com")
	p.must(err)

	for name, change := range map[string]func(c jwt.MapClaims){
		"not verified":         func(c jwt.MapClaims) { c["email_verified"] = false },
		"nothing of it":        func(c jwt.MapClaims) { delete(c, "email_verified") },
		"verified as a number": func(c jwt.MapClaims) { c["email_verified"] = 1 },
		"no address":           func(c jwt.MapClaims) { delete(c, "email") },
	} {
		b, who := p.surfer(), ada()
		who.change = change
		b.shows(name, p.arrives(b, who), http.StatusForbidden, "has not verified your e-mail address")
	}
	thief.shows("the account is as it was", thief.get("/account"), http.StatusOK, "my phone")

	b := p.surfer()
	mine := ada()
	mine.change = func(c jwt.MapClaims) { c["email_verified"] = "true" } // as some providers write it
	b.shows("it is hers", b.goes("the owner", p.arrives(b, mine), "/account"), http.StatusOK, "work no more", "Set a password", "You have none")
	thief.goes("the thief's session", thief.get("/account"), "/login?next=%2Faccount")
	out := p.surfer()
	out.shows("the thief's password", out.post("/login", "email", "ada@example.com", "password", password), http.StatusUnauthorized)
	out.shows("an empty password", out.post("/login", "email", "ada@example.com", "password", ""), http.StatusUnauthorized)
	out.shows("the thief's passkey", thief.at(out).logsIn(), http.StatusUnauthorized)
	out.shows("the thief's code", out.recovers("ada@example.com", codes[0], "battery staple"), http.StatusUnauthorized)
	out.shows("the thief's link", out.post("/recover", "link", link.Reveal(), "password", "battery staple"), http.StatusNotFound)
	if n := p.count("SELECT count(*) FROM audit WHERE action = 'person.link' AND object = 'person:ada@example.com'"); n != 1 {
		t.Errorf("got %d entries of the link, want 1", n)
	}

	next := ada() // to whom the provider gave the address later
	next.Subject = "ada-2"
	out.shows("another who has the address", p.arrives(out, next), http.StatusConflict, "belongs to another account")
	p.web.throttle = newThrottle()
	op.shows("the operator's page", op.get("/operator/people"), http.StatusOK, "Part from the login provider")
	op.goes("part them", op.post("/operator/people/unlink", "email", "ada@example.com"), "/operator/people")
	b.goes("which ends her sessions", b.get("/account"), "/login?next=%2Faccount")
	op.shows("who has no link", op.post("/operator/people/unlink", "email", "ada@example.com"), http.StatusNotFound)
	out.goes("now it is theirs", p.arrives(out, next), "/account")
}

func TestASessionWithoutAPasswordMustBeFreshToSetOne(t *testing.T) {
	t.Parallel()
	p := newProvided(t, tenant.SignUpOpen)
	b := p.surfer()
	b.goes("log in", p.arrives(b, ada()), "/account")
	_, err := p.pool.Exec(t.Context(), "UPDATE logins SET created_at = created_at - interval '11 minutes'")
	p.must(err)
	for _, path := range []string{"/account/password", "/account/recovery-codes", "/account/passkeys/challenge"} {
		b.shows(path, b.post(path, "password", "battery staple"), http.StatusForbidden, "log in again")
	}
	b.goes("log in again", p.arrives(b, ada()), "/account")
	b.goes("a password", b.post("/account/password", "password", "battery staple"), "/account")
}

func TestAProviderThatIsAwayKeepsNobodyElseOut(t *testing.T) {
	t.Parallel()
	p := newProvided(t, tenant.SignUpOpen)
	p.at.QueueError(&mockoidc.ServerError{Code: http.StatusInternalServerError, Error: "down"})
	b := p.surfer()
	b.shows("the provider", b.get("/login/sso"), http.StatusServiceUnavailable, "login provider does not answer")
	b.goes("when it is back", p.arrives(b, ada()), "/account")
	none := newSite(t, tenant.SignUpOpen).surfer()
	none.shows("a console without one", none.get("/login/sso"), http.StatusNotFound)
	none.shows("its way back", none.get("/login/sso/return?code=x&state=x"), http.StatusNotFound)
	if page := none.get("/login"); strings.Contains(page.body, "/login/sso") {
		t.Error("got a link to a provider, want none")
	}
}

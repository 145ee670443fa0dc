package console

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"parley/tenant"
)

// A device is an authenticator with one passkey, of whoever has it.
type device struct {
	*surfer
	site virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

// keyOfDevice is one whose coordinates fill their bytes: the stand-in leaves zeros at their beginning out,
// which no authenticator does.
func keyOfDevice(t testing.TB) virtualwebauthn.Credential {
	t.Helper()
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if point[1] != 0 && point[33] != 0 { // behind the mark of an uncompressed one
			return virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, encoded)
		}
	}
}

func (b *surfer) device() *device {
	b.t.Helper()
	at, err := url.Parse(b.url)
	b.must(err)
	d := &device{
		surfer: b, site: virtualwebauthn.RelyingParty{ID: at.Hostname(), Name: "Parley", Origin: b.url},
		auth: virtualwebauthn.NewAuthenticator(), key: keyOfDevice(b.t),
	}
	return d
}

// at is the device at another browser.
func (d device) at(b *surfer) *device {
	d.surfer = b
	return &d
}

// creates has the device make its passkey for whoever is logged in, and returns what it answers.
func (d *device) creates(fields ...string) string {
	d.t.Helper()
	got := d.post("/account/passkeys/challenge", fields...)
	asked, err := virtualwebauthn.ParseAttestationOptions(got.body)
	if err != nil {
		d.t.Fatalf("got %d %s, want what to ask an authenticator", got.status, got.body)
	}
	d.auth.Options.UserHandle = []byte(asked.UserID)
	return virtualwebauthn.CreateAttestationResponse(d.site, d.auth, d.key, *asked)
}

// signs has the device sign a login's challenge.
func (d *device) signs() string {
	d.t.Helper()
	got := d.post("/login/passkey/challenge")
	asked, err := virtualwebauthn.ParseAssertionOptions(got.body)
	if err != nil {
		d.t.Fatalf("got %d %s, want what to ask an authenticator", got.status, got.body)
	}
	d.key.Counter++
	return virtualwebauthn.CreateAssertionResponse(d.site, d.auth, d.key, *asked)
}

func (d *device) logsIn() reply { return d.post("/login/passkey?next=/account", "answer", d.signs()) }

// withPasskey signs a person up who has a passkey on a device.
func (s *site) withPasskey(email string) *device {
	s.t.Helper()
	d := s.join("", email).device()
	d.goes("add a passkey", d.post("/account/passkeys", "name", "my phone", "answer", d.creates()), "/account")
	return d
}

func TestAPasskeyIsAddedUsedRenamedAndRemoved(t *testing.T) {
	t.Parallel()
	s := newSiteAt(t, tenant.SignUpOpen, "localhost")
	d := s.withPasskey("ada@example.com")
	d.shows("the page", d.get("/account"), http.StatusOK, "my phone", "never")

	new := d.at(s.surfer())
	new.shows("the login", new.get("/login"), http.StatusOK, "Log in with a passkey", "passkey.js", `data-challenge="/login/passkey/challenge"`)
	page := new.goes("log in", new.logsIn(), "/account")
	new.shows("who it is", page, http.StatusOK, "ada@example.com")
	if n := s.count(`SELECT count(*) FROM audit WHERE action = 'person.login' AND after->>'method' = 'passkey'`); n != 1 {
		t.Errorf("got %d entries of a login by passkey, want 1", n)
	}
	word := d.at(s.surfer())
	word.goes("log in with the password too", word.post("/login", "email", "ada@example.com", "password", password), "/")

	id := regexp.MustCompile(`/account/passkeys/(\w+)/remove`).FindStringSubmatch(page.body)[1]
	eve := s.join("", "eve@example.com")
	eve.shows("another renames it", eve.post("/account/passkeys/"+id+"/rename", "name", "x"), http.StatusNotFound)
	eve.shows("another removes it", eve.post("/account/passkeys/"+id+"/remove"), http.StatusNotFound)
	new.shows("a name", new.goes("rename", new.post("/account/passkeys/"+id+"/rename", "name", "<b>"), "/account"), http.StatusOK, "&lt;b&gt;")
	new.goes("remove", new.post("/account/passkeys/"+id+"/remove"), "/account")
	word.goes("the other sessions have ended", word.get("/account"), "/login?next=%2Faccount")
	new.shows("log in with what was removed", new.at(s.surfer()).logsIn(), http.StatusUnauthorized, "does not open an account here")
	new.goes("log in with the password", word.post("/login", "email", "ada@example.com", "password", password), "/")
}

func TestWhatIsNoPasskeyOfTheSiteOpensNothing(t *testing.T) {
	t.Parallel()
	s := newSiteAt(t, tenant.SignUpOpen, "localhost")
	ada, eve := s.withPasskey("ada@example.com"), s.withPasskey("eve@example.com")
	logins := func() int { return s.count("SELECT count(*) FROM logins") }
	before := logins()
	spent := ada.at(s.surfer())
	replayed := spent.signs()
	spent.goes("the good twin", spent.post("/login/passkey", "answer", replayed), "/")
	before++

	forge := func(change func(d *device)) string {
		d := ada.at(s.surfer())
		d.key.Counter = 100
		change(d)
		return d.signs()
	}
	crossed := ada.at(ada.surfer)
	made := func() string { // an answer to a challenge that was for another passkey
		asked, err := virtualwebauthn.ParseAttestationOptions(crossed.post("/account/passkeys/challenge").body)
		s.must(err)
		return virtualwebauthn.CreateAssertionResponse(ada.site, ada.auth, ada.key, virtualwebauthn.AssertionOptions{Challenge: asked.Challenge, RelyingPartyID: "localhost"})
	}
	pages := map[string]bool{}
	for _, c := range []struct{ name, answer string }{
		{"the same answer again", replayed},
		{"another site's origin", forge(func(d *device) { d.site.Origin = "https://evil.example" })},
		{"the origin on another port", forge(func(d *device) { d.site.Origin = "http://localhost:1" })},
		{"another site's id", forge(func(d *device) { d.site.ID = "evil.example" })},
		{"another key under its name", forge(func(d *device) { d.key.Key = eve.key.Key })},
		{"a key that nobody has", forge(func(d *device) { d.key = keyOfDevice(t) })},
		{"another person's handle", forge(func(d *device) { d.auth.Options.UserHandle = eve.auth.Options.UserHandle })},
		{"no handle", forge(func(d *device) { d.auth.Options.UserHandle = nil })},
		{"nobody was verified", forge(func(d *device) { d.auth.Options.UserNotVerified = true })},
		{"nobody was there", forge(func(d *device) { d.auth.Options.UserNotPresent = true })},
		{"it may be on several devices now", forge(func(d *device) { d.auth.Options.BackupEligible = true })},
		{"a counter that stands still", forge(func(d *device) { d.key.Counter = 0 })},
		{"a challenge of ours that was for adding one", made()},
	} {
		b := s.surfer()
		s.web.throttle = newThrottle()
		got := b.post("/login/passkey", "answer", c.answer)
		b.shows(c.name, got, http.StatusUnauthorized, "does not open an account here")
		pages[got.uniform()] = true
	}
	if len(pages) != 1 {
		t.Errorf("got %d different answers, want one for all", len(pages))
	}
	for _, answer := range []string{"", "{}", "null", "x", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, strings.Repeat("[", 10_000)} {
		b := s.surfer()
		b.shows("no answer at all", b.post("/login/passkey", "answer", answer), http.StatusUnprocessableEntity, "no answer of a passkey")
	}
	if after := logins(); after != before {
		t.Errorf("got %d sessions, want %d", after, before)
	}
	if n := s.count("SELECT count(*) FROM audit WHERE action = 'passkey.refuse' AND object = 'person:ada@example.com'"); n != 1 {
		t.Errorf("got %d entries of a passkey that was refused, want one for the counter", n)
	}
}

func TestAddingAPasskeyNeedsThePersonAndTheirSession(t *testing.T) {
	t.Parallel()
	s := newSiteAt(t, tenant.SignUpOpen, "localhost")
	d := s.join("", "ada@example.com").device()
	have := func(want int) {
		t.Helper()
		if n := s.count("SELECT count(*) FROM passkeys"); n != want {
			t.Errorf("got %d passkeys, want %d", n, want)
		}
	}
	eve := s.join("", "eve@example.com")
	d.shows("another's session", eve.post("/account/passkeys", "answer", d.creates()), http.StatusConflict, "took too long")
	for name, change := range map[string]func(d *device){
		"another site":        func(d *device) { d.site.Origin = "https://evil.example" },
		"another site's id":   func(d *device) { d.site.ID = "evil.example" },
		"nobody was verified": func(d *device) { d.auth.Options.UserNotVerified = true },
	} {
		wrong := d.at(d.surfer)
		change(wrong)
		d.shows(name, d.post("/account/passkeys", "answer", wrong.creates()), http.StatusUnprocessableEntity, "no passkey for this site")
	}
	have(0)

	_, err := s.pool.Exec(t.Context(), "UPDATE logins SET created_at = created_at - interval '11 minutes'")
	s.must(err)
	d.shows("the page of a login that is not fresh", d.get("/account"), http.StatusOK, `id="f-password-passkey"`)
	for _, wrong := range []string{"", "wrong"} {
		d.shows("without the password", d.post("/account/passkeys/challenge", "password", wrong), http.StatusUnprocessableEntity, `"error":`, "Is not your password")
	}
	answer := d.creates("password", password)
	d.goes("with it", d.post("/account/passkeys", "answer", answer), "/account")
	d.shows("the same answer again", d.post("/account/passkeys", "answer", answer), http.StatusConflict, "took too long")
	d.shows("the same passkey again", d.post("/account/passkeys", "answer", d.creates("password", password)), http.StatusConflict, "registered already")
	have(1)
	for range 2 * wrongPerPerson { // those from where she logged in before have a count of their own
		d.post("/account/passkeys/challenge", "password", "wrong")
	}
	d.shows("guesses", d.post("/account/passkeys/challenge", "password", "wrong"), http.StatusTooManyRequests, "Too many wrong tries")
}

func TestPasskeysAreThrottledByAddress(t *testing.T) {
	t.Parallel()
	s := newSiteAt(t, tenant.SignUpOpen, "localhost")
	now := time.Now()
	s.web.throttle.now = func() time.Time { return now }
	d := s.withPasskey("ada@example.com")
	for range wrongPerAddress { // good ones cost nothing
		d.goes("log in", d.at(s.surfer()).logsIn(), "/account")
		d.key.Counter++
	}
	for range wrongPerAddress {
		d.post("/login/passkey", "answer", "{}")
	}
	d.shows("an answer too many", d.post("/login/passkey", "answer", "{}"), http.StatusTooManyRequests, "Too many wrong tries")
	got := d.post("/login/passkey/challenge")
	d.shows("a challenge too many", got, http.StatusTooManyRequests, `"error":`)
	if got.header.Get("Retry-After") == "" {
		t.Error("got no Retry-After")
	}
}

func TestWhereThereIsNoHostNameThePageSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.join("", "ada@example.com")
	b.shows("the account", b.get("/account"), http.StatusOK, "Passkeys need a host name", "http://localhost:8080")
	b.shows("a challenge", b.post("/account/passkeys/challenge"), http.StatusConflict, "need a host name")
	b.shows("an answer", b.post("/account/passkeys", "answer", "{}"), http.StatusConflict, "need a host name")
	out := s.surfer()
	if page := out.get("/login"); strings.Contains(page.body, "with a passkey") {
		t.Errorf("got a login with passkeys, want none\n%s", page.body)
	}
	out.shows("a login", out.post("/login/passkey", "answer", "{}"), http.StatusConflict, "need a host name")
	out.shows("a login's challenge", out.post("/login/passkey/challenge"), http.StatusConflict, "need a host name")
}

package console

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

var codeForm = regexp.MustCompile(`[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}`)

// codes makes the ten codes of a person.
func (b *surfer) codes() []string {
	b.t.Helper()
	page := b.post("/account/recovery-codes")
	b.shows("the codes", page, http.StatusOK, "shown once", "parley-recovery-codes.txt")
	all := codeForm.FindAllString(page.body, -1)
	if len(all) != 10 {
		b.t.Fatalf("got %d codes, want 10\n%s", len(all), page.body)
	}
	return all
}

func (b *surfer) recovers(email, code, password string) reply {
	b.t.Helper()
	return b.post("/recover/code", "email", email, "code", code, "password", password)
}

func TestARecoveryCodeSetsAPasswordOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.join("", "ada@example.com")
	b.shows("before", b.get("/account"), http.StatusOK, "You have none")
	codes := b.codes()
	b.shows("after", b.get("/account"), http.StatusOK, "<strong>10</strong> left")

	out := s.surfer()
	out.shows("the way there", out.get("/login"), http.StatusOK, `href="/recover/code"`)
	out.shows("a short password", out.recovers("ada@example.com", codes[0], "short"), http.StatusUnprocessableEntity, "Must be 8")
	typed := " " + strings.ToLower(strings.ReplaceAll(codes[0], "-", " "))
	out.shows("in", out.goes("a code", out.recovers("Ada@Example.com", typed, "battery staple"), "/account"), http.StatusOK, "all other sessions have ended", "<strong>9</strong> left")
	b.goes("the session from before", b.get("/account"), "/login?next=%2Faccount")
	old := s.surfer()
	old.shows("the old password", old.post("/login", "email", "ada@example.com", "password", password), http.StatusUnauthorized)
	old.goes("the new one", old.post("/login", "email", "ada@example.com", "password", "battery staple"), "/")

	again := s.surfer()
	again.shows("the code again", again.recovers("ada@example.com", codes[0], "battery staple 2"), http.StatusUnauthorized)
	fresh := out.codes()
	again.shows("a code from before the new ones", again.recovers("ada@example.com", codes[1], "battery staple 2"), http.StatusUnauthorized)
	again.goes("a new one", again.recovers("ada@example.com", fresh[9], "battery staple 2"), "/account")
	for _, secret := range []string{codes[0], fresh[9], strings.ReplaceAll(fresh[9], "-", "")} {
		if strings.Contains(s.log.String(), secret) {
			t.Error("got a code in the log")
		}
	}
	if n := s.count("SELECT count(*) FROM audit WHERE action = 'person.password' AND after->>'by' = 'recovery code'"); n != 2 {
		t.Errorf("got %d entries of passwords set by a code, want 2", n)
	}
}

// CON-08
func TestRecoveryIsUniformAndThrottled(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	now := time.Now()
	s.web.throttle.now = func() time.Time { return now }
	codes := s.join("", "ada@example.com").codes()
	eves := s.join("", "eve@example.com").codes()
	try := func(email, code string) reply { return s.surfer().recovers(email, code, "battery staple") }
	wrong, nobody, foreign := try("ada@example.com", "AAAA-AAAA-AAAA-AAAA"), try("zed@example.com", codes[0]), try("ada@example.com", eves[0])
	page := func(r reply) string {
		return strings.NewReplacer("ada@example.com", "", "zed@example.com", "").Replace(r.uniform())
	}
	if wrong.status != http.StatusUnauthorized || nobody.status != wrong.status || page(wrong) != page(nobody) || page(wrong) != page(foreign) {
		t.Errorf("got %d, %d and %d, want one answer to a wrong code, an unknown address and another's code", wrong.status, nobody.status, foreign.status)
	}
	for range 2 * wrongPerPerson { // those from where she was before have a count of their own
		try("ada@example.com", "")
	}
	if got := try("ada@example.com", codes[0]); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("a right code behind too many wrong ones: got %d, want 429 with Retry-After", got.status)
	}
	now = now.Add(time.Minute)
	if got := try("ada@example.com", codes[0]); got.status != http.StatusSeeOther {
		t.Errorf("a minute later: got %d, want 303", got.status)
	}
}

func TestNewRecoveryCodesNeedThePerson(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.join("", "ada@example.com")
	word := onceOf(t, b.get("/account"))
	b.shows("once", b.post("/account/recovery-codes", "once", word), http.StatusOK, "shown once")
	b.shows("twice", b.goes("the same form", b.post("/account/recovery-codes", "once", word), "/account"), http.StatusOK, "not shown again")
	_, err := s.pool.Exec(t.Context(), "UPDATE logins SET created_at = created_at - interval '11 minutes'")
	s.must(err)
	b.shows("the page of a login that is not fresh", b.get("/account"), http.StatusOK, `id="f-password-codes"`)
	before := s.count("SELECT count(*) FROM audit")
	b.shows("a wrong password", b.post("/account/recovery-codes", "password", "wrong"), http.StatusUnprocessableEntity, "Is not your password")
	if after := s.count("SELECT count(*) FROM audit"); after != before {
		t.Errorf("got %d changes, want none", after-before)
	}
	b.shows("the right one", b.post("/account/recovery-codes", "password", password), http.StatusOK, "shown once")
}

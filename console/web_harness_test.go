package console

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"parley/internal/pgtest"
	"parley/tenant"
	"parley/tenant/pgstore"
)

// stand stands in for the servers, the streams and the hasher: all they are asked succeeds.
type stand struct {
	tenant.Accounts // what no page asks for
	tenant.Streams
}

func (stand) NewAccount() (string, []tenant.SealedKey, error) {
	a := "A" + rand.Text()
	return a, []tenant.SealedKey{{Account: a, KeyID: a + "-signing", Purpose: "signing", Sealed: []byte("x"), Version: 1}}, nil
}
func (stand) Push(context.Context, tenant.TenantID) error                      { return nil }
func (stand) EnsureShared(context.Context, tenant.Tenant) error                { return nil }
func (stand) Ensure(context.Context, tenant.Tenant, tenant.Class) error        { return nil }
func (stand) Admit(string, tenant.UserID)                                      {}
func (stand) KickAll(context.Context, string) (int, error)                     { return 0, nil }
func (stand) Notify(context.Context, string, tenant.UserID, string, any) error { return nil }
func (stand) Kick(context.Context, string, tenant.UserID, time.Time) (int, error) {
	return 3, nil
}
func (stand) KickProof(context.Context, string, tenant.Proof) (int, error) { return 1, nil }
func (stand) Conform(context.Context, tenant.Tenant) error                 { return nil }
func (stand) Token(context.Context, tenant.Tenant, tenant.UserID, time.Time, time.Time) (tenant.Secret, error) {
	return "the-secret-token", nil
}

func (stand) Creds(context.Context, tenant.TenantID, tenant.UserID) (string, tenant.Secret, error) {
	return ("U" + rand.Text() + rand.Text() + rand.Text())[:56], "the-secret-creds", nil
}

func (s stand) ServiceCreds(ctx context.Context, t tenant.Tenant, u tenant.UserID) (string, tenant.Secret, error) {
	return s.Creds(ctx, t.ID, u)
}

func (stand) Connections(context.Context, string, tenant.UserID) ([]tenant.Connection, error) {
	return []tenant.Connection{{User: "alice", Method: tenant.MethodToken, Address: "192.0.2.7:4000", Server: "N1", Since: time.Now()}}, nil
}

func (stand) Hash(_ context.Context, p tenant.Secret) (tenant.Secret, error) {
	return "hash of " + p, nil
}

func (stand) Matches(_ context.Context, p, hash tenant.Secret) (bool, error) {
	return hash == "hash of "+p, nil
}

// A site is the web console on a port, over a real database.
type site struct {
	t      testing.TB
	url    string
	pool   *pgxpool.Pool
	people *tenant.People
	desk   *tenant.Service
	web    *web
	chat   *fake // what was done to messages
	log    *logBuffer
}

func newSite(t testing.TB, policy tenant.SignUp) *site {
	t.Helper()
	return newSiteWith(t, policy, "127.0.0.1", nil)
}

// newSiteAt has the console believe that it is at a host, which must lead to this machine.
func newSiteAt(t testing.TB, policy tenant.SignUp, host string) *site {
	t.Helper()
	return newSiteWith(t, policy, host, nil)
}

func newSiteWith(t testing.TB, policy tenant.SignUp, host string, sso *SSOConfig) *site {
	t.Helper()
	s := &site{t: t, pool: pgtest.NewPool(t), log: &logBuffer{}}
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	store, err := pgstore.New(pgstore.Config{Pool: s.pool, Logger: log})
	s.must(err)
	s.desk, err = tenant.NewService(tenant.Config{Store: store, Accounts: stand{}, Streams: stand{}, Passwords: stand{}})
	s.must(err)
	s.people, err = tenant.NewPeople(tenant.PeopleConfig{Store: store, Service: s.desk, Passwords: stand{}, SignUp: policy})
	s.must(err)
	srv := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	s.must(err)
	s.url = "http://" + net.JoinHostPort(host, port)
	s.chat = newFake(t)
	api, err := newConsole(Config{
		Service: s.desk, Messages: fakeMessages{s.chat}, Platform: fakePlatform{}, OperatorToken: operatorToken, DB: s.pool, Log: log, Metrics: prometheus.NewRegistry(),
	})
	s.must(err)
	s.web, err = newWeb(api, WebConfig{People: s.people, PublicURL: s.url, NATSURL: "nats://127.0.0.1:4222", WSURL: "ws://127.0.0.1:8443", SSO: sso})
	s.must(err)
	srv.Config = NewServer(beside(api, s.web), slog.New(slog.DiscardHandler))
	srv.Start()
	t.Cleanup(srv.Close)
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// A surfer is a browser without scripts: it keeps cookies, and follows no redirect.
type surfer struct {
	*site
	cookies map[string]string
	last    string // the page that it is on
}

func (s *site) surfer() *surfer { return &surfer{site: s, cookies: map[string]string{}} }

func (b *surfer) send(method, path, body string, headers ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	b.must(err)
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.url)
	}
	if b.last != "" {
		req.Header.Set("Referer", b.url+b.last)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	b.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	b.must(err)
	for _, c := range res.Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

func (b *surfer) get(path string) reply {
	b.t.Helper()
	got := b.send(http.MethodGet, path, "")
	b.last = path
	return got
}

// post sends names and values in turn.
func (b *surfer) post(path string, fields ...string) reply {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send(http.MethodPost, path, form.Encode())
}

// goes wants a redirect and follows it.
func (b *surfer) goes(what string, got reply, to string) reply {
	b.t.Helper()
	if got.status != http.StatusSeeOther || got.header.Get("Location") != to {
		b.t.Fatalf("%s: got %d to %q, want 303 to %q\n%s", what, got.status, got.header.Get("Location"), to, got.body)
	}
	return b.get(to)
}

// shows wants a page with a status and some of its text.
func (b *surfer) shows(what string, got reply, status int, texts ...string) {
	b.t.Helper()
	if got.status != status {
		b.t.Errorf("%s: got %d, want %d\n%s", what, got.status, status, got.body)
	}
	for _, text := range texts {
		if !strings.Contains(got.body, text) {
			b.t.Errorf("%s: got a page without %q\n%s", what, text, got.body)
		}
	}
}

const password = "correct horse"

// join signs a person up by a link (empty: without one).
func (s *site) join(link tenant.Secret, email string) *surfer {
	s.t.Helper()
	secret, err := s.people.Join(s.t.Context(), link, tenant.NewPerson{Email: email, Password: password}, tenant.Browser{})
	s.must(err)
	b := s.surfer()
	b.cookies[sessionCookie] = secret.Reveal()
	return b
}

func (b *surfer) principal() tenant.Principal {
	b.t.Helper()
	p, err := b.people.Principal(b.t.Context(), tenant.Secret(b.cookies[sessionCookie]))
	b.must(err)
	return p
}

// operator signs the first operator up.
func (s *site) operator() *surfer {
	s.t.Helper()
	link, _, err := s.people.FirstOperator(s.t.Context())
	s.must(err)
	return s.join(link, "op@example.com")
}

// owner signs a person up and makes a tenant of his.
func (s *site) owner(id string) *surfer {
	s.t.Helper()
	b := s.join("", id+"-owner@example.com")
	b.goes("make the tenant", b.post("/tenants/new", "name", id, "id", id, "timezone", "UTC"), "/t/"+id+"/connect")
	return b
}

var onceWord = regexp.MustCompile(`name="once" value="([^"]+)"`)

// uniform is a page without the words of its forms, which differ from page to page.
func (r reply) uniform() string { return onceWord.ReplaceAllString(r.body, "") }

// onceOf is the word that makes the first form of a page count once.
func onceOf(t testing.TB, page reply) string {
	t.Helper()
	m := onceWord.FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("got a page without a word that makes its form count once:\n%s", page.body)
	}
	return m[1]
}

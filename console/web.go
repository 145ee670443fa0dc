package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"parley/console/passkey"
	"parley/console/sso"
	"parley/console/ui"
	"parley/tenant"
)

// WebConfig is what the web console needs beside the API's.
type WebConfig struct {
	People    *tenant.People // required
	PublicURL string         // required: where browsers find the console; links are made of it
	NATSURL   string         // for snippets: where programs connect
	WSURL     string         // for snippets and the chat page: where browsers connect
	Live      Live           // nil: pages that wait for a message look now and then
	SSO       *SSOConfig     // nil: people log in by what Parley knows of them alone
}

// Live tells when more messages can be read.
type Live interface {
	Moved(account string, c tenant.Class) <-chan struct{}
}

// web is the console of people: pages made on the server.
type web struct {
	c        *console
	people   *tenant.People
	conf     WebConfig
	public   *url.URL
	open     bool // cookies would travel in the clear: nobody may log in
	mux      *http.ServeMux
	origins  *http.CrossOriginProtection
	throttle *throttle
	routes   []route
	site     *passkey.Site // nil: passkeys can't be made for where the console is
	provider *sso.Provider // nil: there is none
}

func newWeb(c *console, conf WebConfig) (*web, error) {
	public, err := url.Parse(conf.PublicURL)
	if err != nil || public.Host == "" || public.Scheme != "http" && public.Scheme != "https" {
		return nil, fmt.Errorf("console: WebConfig.PublicURL %q is no http address", conf.PublicURL)
	}
	if conf.People == nil {
		return nil, errors.New("console: WebConfig needs People")
	}
	w := &web{
		c: c, people: conf.People, conf: conf, public: public, mux: http.NewServeMux(),
		open:    public.Scheme == "http" && !loopback(public.Hostname()),
		origins: http.NewCrossOriginProtection(), throttle: newThrottle(),
	}
	if err := w.origins.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("console: WebConfig.PublicURL: %w", err)
	}
	if w.site, err = w.newSite(); err != nil {
		return nil, fmt.Errorf("console: WebConfig.PublicURL: %w", err)
	}
	if w.provider, err = w.newProvider(conf.SSO); err != nil {
		return nil, fmt.Errorf("console: WebConfig.SSO: %w", err)
	}
	c.visitor = w.visitor
	w.routes = w.table()
	for _, r := range w.routes {
		w.mux.Handle(r.method+" "+r.path, w.handler(r))
	}
	w.mux.HandleFunc("GET /static/{hash}/{name}", serveStatic)
	w.mux.HandleFunc("GET /sdk/parley.js", serveSDK)
	return w, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// audience is who may use a route.
type audience int

const (
	anybody  audience = iota
	person            // who is logged in
	seated            // who has a seat in the tenant of the path, or visits it
	operator          // operators
)

// A route is one page, or one thing that a page's form does. A GET shows a view; a POST
// changes something and leads to a page.
type route struct {
	method, path string
	who          audience
	show         func(*request) (ui.View, error)
	do           func(*request) (outcome, error)
	raw          func(*request, http.ResponseWriter) error // answers by itself: downloads
}

// An outcome of a POST: where to go on, with what is said there; or a view, where something is
// shown once or must be corrected.
type outcome struct {
	to, said string
	view     ui.View
	status   int // of the view; 0: 200
	cookie   *http.Cookie
}

func to(path, said string, args ...any) outcome {
	return outcome{to: path, said: fmt.Sprintf(said, args...)}
}

// A request is one request of a browser, with who sent it.
type request struct {
	*http.Request
	w      *web
	who    *tenant.Principal // nil: nobody
	tenant tenant.TenantID   // of the path
	flash  string
	call   *call
}

func (q *request) actor() tenant.Actor {
	if q.who == nil {
		return tenant.Actor{}
	}
	return q.who.Actor()
}

// typed is a field as it was sent, without the spaces around it.
func (q *request) typed(name string) string { return strings.TrimSpace(q.PostFormValue(name)) }

// fromHTMX reports whether a part of a page was asked for.
func (q *request) fromHTMX() bool { return q.Header.Get("HX-Request") == "true" }

func (q *request) browser() tenant.Browser {
	return tenant.Browser{Address: hostOf(q.RemoteAddr), Agent: q.UserAgent()}
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// maxForm bounds what a form may send, in bytes.
const maxForm = 256 << 10

// pageTime bounds what one page may take.
const pageTime = 30 * time.Second

func (w *web) handler(rt route) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		most := pageTime
		if rt.raw != nil && rt.method == http.MethodGet {
			most = longTime // a file goes out for as long as it is taken
		}
		ctx, cancel := context.WithTimeout(r.Context(), most)
		defer cancel()
		if rt.method == http.MethodPost { // half of a change would be worse than one nobody waits for
			ctx, cancel = context.WithTimeout(context.WithoutCancel(r.Context()), pageTime)
			defer cancel()
		}
		q := &request{Request: r.WithContext(ctx), w: w, call: callOf(r.Context())}
		if err := w.answer(out, q, rt); err != nil {
			w.fail(out, q, err)
		}
	}
}

func (w *web) answer(out http.ResponseWriter, q *request, rt route) error {
	if w.open {
		return w.render(out, q, http.StatusForbidden, &ui.Insecure{Page: ui.Page{Title: "https needed"}})
	}
	if rt.method == http.MethodPost {
		if err := w.sameOrigin(q.Request); err != nil {
			return err
		}
		q.Body = http.MaxBytesReader(out, q.Body, maxForm)
		if err := q.ParseForm(); err != nil {
			return tenant.Errorf(tenant.CodeTooLarge, "the form could not be read: it is too large or was cut off; send it again")
		}
	}
	if err := w.admit(q, rt); err != nil {
		return err
	}
	switch {
	case rt.raw != nil:
		return rt.raw(q, out)
	case rt.show != nil:
		q.flash = w.takeFlash(out, q)
		view, err := rt.show(q)
		if err != nil {
			return err
		}
		return w.render(out, q, http.StatusOK, view)
	}
	done, err := w.once(q, rt.do)
	if err != nil {
		return err
	}
	return w.finish(out, q, done)
}

// sameOrigin refuses what another site had the browser send. Browsers say where a POST comes
// from; what does not say so has no business with cookies.
func (w *web) sameOrigin(r *http.Request) error {
	from := r.Header.Get("Sec-Fetch-Site")
	foreign := from != "" && from != "same-origin" && from != "none"
	if foreign || from == "" && r.Header.Get("Origin") == "" || w.origins.Check(r) != nil {
		return tenant.Errorf(tenant.CodeForbidden, "this form was sent from another site than the console's own; open the page here and send it again")
	}
	return nil
}

// admit finds out who asks, and refuses what he may not know of: a tenant that he has no seat in
// does not exist for him, and the operator's pages only for operators.
func (w *web) admit(q *request, rt route) error {
	var err error
	if q.who, err = w.session(q.Request); err != nil {
		return err
	}
	if q.who != nil {
		q.call.actor = q.actor()
	}
	if rt.who == anybody {
		return nil
	}
	if q.who == nil {
		return tenant.Errorf(tenant.CodeUnauthorized, "log in first")
	}
	switch rt.who {
	case operator:
		if !q.who.Profile.Operator {
			return tenant.NotFound("page")
		}
		if q.call.actor, err = q.who.Operator(); err != nil {
			return err
		}
	case seated:
		id := tenant.TenantID(q.PathValue("tenant"))
		if !q.actor().Sees(id) {
			return tenant.NotFound("tenant")
		}
		q.tenant, q.call.tenant = id, id
	}
	return nil
}

func (w *web) render(out http.ResponseWriter, q *request, status int, v ui.View) error {
	if full, ok := v.(ui.FullPage); ok {
		w.dress(q, full.Frame())
	}
	var page bytes.Buffer // a page that fails half-way is shown as a failure
	if err := ui.Render(&page, v); err != nil {
		return err
	}
	out.Header().Set("Content-Type", "text/html; charset=utf-8")
	out.WriteHeader(status)
	_, _ = page.WriteTo(out) // fails where the browser is gone
	return nil
}

// dress fills the frame of a page with who looks at it, and where.
func (w *web) dress(q *request, p *ui.Page) {
	p.Flash = q.flash
	if q.who == nil {
		return
	}
	p.Who, p.Operator = q.who.Profile.Email, q.who.Profile.Operator
	if q.tenant == "" || p.Tenant != nil {
		return
	}
	p.Tenant = &ui.Place{ID: string(q.tenant), Name: string(q.tenant), Role: "visitor"}
	for _, s := range q.who.Seats {
		if s.Tenant == q.tenant {
			p.Tenant.Name, p.Tenant.Role = s.TenantName, string(s.Role)
		}
	}
	if v, visiting := q.who.Visiting(q.tenant); visiting {
		p.Visit = &ui.Visit{Reason: v.Reason, Until: v.Until}
	}
}

// finish answers a POST.
func (w *web) finish(out http.ResponseWriter, q *request, done outcome) error {
	if done.cookie != nil {
		http.SetCookie(out, done.cookie)
	}
	if done.status == http.StatusTooManyRequests || done.status == http.StatusServiceUnavailable {
		out.Header().Set("Retry-After", retryAfter)
	}
	if done.view != nil {
		return w.render(out, q, max(done.status, http.StatusOK), done.view)
	}
	if done.said != "" {
		http.SetCookie(out, w.flashCookie(done.said))
	}
	w.redirect(out, q, done.to)
	return nil
}

func (w *web) redirect(out http.ResponseWriter, q *request, to string) {
	if q.fromHTMX() {
		out.Header().Set("HX-Redirect", to)
		out.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(out, q.Request, to, http.StatusSeeOther)
}

// fail shows what went wrong. Who is not logged in goes there, and then back to where he was.
func (w *web) fail(out http.ResponseWriter, q *request, err error) {
	e, readable := tenant.AsError(err)
	if !readable && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		e, readable = tenant.ErrUnavailable, true
	}
	if readable && e.Code == tenant.CodeUnauthorized {
		q.call.code = e.Code
		w.redirect(out, q, "/login?next="+url.QueryEscape(w.whereHeWas(q)))
		return
	}
	status := http.StatusInternalServerError
	view := &ui.Failure{Page: ui.Page{Title: "Something went wrong"}, Heading: "Something went wrong", Request: q.call.id}
	view.Link = ui.Option{Value: "/", Label: "To the first page"}
	if readable {
		f := domainFailure(e)
		status, q.call.code = f.status, e.Code
		view.Message, view.Heading, view.Remedy = sentence(f.Message), headings[e.Code], remedies[e.Code]
		view.Title = view.Heading
		if e.Code == tenant.CodeRateLimited || e.Code == tenant.CodeUnavailable {
			out.Header().Set("Retry-After", retryAfter)
		}
		if status < http.StatusInternalServerError {
			view.Request = ""
		}
	} else {
		q.call.code, q.call.err = tenant.CodeInternal, err
		view.Message = "That was our fault, not yours. Try again; if it stays so, tell whoever runs this server the number below: the log has more under it."
	}
	q.flash = ""
	if w.render(out, q, status, view) != nil {
		out.WriteHeader(http.StatusInternalServerError)
	}
}

var headings = map[tenant.Code]string{
	tenant.CodeInvalid: "That does not fit", tenant.CodeForbidden: "You may not do this", tenant.CodeNotFound: "There is nothing here",
	tenant.CodeConflict: "That can't be done", tenant.CodeTooLarge: "That is too large", tenant.CodeRateLimited: "Too many tries",
	tenant.CodeLimitReached: "The limit is reached", tenant.CodeUnavailable: "A part of Parley does not answer", tenant.CodeInternal: "Something went wrong",
}

var remedies = map[tenant.Code]string{
	tenant.CodeNotFound:    "It was removed, never was, or is none of what you work for.",
	tenant.CodeUnavailable: "Wait a moment, then try again.",
}

// sentence makes a message of the domain one for a page.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// whereHeWas is the page that led to a request.
func (w *web) whereHeWas(q *request) string {
	if q.Method == http.MethodGet && !q.fromHTMX() {
		return q.URL.RequestURI()
	}
	from, err := url.Parse(q.Header.Get("Referer"))
	if err != nil || from.Host != q.Host && from.Host != w.public.Host {
		return "/"
	}
	return localPath(from.RequestURI())
}

// localPath returns a path of the console, and / for everything that would lead out of it.
func localPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\x00\r\n\t") {
		return "/"
	}
	return s
}

// ServeHTTP answers a browser; it is observed like the API.
func (w *web) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.c.observe(out, r, w.headers, w.dispatch)
}

func (w *web) headers(h http.Header) {
	connect := "'self'"
	if w.conf.WSURL != "" {
		connect += " " + w.conf.WSURL
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "+connect+
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	if w.public.Scheme == "https" {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// dispatch hands a request to its route; what has none is a page that says so.
func (w *web) dispatch(out http.ResponseWriter, r *http.Request) {
	if _, pattern := w.mux.Handler(r); pattern != "" && path.Clean(r.URL.Path) == r.URL.Path {
		w.mux.ServeHTTP(out, r)
		return
	}
	q := &request{Request: r, w: w, call: callOf(r.Context())}
	var err error
	if q.who, err = w.session(r); err == nil {
		err = tenant.NotFound("page")
	}
	w.fail(out, q, err)
}

// serveStatic serves what pages load: the address has the content's hash.
func serveStatic(out http.ResponseWriter, r *http.Request) {
	a, ok := ui.Static(r.URL.Path)
	if !ok {
		http.Error(out, "no such file", http.StatusNotFound)
		return
	}
	out.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	serveAsset(out, r, a)
}

func serveAsset(out http.ResponseWriter, r *http.Request, a ui.Asset) {
	out.Header().Set("Content-Type", a.Type)
	http.ServeContent(out, r, "", time.Time{}, bytes.NewReader(a.Content))
}

package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"parley/tenant"
)

// An input is a field of a form as a browser finds it.
type input struct {
	name, kind, value string // kind is text, password, number, select, textarea, …
}

// A pageForm is a form on a page, and who found it there.
type pageForm struct {
	route, action, page string
	by                  *surfer
	once                bool
	hidden, fields      []input
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// formsOf parses the forms of a page that change something.
func formsOf(t testing.TB, body string) (all []pageForm) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Data == "form" && attribute(n, "method") == "post" {
			all = append(all, parseForm(n))
		}
	}
	return all
}

func parseForm(form *html.Node) pageForm {
	f := pageForm{action: attribute(form, "action")}
	for n := range form.Descendants() {
		in := input{name: attribute(n, "name"), kind: attribute(n, "type"), value: attribute(n, "value")}
		switch {
		case in.name == "":
		case in.name == onceField:
			f.once = true
		case in.kind == "hidden":
			f.hidden = append(f.hidden, in)
		case n.Data == "select":
			in.kind = "select"
			for o := range n.Descendants() {
				if o.Data == "option" && (in.value == "" || slices.ContainsFunc(o.Attr, func(a html.Attribute) bool { return a.Key == "selected" })) {
					in.value = attribute(o, "value")
				}
			}
			f.fields = append(f.fields, in)
		case n.Data == "textarea":
			in.kind = "textarea"
			f.fields = append(f.fields, in)
		case n.Data == "input":
			f.fields = append(f.fields, in)
		}
	}
	return f
}

// forms finds every form of the console, by its route and the query of its action: it looks through
// all pages as whoever may see them.
func (w *town) forms() map[string]pageForm {
	w.t.Helper()
	found := map[string]pageForm{}
	look := func(by *surfer, page string) {
		got := by.get(page)
		if got.status != http.StatusOK {
			w.t.Errorf("%s: got %d, want a page", page, got.status)
		}
		for _, f := range formsOf(w.t, got.body) {
			to, err := url.Parse(f.action)
			w.must(err)
			req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, to.Path, nil)
			w.must(err)
			_, pattern := w.web.mux.Handler(req)
			f.route, f.page, f.by = strings.TrimPrefix(pattern, "POST "), page, by
			key := f.route
			if kind := to.Query().Get("kind"); kind != "" {
				key += " " + kind
			}
			if _, known := found[key]; !known || len(f.fields) > len(found[key].fields) {
				found[key] = f
			}
		}
	}
	for _, r := range w.web.routes {
		if r.method != http.MethodGet || r.raw != nil || strings.HasSuffix(r.path, "/wait") {
			continue
		}
		who := map[audience]string{anybody: "nobody", person: "owner", operator: "operator", seated: "owner"}[r.who]
		look(w.who[who], w.path.Replace(r.path))
	}
	for _, kind := range []string{"api", "service", "user-token", "jwks", "oidc", "tls-ca", "nats-scoped"} {
		look(w.who["owner"], "/t/acme/keys?kind="+kind)
	}
	look(w.who["nobody"], "/join?link")
	return found
}

// Why no page of the town has a form for a POST.
const (
	byScript = "a script of the page sends it"
	byButton = "its button is there in another state alone, and has no fields"
	byShare  = "the share of the town is not accepted yet; TestFormsKeepWhatWasTyped has it"
)

// noForm has the POSTs that no page of the town has a form for.
var noForm = map[string]string{
	"/login/passkey/challenge": byScript, "/login/passkey": byScript, "/account/passkeys/challenge": byScript, "/account/passkeys": byScript,
	"/join/info": byScript, "/t/{tenant}/chat/token": byScript,
	"/join/accept": byButton, "/account/logins/{login}/end": byButton, "/account/logins/end-others": byButton,
	"/operator/tenants/{tenant}/resume": byButton, "/operator/tenants/{tenant}/leave": byButton, "/operator/people/unlink": byButton,
	"/account/passkeys/{passkey}/rename": "TestAPasskeyIsAddedUsedRenamedAndRemoved has it", "/account/passkeys/{passkey}/remove": byButton,
	"/t/{tenant}/rooms/{room}/messages/{seq}/pin": byButton, "/t/{tenant}/users/{user}/restore": byButton,
	"/t/{tenant}/shares/{share}/title": byShare, "/t/{tenant}/shares/{share}/change": byShare, "/t/{tenant}/shares/{share}/end": byButton,
}

// right are values that are right in any form that has a field of the name.
var right = map[string]string{
	"id": "fresh", "name": "Fresh", "title": "Typed", "email": "fresh@example.com", "user": "alice", "whom": "alice", "why": "spam",
	"room": "ours", "service": "oracle", "guest": "third", "password": "battery staple", "old": password,
}

// Why a field has no message of its own.
const (
	uniform  = "which of the two is wrong is not said, or strangers would learn who is here"
	wholeURL = "the link as a whole is refused"
	aYes     = "what is not yes is no"
	aList    = "a list in a row: what is not on it is refused with the page"
)

// free are the fields without a message of their own.
var free = map[string]string{
	"/login email": uniform, "/login password": uniform, "/recover/code email": uniform, "/recover/code code": uniform,
	"/join link": wholeURL, "/recover link": wholeURL, "/t/{tenant}/people/{person}/role role": aList,
	"/t/{tenant}/shares post": aYes, "/t/{tenant}/shares keep_copy": aYes,
	"/t/{tenant}/keys user-token create_users": aYes, "/t/{tenant}/keys jwks create_users": aYes, "/t/{tenant}/keys oidc create_users": aYes,
}

// TestEveryFormSaysWhatIsWrong takes the forms from the pages and the pages from the routes, so that a new
// form is tested without being named here: each field once wrong with all others right brings the form
// back with a message there and all that was typed, and changes nothing.
func TestEveryFormSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	forms := w.forms()
	op := w.who["operator"].principal()
	join, _, err := w.people.OperatorLink(t.Context(), op, tenant.LinkFounder)
	w.must(err)
	recover, err := w.people.RecoveryLink(t.Context(), op, "viewer@example.com")
	w.must(err)
	links := map[string]string{"/join": join.Reveal(), "/recover": recover.Reveal()}
	for _, r := range w.web.routes {
		found := false
		for _, f := range forms {
			found = found || f.route == r.path
		}
		if _, excused := noForm[r.path]; r.method == http.MethodPost && found == excused {
			t.Errorf("%s: got a form: %v, but noForm says otherwise", r.path, found)
		}
	}
	for key, f := range forms {
		for _, field := range f.fields {
			name := key + " " + field.name
			if _, any := free[name]; any {
				continue
			}
			wrong := strings.Repeat("x", 5000)
			sent := url.Values{}
			for _, in := range append(f.hidden, f.fields...) {
				sent.Set(in.name, in.value)
				if v := right[in.name]; v != "" && in.kind != "select" {
					sent.Set(in.name, v)
				}
			}
			if link := links[f.route]; link != "" {
				sent.Set("link", link)
			}
			sent.Set(field.name, wrong)
			before := w.count("SELECT count(*) FROM audit")
			f.by.last = f.page
			got := f.by.send(http.MethodPost, f.action, sent.Encode())
			if got.status < 400 || got.status > 499 || !strings.Contains(got.body, `id="e-`+field.name) {
				t.Errorf("%s: got %d, want a message at the field; it says %q", name, got.status, complaints(got.body))
				continue
			}
			if w.count("SELECT count(*) FROM audit") != before {
				t.Errorf("%s: got a change, want none", name)
			}
			for _, back := range formsOf(t, got.body) {
				if back.action != f.action || !slices.EqualFunc(back.fields, f.fields, func(a, b input) bool { return a.name == b.name }) {
					continue
				}
				for _, in := range back.fields {
					want := sent.Get(in.name)
					if in.kind == "password" {
						want = ""
					}
					if in.kind != "select" && in.kind != "textarea" && in.value != want {
						t.Errorf("%s: got %s back as %.60q, want %.60q", name, in.name, in.value, want)
					}
				}
			}
		}
	}
}

// complaints are the texts of a page that say what is wrong.
func complaints(body string) (all []string) {
	for _, part := range strings.Split(body, "\n") {
		if strings.Contains(part, `class="wrong"`) || strings.Contains(part, "note bad") || strings.Contains(part, "<h1>") {
			all = append(all, strings.TrimSpace(part))
		}
	}
	return all
}

package ui

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`

var frame = Page{
	Title: hostile, Who: hostile, Operator: true, Area: "rooms", Flash: hostile,
	Tenant: &Place{ID: "acme", Name: hostile, Role: "owner", Suspended: true}, Visit: &Visit{Reason: hostile, Until: noon},
}

var form = Form{Action: "/x", Submit: hostile, Error: hostile, Once: "w", Hidden: []Option{{"a", hostile}}, Fields: []Field{
	{Name: "a", Label: hostile, Value: hostile, Error: hostile, Hint: hostile, Autocomplete: "off"},
	{Name: "b", Label: "B", Value: hostile, Options: []Option{{hostile, hostile}, {"2", "two"}}},
	{Name: "c", Label: "C", Type: "textarea", Value: hostile, Optional: true},
	{Name: "d", Label: "D", Secret: true},
}}

var button = Button{Action: "/x", Label: hostile, Once: "w", Danger: true, Hidden: []Option{{"a", hostile}}}

// samples has each view filled, with what a hostile person would write.
var samples = []View{
	&Login{Page: Page{Title: "x"}, Form: form, SignUp: true, SSO: []Option{{"/sso", hostile}}},
	&Join{Page: frame, Form: form, Linked: true, Accept: &form},
	LinkInfo{Kind: "seat", Tenant: hostile, Role: hostile, Until: noon},
	&Recover{Page: frame, Form: form},
	&Account{Page: frame, Name: hostile, Since: noon, Password: form, EndOther: button, Logins: []LoginRow{
		{Agent: hostile, Address: hostile, Since: noon, Seen: noon, Current: true}, {End: button},
	}},
	&Home{Page: frame, Found: true, Places: []Place{{ID: "acme", Name: hostile, Role: hostile, Suspended: true}}},
	&NewTenant{Page: frame, Form: form},
	&Failure{Page: frame, Heading: hostile, Message: hostile, Remedy: hostile, Link: Option{"/", hostile}, Request: hostile},
	&Insecure{Page: frame},
	&Overview{Page: frame, ID: "acme", Account: hostile, Connections: 12345},
}

func TestEveryTemplateIsFilledAndEscaped(t *testing.T) {
	t.Parallel()
	filled := map[string]bool{"layout": true, "parts": true}
	for _, v := range samples {
		filled[v.template()] = true
		var out bytes.Buffer
		if err := Render(&out, v); err != nil {
			t.Errorf("%s: %v", v.template(), err)
			continue
		}
		page := out.String()
		for _, bad := range []string{"<script>alert", "<img src=x", "ZgotmplZ", "<no value>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: got %q in the page\n%s", v.template(), bad, page)
			}
		}
		if strings.Contains(page, " style=") || strings.Contains(page, " onclick=") || strings.Contains(page, "<style") {
			t.Errorf("%s: got an inline style or script, which the policy refuses", v.template())
		}
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		base := strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")
		if !filled[base] {
			t.Errorf("%s has no view among the samples", name)
		}
	}
}

// TestEveryEmptyViewRenders shows that lists may be empty.
func TestEveryEmptyViewRenders(t *testing.T) {
	t.Parallel()
	for _, v := range []View{&Login{}, &Join{}, LinkInfo{Error: "x"}, &Account{}, &Home{}, &Failure{}, &Overview{}} {
		if err := Render(&bytes.Buffer{}, v); err != nil {
			t.Errorf("%s: %v", v.template(), err)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := groupedInt(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 30: "1 GiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestStaticServesOnlyWhatThereIs(t *testing.T) {
	t.Parallel()
	a, ok := Static(assets["app.js"])
	if !ok || a.Type != "text/javascript; charset=utf-8" || len(a.Content) == 0 {
		t.Errorf("app.js: got %v %q, want the script", ok, a.Type)
	}
	for _, path := range []string{"", "/static/app.js", "/static/000000000000/app.js", "/static/../ui.go", "app.js"} {
		if _, ok := Static(path); ok {
			t.Errorf("%q: got a file, want none", path)
		}
	}
}

// Package ui makes the console's pages: templates, the scripts and styles they load, and one
// struct for each page, which holds all that the page shows. It asks for nothing, decides
// nothing, and knows no HTTP: whoever calls it brings the things to show.
package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// A View is what one page or part of a page shows. The structs of this package are the only ones.
type View interface{ template() string }

// A FullPage is a View that is a page of its own, in the frame that all have.
type FullPage interface {
	View
	Frame() *Page
}

// Page is what every page has beside what is its own.
type Page struct {
	Title    string
	Who      string // address of who is logged in; empty: nobody
	Operator bool   // he is one
	Tenant   *Place // the tenant that the page is of
	Area     string // the entry of the navigation that is current
	Flash    string // what was done just now
	Visit    *Visit // an operator is here for a while
	Charts   bool   // the page loads the script of charts
	Chat     bool   // the page loads the script of the chat
	Passkeys bool   // the page loads the script of passkeys
}

// Frame returns the frame, for whoever fills it.
func (p *Page) Frame() *Page { return p }

// Bare reports whether the page has no navigation at its side.
func (p *Page) Bare() bool { return p.Tenant == nil && !strings.HasPrefix(p.Area, "operator") }

// A Place is a tenant as the navigation names it.
type Place struct {
	ID, Name, Role string
	Suspended      bool
}

// A Visit is an operator's stay in a tenant.
type Visit struct {
	Reason string
	Until  time.Time
}

// A Field is one input of a form: what was typed, and what is wrong with it.
type Field struct {
	Name, Label  string
	Type         string // text where empty; select where there are Options
	Value        string
	Error        string
	Hint         string
	Autocomplete string
	Optional     bool
	Secret       bool // takes the secret behind the # of the address
	Options      []Option
	ID           string // sets it apart where a page has several forms with the name
	Bare         bool   // the label is for those who don't see
}

// Key is the id of the field's element without its prefix.
func (f Field) Key() string { return f.Name + f.ID }

// An Option is one choice of a Field.
type Option struct{ Value, Label string }

// A Form is posted to Action. It counts once, however often it is sent from one page.
type Form struct {
	Action    string
	Submit    string
	Error     string // what is wrong with none of its fields
	Challenge string // where the script of passkeys gets what to ask an authenticator, whose answer goes along
	Danger    bool
	Inline    bool
	Hidden    []Option // what is sent along
	Fields    []Field
}

// Set puts what was typed, or what is there, into a field.
func (f *Form) Set(name, value string) {
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			f.Fields[i].Value = value
		}
	}
}

// Wrong puts an error to its field, and reports whether the form has it.
func (f *Form) Wrong(name, why string) bool {
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			f.Fields[i].Error = why
			return true
		}
	}
	return false
}

// A Button is a form without fields: it does one thing.
type Button struct {
	Action, Label string
	Danger        bool
	Hidden        []Option
}

// A Pager leads through a list that is longer than a page.
type Pager struct{ First, Next string }

// A Search is the form that looks through a list.
type Search struct{ Action, Query, Label string }

// A Snippet is text to copy.
type Snippet struct{ Label, Text string }

// assets are the addresses of the files that pages load. Each has its content's hash, so that browsers keep it.
var assets = readAssets()

// An Asset is a file that pages load.
type Asset struct {
	Type    string
	Content []byte
}

func readAssets() map[string]string {
	urls := map[string]string{}
	names, err := fs.Glob(staticFiles, "static/*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		content, err := staticFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		sum := sha256.Sum256(content)
		base := strings.TrimPrefix(name, "static/")
		urls[base] = "/static/" + hex.EncodeToString(sum[:6]) + "/" + base
	}
	return urls
}

// Static returns the file of an address that pages load.
func Static(path string) (Asset, bool) {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if path == "" || assets[base] != path {
		return Asset{}, false
	}
	content, err := staticFiles.ReadFile("static/" + base)
	if err != nil {
		return Asset{}, false
	}
	kinds := map[string]string{"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
	return Asset{kinds[base[strings.LastIndexByte(base, '.')+1:]], content}, true
}

// SDK returns the TypeScript SDK as one script.
func SDK() Asset {
	a, _ := Static(assets["sdk.js"]) // it is embedded
	return a
}

var templates = parse()

// parse gives each page a set of its own: all of them call their middle "main".
func parse() map[string]*template.Template {
	common := template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	sets := map[string]*template.Template{}
	for _, name := range names {
		base := strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")
		if base != "layout" && base != "parts" {
			sets[base] = template.Must(template.Must(common.Clone()).ParseFS(templateFiles, name))
		}
	}
	return sets
}

// Render writes a page, or a part of one.
func Render(w io.Writer, v View) error {
	set, ok := templates[v.template()]
	if !ok {
		return fmt.Errorf("ui: no template %s", v.template())
	}
	entry := "main"
	if _, full := v.(FullPage); full {
		entry = "page"
	}
	if err := set.ExecuteTemplate(w, entry, v); err != nil {
		return fmt.Errorf("ui: render %s: %w", v.template(), err)
	}
	return nil
}

var functions = template.FuncMap{
	"static": func(name string) string { return assets[name] },
	"once":   rand.Text,
	"num":    groupedInt,
	"entry":  func(area, name, url, label string) entry { return entry{URL: url, Label: label, Current: area == name} },
	"bytes":  ByteSize,
	"ms":     func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) },
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"when":   func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 UTC") },
	"day":    func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
}

// An entry of the navigation.
type entry struct {
	URL, Label string
	Current    bool
}

// groupedInt is a number as people read it: 12,345.
func groupedInt(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ByteSize is a size as people read it: 1.5 KiB.
func ByteSize(n int64) string {
	const units = "KMGTP"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return strings.Replace(fmt.Sprintf("%.1f %ciB", v, units[u]), ".0 ", " ", 1)
}

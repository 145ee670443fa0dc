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

var form = Form{Action: "/x", Submit: hostile, Error: hostile, Challenge: "/c", Hidden: []Option{{"a", hostile}}, Fields: []Field{
	{Name: "a", Label: hostile, Value: hostile, Error: hostile, Hint: hostile, Autocomplete: "off"},
	{Name: "b", Label: "B", Value: hostile, Options: []Option{{hostile, hostile}, {"2", "two"}}},
	{Name: "c", Label: "C", Type: "textarea", Value: hostile, Optional: true},
	{Name: "d", Label: "D", Secret: true},
}}

var button = Button{Action: "/x", Label: hostile, Danger: true, Hidden: []Option{{"a", hostile}}}

// samples has each view filled, with what a hostile person would write.
var samples = []View{
	&Login{Page: Page{Title: "x"}, Form: form, Passkey: &form, SignUp: true, SSO: []Option{{"/sso", hostile}}},
	&Join{Page: frame, Form: form, Linked: true, Accept: &form},
	LinkInfo{Kind: "seat", Tenant: hostile, Role: hostile, Until: noon, SSO: []Option{{"/sso", hostile}}},
	&Recover{Page: frame, Form: form},
	&Account{Page: frame, Name: hostile, Since: noon, Password: form, Codes: form, CodesLeft: 3, Passkeys: []PasskeyRow{{hostile, true, noon, noon, form, button}, {}}, AddPasskey: &form, NoHost: hostile, EndOther: button, Logins: []LoginRow{
		{Agent: hostile, Address: hostile, Since: noon, Seen: noon, Current: true}, {End: button},
	}},
	&Home{Page: frame, Found: true, Places: []Place{{ID: "acme", Name: hostile, Role: hostile, Suspended: true}}},
	&NewTenant{Page: frame, Form: form},
	&Failure{Page: frame, Heading: hostile, Message: hostile, Remedy: hostile, Link: Option{"/", hostile}, Request: hostile},
	&Insecure{Page: frame},
	&Overview{
		Page: frame, ID: "acme", Account: hostile, Fresh: true, Events: []AuditRow{audit},
		Tiles: []Tile{{Label: hostile, Value: 12345, Most: 20000, Link: "/x", Note: hostile}, {Label: "b", Value: 1, Most: 4096, Size: true}},
		Lines: []Chart{{Title: hostile, Label: hostile, At: []int64{1, 2}, Values: []int64{3, 4}}},
	},
	&Connect{
		Page: frame, ID: "acme", Checks: []Check{{true, hostile, hostile}, {false, hostile, hostile}}, Room: hostile, Pane: &Pane{User: hostile, Token: "/k", Servers: hostile, Small: true},
		Tabs: []Tab{{hostile, "/x", true}, {hostile, "/y", false}}, Snippet: form, Wait: "/w",
	},
	Snippets{Lead: hostile, Parts: []Snippet{{hostile, hostile}}, Expires: noon},
	Waiting{First: &FirstMessage{Sender: hostile, Text: hostile, At: noon, Took: time.Millisecond, Tenant: "acme", User: "alice"}},
	&Rooms{Page: frame, ID: "acme", Search: search, Pager: pager, New: form, Open: true, May: true, Rows: []RoomRow{{"/r", "lobby", hostile, hostile, hostile, "frozen", 3}}},
	&Room{
		Page: frame, Base: "/t/acme", ID: "lobby", Kind: "open", Class: hostile, State: "frozen", Host: hostile, Slow: 5, Since: noon, Pager: pager,
		Older: "/o", Newest: "/n", Actions: []Button{button}, Add: &form, Edit: &form, Sanction: &form, Delete: &button, Share: "/s", Search: search, SearchError: hostile,
		Members:  []MemberRow{{Link: "/u", ID: hostile, Name: hostile, Role: hostile, State: "joined", Since: noon, Change: &form, Button: &button}, {ID: hostile, State: "banned", Until: noon, Reason: hostile}},
		Mutes:    []MemberRow{{Link: "/u", ID: hostile, Since: noon, Reason: hostile, Button: &button}},
		Pinned:   []MessageRow{{Text: hostile, Pinned: true}},
		Messages: []MessageRow{{Seq: 1, Sender: hostile, Text: hostile, At: noon, Edited: noon, Replies: 2, Reactions: []string{hostile}, Actions: []Button{button}}, {Event: hostile}, {Deleted: true}, {Link: "/m", Parts: []TextPart{{hostile, true}, {hostile, false}}}},
	},
	&Reports{
		Page: frame, Base: "/t/acme", Tabs: []Tab{{hostile, "/o", true}}, Search: search, Pager: pager,
		Rows: []ReportRow{{At: noon, Room: hostile, RoomLink: "/r", Message: "/m", Sender: hostile, By: hostile, Reason: hostile, Actions: []Button{button}}, {Outcome: hostile, Note: hostile, Closed: noon}},
	},
	&Shares{Page: frame, ID: "acme", Rooms: "/r", Search: search, Pager: pager, Offer: form, Service: form, Open: "service", May: true, Rows: []ShareRow{share, {Status: "offered", Service: hostile, Out: true}}},
	&Share{
		Page: frame, List: "/l", Room: "/r", Row: share, Host: hostile, Guest: hostile, Everything: true, Keeps: true, Copy: "/c", OfferedAt: noon, OfferedBy: hostile, AcceptedAt: noon, AcceptedBy: hostile,
		EndedAt: noon, EndedBy: hostile, ExpiresAt: noon, Accept: &form, Rename: &form, Change: &form, Decline: &button, End: &button,
	},
	&Users{Page: frame, ID: "acme", Search: search, Pager: pager, New: form, Open: true, May: true, Rows: []UserRow{{"/u", hostile, hostile, hostile, hostile}}},
	&User{
		Page: frame, Base: "/t/acme", ID: hostile, Name: hostile, Kind: hostile, Status: "revoked", Reason: hostile, ExternalID: hostile, Since: noon,
		Connections: connections, Rooms: []UserRoomRow{{"/r", hostile, hostile, hostile, hostile, "banned"}}, More: "/m",
		Revoke: &form, Restore: &button, Token: &form, Creds: &form, Edit: &form, Delete: &button,
		Credentials: []CredentialRow{{NKey: "UAAAAAAAAAAA", Kind: hostile, Since: noon, Revoke: &button}, {NKey: "UAAAAAAAAAAA", Revoked: noon}}, EndToken: &form, Erase: &form, Export: "/e",
	},
	&Erasure{Page: frame, Base: "/t/acme", ID: hostile, Messages: 7, Begun: noon},
	&Erasure{Page: frame, Base: "/t/acme", ID: hostile, Messages: 7, Begun: noon, Finished: noon},
	&Holds{Page: frame, Base: "/t/acme", Form: form, Rows: []HoldRow{{Room: hostile, Reason: hostile, Since: noon, Export: "/e", Lift: "/l"}, {Reason: hostile, Lift: "/l"}}},
	&HoldLift{Page: frame, Holds: "/h", Row: HoldRow{Room: hostile, Reason: hostile, Since: noon, Export: "/e"}, Form: form},
	&Holds{Page: frame, Base: "/t/acme", Form: form},
	&Secret{Page: frame, Heading: hostile, Lead: hostile, Name: hostile, Text: hostile, Note: hostile, Back: Option{"/b", hostile}},
	connections,
	&Live{Page: frame, List: connections},
	&Keys{Page: frame, Tabs: []Tab{{hostile, "/k", true}}, Lead: hostile, Search: search, Pager: pager, New: form, May: true, Rows: []KeyRow{{ID: hostile, Name: hostile, Kind: hostile, Detail: hostile, Since: noon, Used: noon, Rotate: "/k", Remove: button}, {Name: "old", Ends: noon}}},
	&KeyRotation{Page: frame, Keys: "/k", Name: hostile, Kind: hostile, Used: noon, Form: form, Secret: true, May: true},
	&KeyRotation{Page: frame, Keys: "/k", Name: hostile, Kind: hostile, Ends: noon},
	&Refusals{Page: frame, Base: "/t/acme", Search: search, Pager: pager, Rows: []RefusalRow{{noon, hostile, hostile, hostile, hostile, hostile}}},
	&Audit{Page: frame, Lead: hostile, Search: search, Pager: pager, CSV: "/e", Lines: "/l", Rows: []AuditRow{audit}},
	&People{
		Page: frame, Invite: form, May: true, Visits: []Visit{{hostile, noon}},
		Seats:       []SeatRow{{Email: hostile, Name: hostile, Role: hostile, Since: noon, You: true, Change: &form, Remove: &button}},
		Invitations: []LinkRow{{Role: hostile, By: hostile, Until: noon, Back: &button}},
	},
	&Chat{Page: Page{Title: "x", Chat: true, Tenant: frame.Tenant}, Action: "/a", User: hostile, Users: "/u", Pane: Pane{User: hostile, Token: "/k", Servers: hostile}},
	&Tenants{Page: frame, Search: search, Pager: pager, Rows: []TenantRow{{Link: "/x", ID: hostile, Name: hostile, Health: Word{hostile, "warn"}, Near: hostile, Uses: []Tile{{Label: hostile, Value: 1, Most: 2, Size: true}}, Since: noon}}},
	&TenantCard{
		Page: Page{Title: "x", Area: "operator"}, ID: hostile, Name: hostile, Account: hostile, Zone: hostile, State: hostile, Since: noon, InStep: true,
		Tiles: []Tile{{Label: hostile, Value: 1, Most: 2}}, Enter: form, Limits: form, Switch: button,
	},
	&Servers{Page: frame, Silent: 1, Rows: []ServerRow{
		{Name: hostile, ID: hostile, Version: hostile, Cluster: hostile, CPU: "1 %", Answers: true, Stored: Tile{Value: 1, Most: 2}, Routes: hostile, Since: noon, Heard: noon}, {Name: hostile},
	}},
	&Streams{Page: frame, Search: search, Pager: pager, Rows: []StreamRow{{Tenant: hostile, Link: "/x", Class: hostile, Name: hostile, State: Word{hostile, "bad"}, Lag: 1, Replicas: 3, Behind: 1, Leader: hostile}}},
	&Folks{Page: frame, Search: search, Pager: pager, Invite: form, Rows: []FolkRow{{hostile, hostile, true, true, noon, button, &button}}, Links: []LinkRow{{Role: hostile, By: hostile, Until: noon}}},
	&Checks{At: noon, Faults: 1, Rows: []CheckRow{{hostile, hostile, hostile, false}, {hostile, hostile, "", true}}},
	&Health{
		Page: frame, Behind: 1, Jobs: []JobRow{{ID: 1, Kind: hostile, State: hostile, Args: hostile, Failed: hostile, Attempt: 1, Most: 2, At: noon, Retry: &button}},
		Accounts: []AccountRow{{hostile, hostile, noon, noon, false}},
	},
	&Settings{Page: frame, ID: "acme", Account: hostile, Since: noon, Form: form, Limits: []Tile{{Label: hostile, Value: 3}, {Label: "b", Note: hostile}}, Providers: []Option{{hostile, hostile}}, Erase: &form, Delete: &form, May: true},
}

var (
	audit       = AuditRow{At: noon, Actor: hostile, Action: hostile, Object: hostile, Before: hostile, After: hostile}
	share       = ShareRow{Link: "/s", Title: hostile, With: hostile, Status: "accepted", Post: true, Since: noon, By: hostile}
	search      = Search{Action: "/s", Query: hostile, Label: hostile}
	pager       = Pager{First: "/f", Next: "/n"}
	connections = Connections{Base: "/t/acme", Again: "/a", More: 7, At: noon, Rows: []ConnectionRow{{"/u", hostile, hostile, hostile, hostile, noon}}}
)

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
	for _, v := range []View{
		&Login{}, &Join{},
		LinkInfo{Error: "x"},
		&Account{}, &Home{}, &Failure{}, &Overview{}, &Chat{Error: "x"}, &Connect{},
		Snippets{Error: "x"},
		Waiting{},
		&Rooms{}, &Room{}, &Reports{}, &Shares{}, &Share{}, &Users{}, &User{},
		Connections{},
		&Live{}, &Keys{}, &Refusals{}, &Audit{}, &People{}, &Settings{},
	} {
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
		if got := ByteSize(n); got != want {
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

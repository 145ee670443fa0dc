package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/launcher/flags"
	"github.com/go-rod/rod/lib/proto"

	"parley/internal/app"
	"parley/tenant"
)

// screenshots is where the tests leave pictures of the pages, for people to look at.
const screenshots = "../../build/screenshots"

// A window is one browser with its own cookies, on the console of a server.
type window struct {
	*rod.Page
	t *testing.T
	s *server
}

// chromium is Debian's, which deploy/install-deps.sh installs. Flags and their values come in turn.
func chromium(t *testing.T, set ...string) *rod.Browser {
	t.Helper()
	const bin = "/usr/bin/chromium"
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("%s is missing: run deploy/install-deps.sh chromium", bin)
	}
	l := launcher.New().Bin(bin).NoSandbox(true).Leakless(false).Headless(true).
		Set("disable-dev-shm-usage").Set("user-data-dir", t.TempDir())
	for i := 0; i < len(set); i += 2 {
		l.Set(flags.Flag(set[i]), set[i+1])
	}
	url, err := l.Launch()
	if err != nil {
		t.Fatal(err)
	}
	b := rod.New().ControlURL(url)
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.Close() // its process is ended below whatever it says
		l.Kill()
		l.Cleanup()
	})
	return b
}

// window opens a window whose cookies are its own.
func (s *server) window(b *rod.Browser) *window {
	s.t.Helper()
	own, err := b.Incognito()
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := own.Page(proto.TargetCreateTarget{URL: "about:blank"})
	if err != nil {
		s.t.Fatal(err)
	}
	w := &window{Page: p.Timeout(4 * patience), t: s.t, s: s}
	w.wide(1280)
	return w
}

func (w *window) must(err error) {
	w.t.Helper()
	if err != nil {
		if html, e := w.HTML(); e == nil {
			w.t.Logf("the page is:\n%.4000s", html)
		}
		w.t.Fatal(err)
	}
}

func (w *window) wide(pixels int) {
	w.t.Helper()
	w.must(w.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: pixels, Height: 900, DeviceScaleFactor: 1, Mobile: false}))
}

func (w *window) open(path string) {
	w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = w.s.HTTP + path
	}
	w.must(w.Navigate(path))
	w.must(w.WaitLoad())
}

// find waits for an element.
func (w *window) find(selector string) *rod.Element {
	w.t.Helper()
	e, err := w.Timeout(patience).Element(selector)
	if err != nil {
		w.must(fmt.Errorf("wait for %s: %w", selector, err))
	}
	return e.CancelTimeout()
}

func (w *window) fill(name, text string) {
	w.t.Helper()
	e := w.find(`[name="` + name + `"]`)
	w.must(e.SelectAllText())
	w.must(e.Input(text))
}

// send clicks a button and waits for the page that it leads to.
func (w *window) send(selector string) {
	w.t.Helper()
	button := w.find(selector)
	loaded := w.WaitNavigation(proto.PageLifecycleEventNameLoad)
	w.must(button.Click(proto.InputMouseButtonLeft, 1))
	loaded()
}

// says waits until an element's text has a part.
func (w *window) says(selector, part string) {
	w.t.Helper()
	if _, err := w.Timeout(patience).ElementR(selector, part); err != nil {
		w.must(fmt.Errorf("wait for %q in %s: %w", part, selector, err))
	}
}

// runSnippet runs a shell snippet as a process of its own, with parley in its PATH.
func (s *server) runSnippet(text string) {
	s.t.Helper()
	dir := s.t.TempDir()
	program := fmt.Sprintf("#!/bin/sh\nexport %s=1\nexec %s \"$@\"\n", asParley, os.Args[0])
	if err := os.WriteFile(filepath.Join(dir, "parley"), []byte(program), 0o700); err != nil {
		s.t.Fatal(err)
	}
	paste(s.t, dir, "PATH="+dir+":$PATH\n"+text)
}

// paste runs lines of a shell in a folder.
func paste(t *testing.T, dir, lines string) {
	t.Helper()
	cmd := exec.Command("bash", "-euc", lines)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", lines, err, out)
	}
}

// look takes pictures of a page at both widths, light and dark, and finds faults: a page wider than its
// window, buttons that lie over one another, and what axe calls serious.
func (w *window) look(name, path string) {
	w.t.Helper()
	if path != "" {
		w.open(path)
	}
	for _, scheme := range []string{"light", "dark"} {
		w.must(proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"}, // else the picture is of colours on their way
		}}.Call(w))
		for _, width := range []int{1280, 390} {
			w.wide(width)
			v, err := w.Eval(`() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]`)
			w.must(err)
			if got, most := v.Value.Arr()[0].Int(), v.Value.Arr()[1].Int(); got > most {
				w.t.Errorf("%s at %d pixels: got a page %d wide, want no horizontal scroll", name, width, got)
			}
			v, err = w.Eval(overlapping)
			w.must(err)
			if got := v.Value.Str(); got != "" {
				w.t.Errorf("%s at %d pixels: %s lie over one another", name, width, got)
			}
			shot, err := w.Screenshot(true, nil)
			w.must(err)
			w.must(os.MkdirAll(screenshots, 0o755))
			w.must(os.WriteFile(filepath.Join(screenshots, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), shot, 0o644))
		}
		w.wide(1280)
		w.accessible(name + ", " + scheme)
	}
	w.must(proto.EmulationSetEmulatedMedia{}.Call(w))
}

// overlapping names the first two buttons or labels of a page that share some of its area.
const overlapping = `() => {
	const all = [...document.querySelectorAll("main button, main a[role=button], main .tag")]
		.filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}) && !e.closest("[popover], .sr"))
		.map(e => ({text: e.textContent.trim(), e, r: e.getBoundingClientRect()}));
	for (const a of all) {
		for (const b of all) {
			const scrolled = "[data-part=messages]"; // what it cuts off lies under its neighbours
			if (a !== b && a.e.closest(scrolled) === b.e.closest(scrolled) && !a.e.contains(b.e) && !b.e.contains(a.e) && a.r.left < b.r.right - 1 && b.r.left < a.r.right - 1
				&& a.r.top < b.r.bottom - 1 && b.r.top < a.r.bottom - 1) {
				return JSON.stringify(a.text) + " and " + JSON.stringify(b.text);
			}
		}
	}
	return "";
}`

// accessible runs axe over a page.
func (w *window) accessible(name string) {
	w.t.Helper()
	source, err := os.ReadFile("../../console/ui/web/node_modules/axe-core/axe.min.js")
	if err != nil {
		w.t.Fatalf("axe is missing: run npm ci in console/ui/web (%v)", err)
	}
	w.must(func() error { _, err := w.Eval("() => {" + string(source) + "}"); return err }())
	v, err := w.Eval(`async () => JSON.stringify((await axe.run()).violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html)})))`)
	w.must(err)
	var faults []json.RawMessage
	w.must(json.Unmarshal([]byte(v.Value.Str()), &faults))
	for _, f := range faults {
		w.t.Errorf("%s: axe finds %s", name, f)
	}
}

// signUp goes the way of the first operator: from the printed link to his first page.
func (w *window) signUp() {
	w.t.Helper()
	link, err := os.ReadFile(filepath.Join(w.s.data, app.OperatorLinkFile))
	w.must(err)
	w.open(strings.TrimSpace(string(link)))
	w.says("#link-info", "operator")
	w.look("join", "")
	w.fill("email", "ada@example.com")
	w.fill("name", "Ada Lovelace")
	w.fill("password", "correct horse battery")
	w.send("article button[type=submit]")
}

// newTenant makes a tenant, whose id its name gives.
func (w *window) newTenant(name string) {
	w.t.Helper()
	w.open("/tenants/new")
	w.fill("name", name)
	w.send("article button[type=submit]")
}

func TestFromThePrintedLinkToTheFirstMessage(t *testing.T) {
	s := serve(t)
	w := s.window(chromium(t))
	w.open("/")
	w.says("h1", "Log in")
	w.look("login", "")
	w.signUp()
	w.says("h1", "Your tenants")
	w.look("home-empty", "")
	w.open("/tenants/new")
	w.look("new-tenant", "")
	w.fill("name", "Acme Chat")
	w.send("article button[type=submit]")
	w.says("h1", "Get connected")
	w.find("#snippets .code code")
	w.look("connect-waiting", "")
	w.find("#snippets .code code")
	snippet, err := w.find("#snippets .code code").Text()
	w.must(err)
	s.runSnippet(snippet)
	w.says("#arrived", "It works")
	w.says("#arrived", "ms")
	w.look("connect-arrived", "")

	for _, p := range []struct{ name, path string }{
		{"home", "/"},
		{"account", "/account"},
		{"overview", "/t/acme-chat"},
		{"connect-browser", "/t/acme-chat/connect?via=browser"},
		{"connect-http", "/t/acme-chat/connect?via=http"},
		{"rooms", "/t/acme-chat/rooms"},
		{"room", "/t/acme-chat/rooms/lobby"},
		{"shares", "/t/acme-chat/shares"},
		{"reports", "/t/acme-chat/reports"},
		{"users", "/t/acme-chat/users"},
		{"user", "/t/acme-chat/users/alice"},
		{"connections", "/t/acme-chat/connections"},
		{"keys", "/t/acme-chat/keys"},
		{"keys-oidc", "/t/acme-chat/keys?kind=oidc"},
		{"refusals", "/t/acme-chat/refusals"},
		{"audit", "/t/acme-chat/audit"},
		{"people", "/t/acme-chat/people"},
		{"settings", "/t/acme-chat/settings"},
		{"nothing", "/t/other"},
		{"chat", "/t/acme-chat/chat?as=alice"},
		{"operator", "/operator"},
		{"operator-tenant", "/operator/tenants/acme-chat"},
		{"operator-people", "/operator/people"},
		{"operator-servers", "/operator/servers"},
		{"operator-streams", "/operator/streams"},
		{"operator-health", "/operator/health"},
		{"operator-audit", "/operator/audit"},
	} {
		w.look(p.name, p.path)
	}
	w.rotateKey("acme-chat")
	w.open("/operator/health")
	w.says("#checks .tag.good", "nothing is at fault")
	w.says(".tag.good", "every server has every account")
	w.open("/t/acme-chat/users/alice")
	w.fill("reason", "left the company")
	w.send("button.danger")
	w.says(".note.good", "alice is out")
	w.look("user-revoked", "")
}

func TestTwoTalkInTheBrowserAndOneIsThrownOut(t *testing.T) {
	s := serve(t)
	browser := chromium(t)
	w := s.window(browser)
	w.signUp()
	w.newTenant("Acme")

	s.users("acme", "carol")
	alice := &window{Page: w.same(browser), t: t, s: s}
	bob := &window{Page: w.same(browser), t: t, s: s}
	alice.open("/t/acme/chat?as=alice")
	bob.open("/t/acme/chat?as=bob")
	for _, who := range []*window{alice, bob} {
		who.says("[data-part=title]", "Lobby")
		who.says("[data-part=status]", "Connected")
	}
	alice.front()
	alice.must(alice.find("[data-part=text]").Input("Hello **bob** <img src=x onerror=alert(1)>"))
	bob.says("[data-part=typing]", "alice is typing")
	alice.must(alice.find("[data-part=form] button[type=submit]").Click(proto.InputMouseButtonLeft, 1))
	bob.says("[data-part=messages] strong", "bob")
	bob.says("[data-part=messages] p", "<img src=x")

	bob.front()
	bob.must(bob.click(`[data-part=messages] li:last-child button.offer`, "👍"))
	alice.says("[data-part=messages] button.given", "👍 1")
	alice.front()
	alice.must(alice.click(`[data-part=messages] li:last-child button.offer`, "Edit"))
	alice.must(alice.find("[data-part=text]").SelectAllText())
	alice.must(alice.find("[data-part=text]").Input("Hello again"))
	alice.must(alice.find("[data-part=form] button[type=submit]").Click(proto.InputMouseButtonLeft, 1))
	bob.says("[data-part=messages] p", "Hello again")
	bob.says("[data-part=messages] .by", "edited")
	bob.front()
	bob.must(bob.click(`[data-part=messages] li:last-child button.offer`, "Reply"))
	bob.must(bob.find("[data-part=text]").Input("So do I"))
	bob.must(bob.find("[data-part=form] button[type=submit]").Click(proto.InputMouseButtonLeft, 1))
	alice.front()
	alice.must(alice.click(`[data-part=messages] button.given`, "1 reply"))
	alice.says("[data-part=thread]", "Thread")
	alice.says("[data-part=messages] p", "So do I")
	alice.must(alice.find("[data-part=back]").Click(proto.InputMouseButtonLeft, 1))
	bob.losesWhatDoesNotCount()

	alice.front()
	alice.keepsWhatIsRefused(bob)
	alice.findsMore()

	w.front()
	w.open("/t/acme/rooms")
	w.must(w.find("details.more summary").Click(proto.InputMouseButtonLeft, 1))
	w.fill("id", "side")
	w.send("details.more button[type=submit]")
	bob.front()
	bob.must(bob.find("[data-part=find]").Input("side"))
	bob.must(bob.click("[data-part=rooms] button", "side"))
	bob.says("[data-part=title]", "side")
	bob.must(bob.find("[data-part=find]").SelectAllText())
	bob.must(bob.find("[data-part=find]").Input("lobby"))
	alice.front()
	alice.must(alice.find("[data-part=text]").Input("Where are you, bob?"))
	alice.must(alice.find("[data-part=form] button[type=submit]").Click(proto.InputMouseButtonLeft, 1))
	bob.front()
	bob.says("[data-part=rooms] .badge", "1")
	bob.must(bob.click("[data-part=rooms] button", "Lobby"))
	bob.says("[data-part=messages] p", "Where are you, bob")
	bob.look("chat", "")

	w.front()
	w.open("/t/acme/rooms/lobby?q=where")
	w.says("mark", "Where")
	w.send(".list button.danger")
	w.says(".note.good", "The message is deleted")
	w.open("/t/acme/audit?q=message.delete")
	w.says(".list td", "person:ada@example.com")
	bob.says("[data-part=messages] p", "deleted")
	w.open("/t/acme/users/bob")
	w.says("#connections", "token")
	w.fill("reason", "left the company")
	w.send("button.danger")
	w.says(".note.good", "bob is out: 1 connection closed in")
	bob.says("[data-part=status]", "Thrown out")
	w.look("user-revoked", "")
}

func TestARoomIsSharedInTheBrowser(t *testing.T) {
	s := serve(t)
	w := s.window(chromium(t))
	w.signUp()
	for _, name := range []string{"Acme", "Other"} {
		w.newTenant(name)
	}
	w.open("/t/acme/rooms")
	w.must(w.find("details.more summary").Click(proto.InputMouseButtonLeft, 1))
	w.fill("id", "deal")
	w.fill("title", "The deal")
	w.must(w.find("[name=kind]").Select([]string{`[value="shared"]`}, true, rod.SelectorTypeCSSSector))
	w.send("details.more button[type=submit]")
	w.must(w.click("a[role=button]", "Share this room"))
	w.says("h1", "Shares")
	w.fill("guest", "other")
	w.must(w.find("[name=post]").Select([]string{`[value="yes"]`}, true, rod.SelectorTypeCSSSector))
	w.send("details.more button[type=submit]")
	w.says(".note.good", "offered to other")
	w.look("share-offered", "")

	w.open("/t/other/shares")
	w.says(".tag.warn", "waits for your answer")
	w.must(w.click(".list a", "The deal"))
	w.says("h2", "Accept")
	w.fill("title", "Acme and us")
	w.send("article button[type=submit]")
	w.says(".tag.good", "accepted")
	w.look("share-accepted", "")
	w.look("shares", "/t/other/shares")
	w.look("shared-room", "/t/acme/rooms/deal")
	w.talkAcross()
}

// losesWhatDoesNotCount posts too soon in a thread that is open: the message is stored, and refused after it was shown.
func (w *window) losesWhatDoesNotCount() {
	w.t.Helper()
	w.s.call(http.MethodPatch, "/v1/tenants/acme/rooms/lobby", `{"slow_seconds":3600}`)
	w.front()
	w.must(w.click("[data-part=messages] button.given", "1 reply"))
	w.says("[data-part=messages] p", "So do I")
	w.must(w.find("[data-part=text]").Input("Me too, me too"))
	w.must(w.find("[data-part=form] button[type=submit]").Click(proto.InputMouseButtonLeft, 1))
	w.says("[data-part=messages] .outgoing p.small", "slow_mode")
	v, err := w.Eval(`() => [...document.querySelectorAll("[data-part=messages] p")].filter((p) => p.textContent.includes("Me too")).length`)
	w.must(err)
	if got := v.Value.Int(); got != 1 {
		w.t.Errorf("the refused reply is shown %d times, want once, as not sent", got)
	}
	w.must(w.click("[data-part=messages] .outgoing button", "Discard"))
	w.must(w.find("[data-part=back]").Click(proto.InputMouseButtonLeft, 1))
	w.says("[data-part=messages] button.given", "1 reply")
	w.s.call(http.MethodPatch, "/v1/tenants/acme/rooms/lobby", `{"slow_seconds":0}`)
}

// findsMore searches for what a page of hits does not hold.
func (w *window) findsMore() {
	w.t.Helper()
	for i := range 21 {
		w.s.call(http.MethodPost, "/v1/tenants/acme/rooms/lobby/messages", fmt.Sprintf(`{"as":"carol","text":"marble %d"}`, i))
	}
	w.must(w.find("[data-part=search] input").Input("marble"))
	w.must(w.find("[data-part=search] input").Type(input.Enter))
	w.says("[data-part=found] h3", "^Found 20 and more$")
	w.must(w.click("[data-part=found] > button", "More"))
	w.says("[data-part=found] h3", "^Found 21$")
	w.look("chat-found", "")
}

// keepsWhatIsRefused has a message refused, and sent by another click once it may be.
func (w *window) keepsWhatIsRefused(other *window) {
	w.t.Helper()
	w.s.call(http.MethodPatch, "/v1/tenants/acme/rooms/lobby", `{"state":"frozen"}`)
	carol := w.s.peer("acme", "carol")
	eventually(w.t, "the room is closed", func() bool {
		_, err := carol.tryPost("chat.std.open.lobby.carol", "x", "", 200*time.Millisecond)
		return err != nil
	})
	w.must(w.find("[data-part=text]").Input("Is it cold in here?"))
	w.must(w.find("[data-part=form] button[type=submit]").Click(proto.InputMouseButtonLeft, 1))
	w.says("[data-part=messages] .outgoing .tag.bad", "not sent")
	w.says("[data-part=messages] .outgoing p", "Is it cold")
	w.look("chat-not-sent", "")
	w.s.call(http.MethodPatch, "/v1/tenants/acme/rooms/lobby", `{"state":"active"}`)
	w.front()
	eventually(w.t, "it is sent after all", func() bool {
		v, err := w.Eval(`() => {
			const left = document.querySelector("[data-part=messages] .outgoing");
			left?.querySelector("button")?.click();
			return !left;
		}`)
		w.must(err)
		return v.Value.Bool()
	})
	other.says("[data-part=messages] p", "Is it cold")
	if got := strings.Count(w.s.texts("acme", "lobby"), "Is it cold"); got != 1 {
		w.t.Errorf("the message is stored %d times, want once", got)
	}
}

// talkAcross has a user of each tenant in the room that they share.
func (w *window) talkAcross() {
	w.t.Helper()
	rooms := w.s.send(w.s.token, http.MethodGet, "/v1/tenants/acme/rooms/deal", "")
	var deal struct{ Room tenant.Room }
	w.must(json.Unmarshal(rooms.body, &deal))
	w.s.member("acme", "deal", "alice", "member")
	w.s.member("other", deal.Room.Address, "bob", "member")
	alice := &window{Page: w.same(w.Browser()), t: w.t, s: w.s}
	bob := &window{Page: w.same(w.Browser()), t: w.t, s: w.s}
	alice.open("/t/acme/chat?as=alice")
	bob.open("/t/other/chat?as=bob")
	alice.must(alice.click("[data-part=rooms] button", "The deal"))
	alice.says("[data-part=rooms] .with", "shared with other")
	alice.says("[data-part=title]", "The deal")
	bob.must(bob.click("[data-part=rooms] button", "Acme and us"))
	bob.says("[data-part=rooms] .with", "shared with acme")
	bob.says("[data-part=title]", "Acme and us")
	say := func(who *window, text string) {
		who.front()
		who.must(who.find("[data-part=text]").Input(text))
		who.must(who.find("[data-part=form] button[type=submit]").Click(proto.InputMouseButtonLeft, 1))
	}
	say(alice, "Shall we?")
	bob.says("[data-part=messages] p", "Shall we?")
	bob.says("[data-part=messages] .by", "@acme")
	say(bob, "We shall.")
	alice.says("[data-part=messages] p", "We shall.")
	alice.says("[data-part=messages] li:last-child .by", "@other")
	bob.look("chat-shared", "")
	bob.front()
	bob.must(bob.click("[data-part=messages] button.offer", "👍"))
	alice.says("[data-part=messages] button.given", "👍 1")
}

// front brings the window before the others: those behind do not draw, and don't take what is typed.
func (w *window) front() {
	w.t.Helper()
	_, err := w.Activate()
	w.must(err)
}

// same opens another window with this one's cookies.
func (w *window) same(b *rod.Browser) *rod.Page {
	w.t.Helper()
	own := *b
	own.BrowserContextID = w.Browser().BrowserContextID
	p, err := own.Page(proto.TargetCreateTarget{URL: "about:blank"})
	w.must(err)
	return p.Timeout(4 * patience)
}

// click clicks an element whose text has a part, as a script would: it shows only while the mouse is over it.
func (w *window) click(selector, part string) error {
	e, err := w.Timeout(patience).ElementR(selector, part)
	if err != nil {
		return fmt.Errorf("look for %q in %s: %w", part, selector, err)
	}
	_, err = e.CancelTimeout().Eval(`() => this.click()`)
	return err
}

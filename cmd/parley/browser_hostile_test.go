package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// hostile is what a page must show as text: run, it says so in the window.
const hostile = `"'><script>window.hacked=1</script><img src=x onerror="window.hacked=2"><svg/onload=window.hacked=3> [x](javascript:window.hacked=4)`

// watch notes in each page what its policy refused, and whether something ran.
const watch = `() => document.addEventListener("securitypolicyviolation", (e) => { window.hacked = "tried: " + e.violatedDirective + " " + e.blockedURI; })`

// Whatever is typed into names, messages and reasons is text on every page that shows it.
func TestNothingThatIsTypedRunsOnAPage(t *testing.T) { // INP-05
	s := serve(t)
	w := s.window(chromium(t))
	_, err := w.EvalOnNewDocument("(" + watch + ")()")
	w.must(err)
	w.signUp()
	w.newTenant("Acme")
	body := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	named := body(map[string]any{"name": hostile})
	reason := body(map[string]any{"reason": hostile})
	s.call(http.MethodPatch, "/v1/tenants/acme", named)
	for _, u := range []string{"alice", "carol", "dave"} {
		s.call(http.MethodPut, "/v1/tenants/acme/users/"+u, named)
	}
	s.call(http.MethodPost, "/v1/tenants/acme/rooms", body(map[string]any{"id": "den", "kind": "private", "title": hostile}))
	s.member("acme", "den", "alice", "owner")
	s.member("acme", "den", "bob", "member")
	s.member("acme", "den", "carol", "member")
	alice, bob := s.peer("acme", "alice"), s.peer("acme", "bob")
	attached := []any{map[string]any{"url": "https://x.example/?" + "%22onmouseover=alert(1)", "name": hostile, "type": "text/html"}}
	ack, err := bob.tryBody("chat.std.private.den.bob", body(map[string]any{"text": hostile, "attachments": attached, "data": map[string]any{"k": hostile}}), "", patience)
	if err != nil {
		t.Fatal(err)
	}
	alice.must("report", `{"room":"den","seq":%d,"reason":%s}`, ack.Seq, body(hostile[:100]))
	alice.must("pin", `{"room":"den","seq":%d,"on":true}`, ack.Seq)
	s.call(http.MethodPut, "/v1/tenants/acme/rooms/den/mutes/bob", body(map[string]any{"seconds": 3600, "reason": hostile}))
	s.call(http.MethodPut, "/v1/tenants/acme/rooms/den/bans/dave", body(map[string]any{"seconds": 3600, "reason": hostile}))
	s.call(http.MethodPut, "/v1/tenants/acme/rooms/den/hold", reason)
	s.addKey("acme", body(map[string]any{"kind": "api", "name": hostile, "scopes": []string{"read"}}))
	old := nats.Token(s.userToken("acme", "dave"))
	s.call(http.MethodPost, "/v1/tenants/acme/users/dave/revoke", reason)
	s.refusedAs("acme", "dave", "user_revoked", s.NATS, old, nats.NoReconnect())

	for path, shown := range map[string]string{
		"/t/acme": "", "/t/acme/rooms": "script", "/t/acme/rooms/den": "script", "/t/acme/rooms/den?q=script": "script", "/t/acme/users": "script", "/t/acme/users?q=%3Cscript%3E": "", "/t/acme/users/dave": "script",
		"/t/acme/reports": "script", "/t/acme/keys": "script", "/t/acme/refusals?q=%22%3E%3Cscript%3E": "", "/t/acme/audit": "user.revoke", "/t/acme/holds": "script", "/t/acme/settings": "", "/t/acme/people": "", "/t/acme/connect": "",
		"/operator": "script", "/operator/tenants/acme": "script", "/operator/audit": "",
	} {
		w.open(path)
		if text, err := w.find("main").Text(); err != nil || !strings.Contains(text, shown) {
			t.Errorf("%s: got %.300q, %v, want what was typed shown as text", path, text, err)
		}
		w.ranNothing(path)
	}
	w.open("/t/acme/chat?as=alice")
	w.must(w.click("[data-part=rooms] button", "script"))
	w.says("[data-part=messages] p", "onerror")
	w.says("[data-part=messages] a", "onerror") // the attachment's name
	w.must(w.find("[data-part=text]").Input(hostile))
	w.must(w.find("[data-part=form] button[type=submit]").Click("left", 1))
	w.says("[data-part=messages] li:last-child p", "onerror")
	w.ranNothing("the chat page")
}

// ranNothing wants nothing run, and nothing that only the policy kept from running.
func (w *window) ranNothing(where string) {
	w.t.Helper()
	got, err := w.Eval(`() => String(window.hacked) + " " + document.querySelectorAll("a[href^='javascript:'], [onerror], [onload], main script").length`)
	w.must(err)
	if got.Value.Str() != "undefined 0" {
		w.t.Errorf("%s: got %s, want nothing run and no markup of what was typed", where, got.Value.Str())
	}
}

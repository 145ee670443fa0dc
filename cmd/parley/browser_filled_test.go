package main

import (
	"net/http"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestPagesOfATenantWithTroubles looks at the pages that are empty at first, with what admins come to see there.
func TestPagesOfATenantWithTroubles(t *testing.T) {
	s := serve(t)
	w := s.window(chromium(t))
	w.signUp()
	w.newTenant("Acme")
	s.users("acme", "carol", "dave", "erin")
	s.room("acme", "plans", "private")
	s.member("acme", "plans", "alice", "owner")
	s.member("acme", "plans", "bob", "member")
	s.member("acme", "plans", "carol", "member")
	alice, bob := s.peer("acme", "alice"), s.peer("acme", "bob")
	for _, text := range []string{"We meet at nine.", "Buy my **watches** now: https://shop.example/a-very-long-address-that-no-phone-has-room-for/and-it-goes-on-and-on?with=parameters", "Sorry about bob."} {
		bob.post("chat.std.private.plans.bob", text, "")
	}
	spam := s.history("acme", "plans")[1].Seq
	alice.must("report", `{"room":"plans","seq":%d,"reason":"spam, and not for the first time this week"}`, spam)
	alice.must("pin", `{"room":"plans","seq":%d}`, s.history("acme", "plans")[0].Seq)
	s.call(http.MethodPut, "/v1/tenants/acme/rooms/plans/mutes/bob", `{"seconds":3600,"reason":"spam"}`)
	s.call(http.MethodPut, "/v1/tenants/acme/rooms/plans/bans/dave", `{"seconds":3600,"reason":"a stranger"}`)
	s.call(http.MethodPost, "/v1/tenants/acme/users/erin/erase", ``)
	s.call(http.MethodPut, "/v1/tenants/acme/hold", `{"reason":"Case 4711, ask legal@example.com before it is lifted"}`)
	s.call(http.MethodPut, "/v1/tenants/acme/rooms/plans/hold", `{"reason":"Case 4712"}`)
	s.credsFile("acme", "carol")
	s.addKey("acme", `{"kind":"api","name":"backend","scopes":["read","chat"]}`)
	old := nats.Token(s.userToken("acme", "dave"))
	s.call(http.MethodPost, "/v1/tenants/acme/users/dave/revoke", `{"reason":"left"}`)
	s.refusedAs("acme", "dave", "user_revoked", s.NATS, old, nats.NoReconnect())

	for _, p := range []struct{ name, path, selector, says string }{
		{"filled-overview", "/t/acme", "h1", "Acme"},
		{"filled-room", "/t/acme/rooms/plans", "main", "a stranger"},
		{"filled-reports", "/t/acme/reports", "main", "not for the first time"},
		{"filled-users", "/t/acme/users", "main", "carol"},
		{"filled-user", "/t/acme/users/carol", "main", "plans"},
		{"filled-erasure", "/t/acme/users/erin/erasure", "main", "erin"},
		{"filled-connections", "/t/acme/connections", "main", "alice"},
		{"filled-keys", "/t/acme/keys", "main", "backend"},
		{"filled-refusals", "/t/acme/refusals", "main", "dave"},
		{"filled-audit", "/t/acme/audit", "main", "member.ban"},
		{"filled-holds", "/t/acme/holds", "main", "Case 4711"},
		{"filled-hold-lift", "/t/acme/holds/lift?room=plans", "main", "Type plans to confirm"},
		{"filled-settings", "/t/acme/settings", "main", "Identity providers"},
	} {
		w.open(p.path)
		w.says(p.selector, p.says)
		w.look(p.name, "")
	}

	w.open("/t/acme/reports")
	w.must(w.click("td.end button", "Dealt with"))
	w.says(".note.good", "closed")
	w.open("/t/acme/reports?state=closed")
	w.says("td.end .tag", "dealt with")
	w.look("filled-report-closed", "")
}

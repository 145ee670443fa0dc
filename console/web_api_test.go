package console

import (
	"net/http"
	"strings"
	"testing"

	"parley/tenant"
)

// The API takes the console's session, with the rights of who is logged in; every route as everybody who may not.
func TestTheAPITakesTheConsolesSession(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	changes := func() int { return w.count("SELECT count(*) FROM audit") + len(w.chat.calls()) }
	call := func(who, method, path, body string, headers ...string) reply {
		return w.who[who].send(method, path, body, append([]string{"Content-Type", "application/json", "Origin", w.url}, headers...)...)
	}
	before := changes()
	for id, op := range operations(w.web.c.api) {
		path := fill(op.Path, "acme", "alice", "lobby")
		isWrite := op.Method != http.MethodGet
		want := func(what string, got reply, status int) {
			t.Helper()
			if got.status != status {
				t.Errorf("%s, %s: got %d %s, want %d", id, what, got.status, got.body, status)
			}
		}
		want("nobody", call("nobody", op.Method, path, matrix[id].body), 401)
		want("a bad key beside the session", call("owner", op.Method, path, matrix[id].body, "Authorization", "Bearer nothing"), 401)
		if isWrite {
			for how, headers := range foreign {
				if how != "plain text from abroad" {
					want(how, call("owner", op.Method, path, matrix[id].body, headers...), 403)
				}
			}
		}
		if !strings.Contains(op.Path, "{tenant}") {
			want("who is no operator", call("owner", op.Method, path, matrix[id].body), 403)
			continue
		}
		want("a stranger", call("stranger", op.Method, path, matrix[id].body), 404)
		want("an operator who did not say why", call("operator", op.Method, path, matrix[id].body), 404)
	}
	if n := changes() - before; n != 0 {
		t.Errorf("got %d changes, want none", n)
	}
	for _, c := range []struct {
		who, method, path, body string
		status                  int
	}{
		{"operator", "GET", "/v1/tenants", "", 200},
		{"viewer", "GET", "/v1/tenants/acme/users", "", 200},
		{"viewer", "PUT", "/v1/tenants/acme/users/erin", `{"name":"Erin"}`, 403},
		{"admin", "PUT", "/v1/tenants/acme/users/erin", `{"name":"Erin"}`, 201},
		{"developer", "POST", "/v1/tenants/acme/users/erin/tokens", `{"ttl_seconds":60}`, 201},
	} {
		if got := call(c.who, c.method, c.path, c.body); got.status != c.status {
			t.Errorf("%s %s as %s: got %d %s, want %d", c.method, c.path, c.who, got.status, got.body, c.status)
		}
	}
	trail, err := w.desk.AuditTrail(t.Context(), tenant.Operator(), "acme", tenant.Page{Query: "user:erin", Limit: 1})
	w.must(err)
	if len(trail) != 1 || trail[0].Actor != "person:developer@example.com" {
		t.Errorf("got the trail %+v, want the person in it", trail)
	}
}

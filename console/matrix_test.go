package console

import (
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"parley/tenant"
)

// rule is who may use a route.
type rule struct {
	scope    tenant.Scope // "": the operator alone
	body     string
	status   int
	contains string // a part of the answer
}

// matrix has every route; TestMatrix fails where one is missing.
var matrix = map[string]rule{
	"create-tenant":         {"", `{"id":"t3"}`, 201, `"api_key":"the-secret-key"`},
	"list-tenants":          {"", "", 200, `{"tenants":[],"more":false}`},
	"list-loads":            {"", "", 200, `{"loads":[],"more":false}`},
	"get-health":            {"", "", 200, `{"ok":false,"checks":[{"name":"postgres","ok":false,`},
	"list-servers":          {"", "", 200, `{"servers":[{"id":"N1","name":"n1","answers":true,`},
	"list-streams":          {"", "", 200, `{"streams":[{"stream":"std-A1","tenant":"t1","class":"std",`},
	"get-tenant":            {tenant.ScopeRead, "", 200, `{"tenant":{"id":"t1"`},
	"update-tenant":         {tenant.ScopeAdmin, `{"name":"One"}`, 200, `{"tenant":{"id":"t1"`},
	"delete-tenant":         {"", "", 204, ""},
	"put-user":              {tenant.ScopeAdmin, `{"name":"Al"}`, 200, `{"user":{"id":"alice"`},
	"list-users":            {tenant.ScopeRead, "", 200, `{"users":[],"more":false}`},
	"get-user":              {tenant.ScopeRead, "", 200, `{"user":{"id":"alice"`},
	"delete-user":           {tenant.ScopeAdmin, "", 204, ""},
	"revoke-user":           {tenant.ScopeAdmin, `{"reason":"left"}`, 200, `{"disconnected":2,"took_ms":1.5}`},
	"restore-user":          {tenant.ScopeAdmin, "", 200, `{"user":{"id":"alice"`},
	"mint-token":            {tenant.ScopeChat, `{"ttl_seconds":60}`, 201, `{"token":"the-secret-token","expires_at":"1970-01-01T00:01:00Z"}`},
	"issue-creds":           {tenant.ScopeAdmin, "", 201, "the-secret-creds\n"},
	"list-creds":            {tenant.ScopeRead, "", 200, `{"credentials":[],"more":false}`},
	"revoke-creds":          {tenant.ScopeAdmin, "", 200, `{"disconnected":1,"took_ms":1}`},
	"revoke-token":          {tenant.ScopeAdmin, "", 200, `{"disconnected":1,"took_ms":1}`},
	"add-key":               {tenant.ScopeAdmin, `{"kind":"api","name":"bot","scopes":["chat"]}`, 201, `"api_key":"the-secret-api-key"`},
	"list-keys":             {tenant.ScopeRead, "", 200, `{"keys":[],"more":false}`},
	"get-key":               {tenant.ScopeRead, "", 200, `{"key":{"id":"kkkkkkkkkkkk"`},
	"rotate-key":            {tenant.ScopeAdmin, `{"overlap_seconds":60}`, 201, `"api_key":"the-secret-api-key","replaces":{"id":"kkkkkkkkkkkk","ends_at":"1970-01-01T00:01:00Z"}`},
	"remove-key":            {tenant.ScopeAdmin, "", 204, ""},
	"list-connections":      {tenant.ScopeRead, "", 200, `{"connections":[]}`},
	"list-user-connections": {tenant.ScopeRead, "", 200, `{"connections":[{"user":"alice"`},
	"create-room":           {tenant.ScopeAdmin, `{"id":"r","kind":"open","class":""}`, 201, `{"room":{"id":"r"`},
	"list-rooms":            {tenant.ScopeRead, "", 200, `{"rooms":[],"more":false}`},
	"get-room":              {tenant.ScopeRead, "", 200, `{"room":{"id":"lobby"`},
	"update-room":           {tenant.ScopeAdmin, `{"title":"Hall"}`, 200, `{"room":{"id":"lobby"`},
	"delete-room":           {tenant.ScopeAdmin, "", 204, ""},
	"put-member":            {tenant.ScopeAdmin, `{"role":"owner"}`, 200, `{"member":{"user":"alice"`},
	"remove-member":         {tenant.ScopeAdmin, "", 204, ""},
	"list-members":          {tenant.ScopeRead, "", 200, `{"members":[],"more":false}`},
	"invite-member":         {tenant.ScopeModerate, `{"role":"member","seconds":60}`, 200, `{"member":{"user":"alice"`},
	"ban-member":            {tenant.ScopeModerate, `{"until":"2026-01-01T00:00:00Z","reason":"spam"}`, 200, `{"member":{"user":"alice"`},
	"unban-member":          {tenant.ScopeModerate, "", 204, ""},
	"mute-member":           {tenant.ScopeModerate, `{"seconds":60}`, 200, `{"mute":{"user":"alice"`},
	"unmute-member":         {tenant.ScopeModerate, "", 204, ""},
	"list-mutes":            {tenant.ScopeRead, "", 200, `{"mutes":[],"more":false}`},
	"list-reports":          {tenant.ScopeRead, "", 200, `{"reports":[],"more":false}`},
	"close-report":          {tenant.ScopeModerate, `{"outcome":"acted","note":"warned"}`, 200, `"closed":{"outcome":"acted","note":"warned"`},
	"list-messages":         {tenant.ScopeRead, "", 200, `{"messages":[{"seq":1`},
	"search-messages":       {tenant.ScopeRead, "", 200, `{"messages":[{"room":"lobby","seq":1,`},
	"post-message":          {tenant.ScopeChat, `{"as":"alice","text":"hi"}`, 201, `{"seq":1152921504606846976}`},
	"place-tenant-hold":     {tenant.ScopeAdmin, `{"reason":"case 7"}`, 200, `{"hold":{"reason":"case 7"`},
	"lift-tenant-hold":      {tenant.ScopeAdmin, "", 204, ""},
	"place-room-hold":       {tenant.ScopeAdmin, `{"reason":"case 7"}`, 200, `{"hold":{"room":"lobby","reason":"case 7"`},
	"lift-room-hold":        {tenant.ScopeAdmin, "", 204, ""},
	"list-holds":            {tenant.ScopeAdmin, "", 200, `{"holds":[]}`},
	"erase-user":            {tenant.ScopeAdmin, "", 202, `{"erasure":{"user":"alice","messages":0`},
	"get-erasure":           {tenant.ScopeAdmin, "", 200, `{"erasure":{"user":"alice","messages":7`},
	"export-room":           {tenant.ScopeRead, "", 200, `{"seq":7}`},
	"export-held":           {tenant.ScopeAdmin, "", 200, `{"id":7}`},
	"import-room":           {tenant.ScopeAdmin, "{}\n{}\n", 200, `{"imported":2,"doubles":0,"skipped":0,"line":1}`},
	"export-user":           {tenant.ScopeAdmin, "", 200, `{"user":"alice"}`},
	"get-usage":             {tenant.ScopeRead, "", 200, `"users":{"used":2,"limit":3}`},
	"offer-share":           {tenant.ScopeAdmin, `{"room":"hall","guest":"t2"}`, 201, `{"share":{"id":"ssssssssssssssssssssssssss"`},
	"list-shares":           {tenant.ScopeRead, "", 200, `{"shares":[],"more":false}`},
	"get-share":             {tenant.ScopeRead, "", 200, `{"share":{"id":"ssssssssssssssssssssssssss"`},
	"update-share":          {tenant.ScopeAdmin, `{"post":true}`, 200, `"post":true`},
	"accept-share":          {tenant.ScopeAdmin, "", 200, `"status":"accepted"`},
	"decline-share":         {tenant.ScopeAdmin, "", 200, `"status":"declined"`},
	"end-share":             {tenant.ScopeAdmin, "", 204, ""},
	"edit-message":          {tenant.ScopeChat, `{"as":"alice","text":"hi"}`, 200, `{"message":{"seq":7,`},
	"react-to-message":      {tenant.ScopeChat, `{"as":"alice","emoji":"👍"}`, 200, `{"message":{"seq":7,`},
	"delete-message":        {tenant.ScopeAdmin, "", 204, ""},
	"pin-message":           {tenant.ScopeModerate, "", 204, ""},
	"unpin-message":         {tenant.ScopeModerate, "", 204, ""},
	"list-audit":            {tenant.ScopeRead, "", 200, `{"audit":[],"more":false}`},
	"list-refusals":         {tenant.ScopeRead, "", 200, `{"refusals":[],"more":false}`},
}

func operations(api huma.API) map[string]*huma.Operation {
	ops := map[string]*huma.Operation{}
	for _, item := range api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete, item.Patch, item.Head, item.Options, item.Trace} {
			if op != nil {
				ops[op.OperationID] = op
			}
		}
	}
	return ops
}

// fill puts ids into a path; a key is the one that there is, or none.
func fill(path, tenant, user, room string) string {
	return strings.NewReplacer("{tenant}", tenant, "{user}", user, "{room}", room, "{key}", "kkkkkkkkkkkk", "{seq}", "7", "{report}", "7",
		"{nkey}", "U"+strings.Repeat("A", 55), "{token}", "T1", "{share}", theShare.ID).Replace(path)
}

// lacking is a key of the first tenant without the scope.
func lacking(s tenant.Scope) string {
	if s == tenant.ScopeRead {
		return keyAdmin
	}
	return keyRead
}

func only(s tenant.Scope) string {
	return map[tenant.Scope]string{tenant.ScopeRead: keyRead, tenant.ScopeChat: keyChat, tenant.ScopeModerate: keyAdmin, tenant.ScopeAdmin: keyAdmin}[s]
}

// CON-10, ISO-21: every route with every key that is not to open it, beside those that are.
func TestMatrix(t *testing.T) {
	t.Parallel()
	ops := operations(newHarness(t, nil).c.api)
	for id := range matrix {
		if ops[id] == nil {
			t.Errorf("the matrix has %s, which is no route", id)
		}
	}
	for id, op := range ops {
		r, ok := matrix[id]
		if !ok {
			t.Errorf("the route %s %s (%s) is missing from the matrix", op.Method, op.Path, id)
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			tryRoute(t, op, r)
		})
	}
}

func tryRoute(t *testing.T, op *huma.Operation, r rule) {
	h := newHarness(t, nil)
	own := fill(op.Path, "t1", "alice", "lobby")
	isWrite := op.Method != "GET"

	refused := func(who, key string, status int, code tenant.Code, path, body string) reply {
		t.Helper()
		before := len(h.fake.calls())
		got := h.do(op.Method, path, key, body)
		if got.status != status || got.failure(t).Code != code {
			t.Errorf("%s at %s: got %d %s, want %d %s", who, path, got.status, got.body, status, code)
		}
		if after := len(h.fake.calls()); after != before {
			t.Errorf("%s at %s: got an effect, want none", who, path)
		}
		return got
	}
	allowed := func(who, key string) {
		t.Helper()
		before := len(h.fake.calls())
		got := h.do(op.Method, own, key, r.body)
		if got.status != r.status || !strings.Contains(got.body, r.contains) {
			t.Errorf("%s: got %d %q, want %d with %q", who, got.status, got.body, r.status, r.contains)
		}
		if after := len(h.fake.calls()); isWrite && after != before+1 {
			t.Errorf("%s: got %d effects, want 1", who, after-before)
		}
	}

	allowed("the operator", operatorToken)
	refused("nobody", "", 401, tenant.CodeUnauthorized, own, r.body)
	refused("an unknown key", testKey("ffffffffffff"), 401, tenant.CodeUnauthorized, own, r.body)
	refused("nobody with a bad body", "", 401, tenant.CodeUnauthorized, own, "{")

	hasTenant := strings.Contains(op.Path, "{tenant}")
	switch {
	case r.scope != "":
		allowed("the tenant's key", key1)
		allowed("a key with the scope alone", only(r.scope))
		refused("a key without the scope", lacking(r.scope), 403, tenant.CodeForbidden, own, r.body)
	default:
		refused("the tenant's key", key1, 403, tenant.CodeForbidden, own, r.body)
	}
	if !hasTenant {
		refused("another tenant's key", key2, 403, tenant.CodeForbidden, own, r.body)
		return
	}
	theirs := refused("another tenant's key", key2, 404, tenant.CodeNotFound, own, r.body)
	absent := refused("a key at no tenant", key2, 404, tenant.CodeNotFound, fill(op.Path, "nope", "alice", "lobby"), r.body)
	if theirs.body != absent.body {
		t.Errorf("another tenant's key: got %q, which differs from %q of an absent tenant", theirs.body, absent.body)
	}
	refused("another tenant's key with a bad body", key2, 404, tenant.CodeNotFound, own, "{")
	refused("another tenant's key with a bad query", key2, 404, tenant.CodeNotFound, own+"?limit=x", r.body)
	refused("another tenant's key with bad ids", key2, 404, tenant.CodeNotFound, fill(op.Path, "t1", "A*", "A*"), r.body)
	refused("a key with a bad tenant id", key1, 404, tenant.CodeNotFound, fill(op.Path, "T1*", "alice", "lobby"), r.body)
	refused("the operator at no tenant", operatorToken, 404, tenant.CodeNotFound, fill(op.Path, "nope", "alice", "lobby"), "{")
	refused("the operator with a bad tenant id", operatorToken, 422, tenant.CodeInvalid, fill(op.Path, "T1*", "alice", "lobby"), r.body)
	tryThings(t, op, r, refused)
}

// tryThings asks for users and rooms that don't exist or can't.
func tryThings(t *testing.T, op *huma.Operation, r rule, refused func(string, string, int, tenant.Code, string, string) reply) {
	t.Helper()
	for _, name := range []string{"user", "room"} {
		if !strings.Contains(op.Path, "{"+name+"}") {
			continue
		}
		absent, bad := fill(op.Path, "t1", "nope", "lobby"), fill(op.Path, "t1", "No*pe", "lobby")
		if name == "room" {
			absent, bad = fill(op.Path, "t1", "alice", "nope"), fill(op.Path, "t1", "alice", "No*pe")
		}
		if op.OperationID != "put-user" {
			refused("a key at no "+name, key1, 404, tenant.CodeNotFound, absent, r.body)
			if r.body != "" {
				refused("a key at no "+name+" with a bad body", key1, 404, tenant.CodeNotFound, absent, `{"no_such_field":1}`)
			}
		}
		got := refused("a key with a bad id of a "+name, key1, 422, tenant.CodeInvalid, bad, r.body)
		if got.failure(t).Fields[name] == "" {
			t.Errorf("a bad id: got %s, want the field %s named", got.body, name)
		}
	}
}

// CON-11
func TestSecurityHeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	want := map[string]string{
		"X-Content-Type-Options":  "nosniff",
		"Cache-Control":           "no-store",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		"Referrer-Policy":         "no-referrer",
	}
	check := func(got reply) {
		t.Helper()
		for name, value := range want {
			if got.header.Get(name) != value {
				t.Errorf("%d: got %s %q, want %q", got.status, name, got.header.Get(name), value)
			}
		}
		if len(got.header.Get("X-Request-Id")) != 26 {
			t.Errorf("%d: got the request id %q, want 26 characters", got.status, got.header.Get("X-Request-Id"))
		}
	}
	var ids []string
	for id, op := range operations(h.c.api) {
		for _, key := range []string{operatorToken, key2, ""} {
			got := h.do(op.Method, fill(op.Path, "t1", "alice", "lobby"), key, matrix[id].body)
			check(got)
			ids = append(ids, got.header.Get("X-Request-Id"))
		}
	}
	slices.Sort(ids)
	if n := len(ids); len(slices.Compact(ids)) != n {
		t.Error("got a request id twice, want each once")
	}
	for _, path := range []string{"/", "/v1", "/v1/openapi.json", "/v1/tenants/", "/v1//tenants", "/v1/tenants/.."} {
		check(h.do("GET", path, "", ""))
		check(h.do("OPTIONS", path, "", ""))
	}
}

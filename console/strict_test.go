package console

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"parley/tenant"
)

const (
	aTenant  = "/v1/tenants"
	aUser    = "/v1/tenants/t1/users/alice"
	someRoom = "/v1/tenants/t1/rooms"
	messages = "/v1/tenants/t1/rooms/lobby/messages"
)

func TestBadBodies(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	deep := strings.Repeat(`{"limits":`, 100_000)
	cases := map[string]struct {
		method, path, body string
		field              string // "": none is named
	}{
		"unknown name":             {"POST", aTenant, `{"id":"x","nope":1}`, "nope"},
		"name in another case":     {"POST", aTenant, `{"ID":"x"}`, "ID"},
		"unknown inner name":       {"POST", aTenant, `{"id":"x","limits":{"nope":1}}`, "limits.nope"},
		"doubled name":             {"POST", aTenant, `{"id":"x","id":"y"}`, "id"},
		"doubled by an escape":     {"POST", aTenant, `{"id":"x","\u0069d":"y"}`, "id"},
		"doubled inner name":       {"POST", aTenant, `{"id":"x","limits":{"users":1,"users":2}}`, "limits.users"},
		"missing name":             {"POST", aTenant, `{"name":"x"}`, "id"},
		"missing name in a room":   {"POST", someRoom, `{"id":"x"}`, "kind"},
		"string for a number":      {"POST", aTenant, `{"id":"x","limits":{"users":"5"}}`, "limits.users"},
		"number for a string":      {"POST", aTenant, `{"id":5}`, "id"},
		"null for an id":           {"POST", aTenant, `{"id":null}`, "id"},
		"array for an object":      {"POST", aTenant, `{"id":"x","limits":[]}`, "limits"},
		"bool for a string":        {"PUT", aUser, `{"name":true}`, "name"},
		"fraction":                 {"POST", aTenant, `{"id":"x","limits":{"users":1.5}}`, "limits.users"},
		"exponent":                 {"POST", aTenant, `{"id":"x","limits":{"users":1e3}}`, "limits.users"},
		"huge exponent":            {"POST", aTenant, `{"id":"x","limits":{"users":1e999999999}}`, "limits.users"},
		"number past 64 bits":      {"POST", aTenant, `{"id":"x","limits":{"users":9223372036854775808}}`, "limits.users"},
		"number of many digits":    {"POST", aTenant, `{"id":"x","limits":{"users":` + strings.Repeat("9", 900_000) + `}}`, "limits.users"},
		"not a number":             {"POST", aTenant, `{"id":"x","limits":{"users":NaN}}`, "limits.users"},
		"text behind":              {"POST", aTenant, `{"id":"x"} x`, "body"},
		"another object behind":    {"POST", aTenant, `{"id":"x"}{}`, "body"},
		"cut off":                  {"POST", aTenant, `{"id":"x"`, ""},
		"cut off in a string":      {"POST", aTenant, `{"id":"x`, "id"},
		"no JSON":                  {"POST", aTenant, `id=x`, "body"},
		"bad UTF-8":                {"POST", aTenant, "{\"id\":\"x\",\"name\":\"\xff\"}", "name"},
		"bad UTF-8 in a name":      {"POST", aTenant, "{\"id\":\"x\",\"na\xffme\":\"\"}", ""},
		"lone surrogate":           {"POST", aTenant, `{"id":"x","name":"\ud800"}`, "name"},
		"byte order mark":          {"POST", aTenant, "\ufeff" + `{"id":"x"}`, "body"},
		"NUL":                      {"PUT", aUser, `{"name":"a\u0000b"}`, "name"},
		"NUL in a name":            {"PUT", aUser, `{"a\u0000b":"x"}`, ""},
		"raw control character":    {"PUT", aUser, "{\"name\":\"a\nb\"}", "name"},
		"long name":                {"PUT", aUser, `{"name":"` + strings.Repeat("ä", 201) + `"}`, "name"},
		"long title":               {"POST", someRoom, `{"id":"x","kind":"open","title":"` + strings.Repeat("a", 201) + `"}`, "title"},
		"long reason":              {"POST", aUser + "/revoke", `{"reason":"` + strings.Repeat("a", 201) + `"}`, "reason"},
		"nested deeply":            {"POST", aTenant, deep, ""},
		"arrays nested deeply":     {"POST", aTenant, strings.Repeat("[", 500_000), ""},
		"many names":               {"POST", aTenant, `{"id":"x"` + manyNames(60_000) + `}`, ""},
		"some unknown names":       {"POST", aTenant, `{"id":"x"` + manyNames(5000) + `}`, ""},
		"long name of a field":     {"POST", aTenant, `{"id":"x","` + strings.Repeat("n", 5000) + `":1}`, ""},
		"empty where needed":       {"POST", aTenant, ``, ""},
		"spaces where needed":      {"POST", aTenant, ` `, ""},
		"null for a body":          {"POST", aTenant, `null`, "body"},
		"null for a patch":         {"PATCH", "/v1/tenants/t1", `null`, "body"},
		"null for an open body":    {"PUT", aUser, `null`, "body"},
		"array for a body":         {"PUT", aUser, `[]`, "body"},
		"string for a body":        {"PUT", aUser, `"x"`, "body"},
		"ttl 0":                    {"POST", aUser + "/tokens", `{"ttl_seconds":0}`, "ttl_seconds"},
		"ttl below 0":              {"POST", aUser + "/tokens", `{"ttl_seconds":-1}`, "ttl_seconds"},
		"ttl past a day":           {"POST", aUser + "/tokens", `{"ttl_seconds":86401}`, "ttl_seconds"},
		"ttl that would overflow":  {"POST", aUser + "/tokens", `{"ttl_seconds":9223372036854775807}`, "ttl_seconds"},
		"status that isn't his":    {"PATCH", "/v1/tenants/t1", `{"status":"deleting"}`, "status"},
		"body where none is taken": {"POST", aUser + "/restore", `{"x":1}`, ""},
		"body of a deletion":       {"DELETE", aUser, `{"x":1}`, ""},
		"sender of a post":         {"POST", messages, `{"as":"_","text":"x"}`, "as"},
		"unknown role":             {"PUT", "/v1/tenants/t1/rooms/lobby/members/alice", `{"role":"king"}`, "role"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := h.do(tc.method, tc.path, operatorToken, tc.body, "Content-Type", "application/json")
			f := got.failure(t)
			if got.status != 422 || f.Code != tenant.CodeInvalid {
				t.Errorf("got %d %s, want 422 invalid", got.status, got.body)
			}
			if _, ok := f.Fields[tc.field]; tc.field != "" && !ok {
				t.Errorf("got the fields %v, want %s named", f.Fields, tc.field)
			}
			if len(got.body) > 3000 {
				t.Errorf("got %d bytes, want a short answer", len(got.body))
			}
		})
	}
	t.Cleanup(func() { // after the parallel cases
		if ran := h.fake.calls(); len(ran) > 0 {
			t.Errorf("got the effects %v, want none", ran)
		}
	})
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	return b.String()
}

func TestGoodBodies(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	long := strings.Repeat("ä", 200)
	cases := map[string]struct {
		method, path, body string
		status             int
		contains           string
	}{
		"all of a tenant":      {"POST", aTenant, `{"id":"x","name":"X","timezone":"UTC","limits":{"users":9223372036854775807}}`, 201, `"users":9223372036854775807`},
		"spaces around":        {"POST", aTenant, " \r\n{\t\"id\" : \"x\" }\n", 201, `"id":"x"`},
		"longest name":         {"PUT", aUser, `{"name":"` + long + `"}`, 200, long},
		"escapes":              {"PUT", aUser, `{"name":"<\u00e4\ud83d\ude00&>"}`, 200, `<ä😀&>`},
		"null for an optional": {"PUT", aUser, `{"name":null}`, 200, `"id":"alice"`},
		"no body":              {"PUT", aUser, ``, 200, `"id":"alice"`},
		"new user":             {"PUT", "/v1/tenants/t1/users/carol", `{}`, 201, `"id":"carol"`},
		"no ttl":               {"POST", aUser + "/tokens", ``, 201, `"expires_at":"1970-01-01T00:00:00Z"`},
		"longest ttl":          {"POST", aUser + "/tokens", `{"ttl_seconds":86400}`, 201, `"expires_at":"1970-01-02T00:00:00Z"`},
		"no reason":            {"POST", aUser + "/revoke", ``, 200, `"disconnected":2`},
		"empty object":         {"POST", aUser + "/restore", `{}`, 200, `"id":"alice"`},
		"no role":              {"PUT", "/v1/tenants/t1/rooms/lobby/members/alice", ``, 200, `"role":"member"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := h.do(tc.method, tc.path, operatorToken, tc.body)
			if got.status != tc.status || !strings.Contains(got.body, tc.contains) {
				t.Errorf("got %d %s, want %d with %s", got.status, got.body, tc.status, tc.contains)
			}
		})
	}
}

func TestSizeOfBodies(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	body := func(size int) string { return `{"id":"x"` + strings.Repeat(" ", size-10) + "}" }
	if got := h.do("POST", aTenant, operatorToken, body(maxBody)); got.status != 201 {
		t.Errorf("1 MiB: got %d %s, want 201", got.status, got.body)
	}
	if got := h.do("POST", aTenant, operatorToken, body(maxBody+1)); got.status != 413 || got.failure(t).Code != tenant.CodeTooLarge {
		t.Errorf("1 MiB and a byte: got %d %s, want 413 too_large", got.status, got.body)
	}
	if got := chunked(t, h, body(maxBody+1)); got != 413 {
		t.Errorf("1 MiB and a byte in chunks: got %d, want 413", got)
	}
	if got := h.do("POST", aTenant, "", body(maxBody+1)); got.status != 401 {
		t.Errorf("too large without a key: got %d, want 401", got.status)
	}
	if got := h.do("PATCH", "/v1/tenants/nope", operatorToken, body(maxBody+1)); got.status != 404 {
		t.Errorf("too large for no tenant: got %d, want 404", got.status)
	}
}

// chunked posts a body whose length isn't told.
func chunked(t *testing.T, h *harness, body string) int {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
		aTenant, operatorToken, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestHeadersOfBodies(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	cases := []struct {
		name, value string
		ok          bool
	}{
		{"Content-Type", "application/json", true},
		{"Content-Type", "application/json; charset=utf-8", true},
		{"Content-Type", "Application/JSON; Charset=UTF-8", true},
		{"Content-Type", "", true},
		{"Content-Type", "application/json; charset=latin1", false},
		{"Content-Type", "text/plain", false},
		{"Content-Type", "application/x-www-form-urlencoded", false},
		{"Content-Type", "application/merge-patch+json", false},
		{"Content-Type", "application/cbor", false},
		{"Content-Type", ";", false},
		{"Content-Encoding", "gzip", false},
	}
	for _, tc := range cases {
		got := h.do("POST", aTenant, operatorToken, `{"id":"x"}`, tc.name, tc.value)
		if tc.ok && got.status != 201 {
			t.Errorf("%s %q: got %d %s, want 201", tc.name, tc.value, got.status, got.body)
		}
		if !tc.ok && (got.status != 422 || got.failure(t).Fields[tc.name] == "") {
			t.Errorf("%s %q: got %d %s, want 422 naming it", tc.name, tc.value, got.status, got.body)
		}
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	users := "/v1/tenants/t1/users"
	cases := []struct {
		path     string
		field    string // "": it is accepted
		contains string
	}{
		{users + "?limit=1", "", `"users":[]`},
		{users + "?limit=1000&after=a&query=b", "", `"users":[]`},
		{users + "?limit=", "", `"users":[]`},
		{users + "?limit=0", "limit", ""},
		{users + "?limit=1001", "limit", ""},
		{users + "?limit=-1", "limit", ""},
		{users + "?limit=x", "limit", ""},
		{users + "?limit=1.5", "limit", ""},
		{users + "?limit=99999999999999999999", "limit", ""},
		{users + "?limit=1&limit=2", "limit", ""},
		{users + "?Limit=1", "Limit", ""},
		{users + "?nope=1", "nope", ""},
		{users + "?query=a%00b", "query", ""},
		{users + "?query=%ff", "query", ""},
		{users + "?after=" + strings.Repeat("a", 201), "after", ""},
		{users + "?query=%zz", "-", ""},
		{users + "?%00=1", "-", ""},
		{users + "?a;b", "-", ""},
		{"/v1/tenants/t1?x=1", "x", ""},
		{"/v1/tenants/t1/audit?after=2026-01-02T03:04:05.123456Z", "", `"audit":[]`},
		{"/v1/tenants/t1/audit?query=x", "query", ""},
		{messages, "", `"text":"0 0 50 0001-01-01T00:00:00Z 0001-01-01T00:00:00Z"`},
		{messages + "?before=18446744073709551615&limit=1000", "", `"text":"18446744073709551615 0 1000 `},
		{messages + "?after=0", "", `"text":"0 1 50 `},
		{messages + "?after=7", "", `"text":"0 7 50 `},
		{messages + "?since=2026-01-02T03:04:05Z&until=2026-01-02T03:04:06%2B01:00", "", `2026-01-02T03:04:05Z 2026-01-02T03:04:06+01:00`},
		{messages + "?before=0", "before", ""},
		{messages + "?before=-1", "before", ""},
		{messages + "?after=-1", "after", ""},
		{messages + "?after=18446744073709551616", "after", ""},
		{messages + "?since=1", "since", ""},
		{messages + "?limit=1001", "limit", ""},
	}
	for _, tc := range cases {
		got := h.do("GET", tc.path, key1, "")
		if tc.field == "" {
			if got.status != 200 || !strings.Contains(got.body, tc.contains) {
				t.Errorf("%s: got %d %s, want 200 with %s", tc.path, got.status, got.body, tc.contains)
			}
			continue
		}
		f := got.failure(t)
		if got.status != 422 || f.Code != tenant.CodeInvalid || tc.field != "-" && f.Fields[tc.field] == "" {
			t.Errorf("%s: got %d %s, want 422 naming %s", tc.path, got.status, got.body, tc.field)
		}
	}
}

func TestDepthAndNumberOfValues(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	flat := func(n int) string { return "[" + strings.Repeat("0,", n-1) + "0]" }
	for _, tc := range []struct {
		name, body string
		says       string // "": it is accepted
	}{
		{"deepest", nested(maxDepth), ""},
		{"too deep", nested(maxDepth + 1), "nested"},
		{"most values", flat(maxTokens - 1), ""},
		{"too many values", flat(maxTokens + 1), "too many"},
	} {
		err := checkJSON([]byte(tc.body))
		if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.says)
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{"id":"x"}`, `{"a":{"b":[1,2,{"c":"\u0000"}]}}`, `[[[[`, `{"a":1,"a":2}`, `1e999`, "\ufeff{}", `{} x`, ``} {
		f.Add([]byte(seed))
	}
	format := jsonFormat()
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkJSON(body) != nil {
			return
		}
		var v any
		if err := format.Unmarshal(body, &v); err != nil {
			t.Errorf("%q: got %v from the decoder, want what was checked to be decoded", body, err)
		}
	})
}

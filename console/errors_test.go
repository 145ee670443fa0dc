package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"parley/tenant"
)

func TestErrorsOfTheDomain(t *testing.T) {
	t.Parallel()
	cases := []struct {
		err    error
		status int
		code   tenant.Code
		retry  string
	}{
		{tenant.Invalid("limits.users", "is odd"), 422, tenant.CodeInvalid, ""},
		{tenant.Errorf(tenant.CodeForbidden, "no"), 403, tenant.CodeForbidden, ""},
		{tenant.Errorf(tenant.CodeLimitReached, "full"), 403, tenant.CodeLimitReached, ""},
		{tenant.ErrNotFound, 404, tenant.CodeNotFound, ""},
		{tenant.ErrConflict, 409, tenant.CodeConflict, ""},
		{tenant.Errorf(tenant.CodeTooLarge, "big"), 413, tenant.CodeTooLarge, ""},
		{tenant.Errorf(tenant.CodeRateLimited, "slow down"), 429, tenant.CodeRateLimited, "1"},
		{tenant.ErrUnavailable, 503, tenant.CodeUnavailable, "1"},
		{fmt.Errorf("wrapped: %w", errors.Join(tenant.ErrUnavailable, errors.New("why"))), 503, tenant.CodeUnavailable, "1"},
		{context.DeadlineExceeded, 503, tenant.CodeUnavailable, "1"},
		{errors.New("the disk is on fire"), 500, tenant.CodeInternal, ""},
	}
	for _, tc := range cases {
		h := newHarness(t, nil)
		h.fake.hook = func(string) error { return tc.err }
		got := h.do("PUT", aUser, key1, `{}`)
		f := got.failure(t)
		if got.status != tc.status || f.Code != tc.code || got.header.Get("Retry-After") != tc.retry {
			t.Errorf("%v: got %d %s, Retry-After %q, want %d %s, %q", tc.err, got.status, got.body, got.header.Get("Retry-After"), tc.status, tc.code, tc.retry)
		}
		if ct := got.header.Get("Content-Type"); ct != "application/json" {
			t.Errorf("%v: got the content type %q, want application/json", tc.err, ct)
		}
		if e, ok := tenant.AsError(tc.err); ok && len(e.Fields) > 0 && f.Fields["limits.users"] != "is odd" {
			t.Errorf("%v: got the fields %v, want those of the domain", tc.err, f.Fields)
		}
	}
}

func TestInternalErrorsStayInside(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(string) error{
		"error": func(string) error { return errors.New("the disk is on fire") },
		"panic": func(string) error { panic("the disk is on fire") },
	} {
		h := newHarness(t, nil)
		h.fake.hook = hook
		got := h.do("PUT", aUser, key1, `{}`)
		id := got.header.Get("X-Request-Id")
		if got.status != 500 || strings.Contains(got.body, "fire") || !strings.Contains(got.failure(t).Message, id) {
			t.Errorf("%s: got %d %s, want 500 with the request id %s and no reason", name, got.status, got.body, id)
		}
		line := h.log.String()
		if !strings.Contains(line, "the disk is on fire") || !strings.Contains(line, id) || !strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("%s: got the log %s, want the reason under the request id", name, line)
		}
		if got := h.do("GET", aUser, key1, ""); got.status != 200 {
			t.Errorf("%s: got %d afterwards, want 200", name, got.status)
		}
	}
}

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	cases := []struct {
		method, path string
		status       int
		code         tenant.Code
		allow        string
	}{
		{"GET", "/", 404, tenant.CodeNotFound, ""},
		{"GET", "/v1/nope", 404, tenant.CodeNotFound, ""},
		{"GET", "/v1/tenants/", 404, tenant.CodeNotFound, ""},
		{"GET", "/v1//tenants", 404, tenant.CodeNotFound, ""},
		{"GET", "/v1/tenants/t1/../t2", 404, tenant.CodeNotFound, ""},
		{"GET", "/v1/tenants/%2e%2e/users", 404, tenant.CodeNotFound, ""},
		{"GET", "/v1/tenants/t1//users", 404, tenant.CodeNotFound, ""},
		{"GET", "/v1/openapi.yaml", 404, tenant.CodeNotFound, ""},
		{"PATCH", "/v1/tenants", 405, tenant.CodeInvalid, "GET, HEAD, POST"},
		{"OPTIONS", "/v1/tenants/t1", 405, tenant.CodeInvalid, "DELETE, GET, HEAD, PATCH"},
		{"TRACE", "/v1/openapi.json", 405, tenant.CodeInvalid, "GET, HEAD"},
		{"GET", "/v1/tenants/t%2F1", 422, tenant.CodeInvalid, ""},
		{"GET", "/v1/tenants/%00", 422, tenant.CodeInvalid, ""},
		{"GET", "/v1/tenants/t1/users/a%00", 422, tenant.CodeInvalid, ""},
	}
	for _, tc := range cases {
		got := h.do(tc.method, tc.path, operatorToken, "")
		if f := got.failure(t); got.status != tc.status || f.Code != tc.code || got.header.Get("Allow") != tc.allow {
			t.Errorf("%s %s: got %d %s, Allow %q, want %d %s, %q", tc.method, tc.path, got.status, got.body, got.header.Get("Allow"), tc.status, tc.code, tc.allow)
		}
	}
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	cases := []struct {
		header string
		status int
	}{
		{"Bearer " + operatorToken, 200},
		{"bearer  " + operatorToken + " ", 200},
		{"Bearer " + key1, 200},
		{"Bearer", 401},
		{"Bearer ", 401},
		{"Basic " + operatorToken, 401},
		{operatorToken, 401},
		{"Bearer " + operatorToken + "x", 401},
		{"Bearer " + operatorToken[:len(operatorToken)-1], 401},
		{"Bearer " + key1[:len(key1)-1] + "L", 401},
		{"Bearer " + key1 + "K", 401},
	}
	for _, tc := range cases {
		got := h.do("GET", "/v1/tenants/t1", "", "", "Authorization", tc.header)
		if got.status != tc.status {
			t.Errorf("%q: got %d %s, want %d", tc.header, got.status, got.body, tc.status)
		}
		if got.status == 401 && got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: got WWW-Authenticate %q, want Bearer", tc.header, got.header.Get("WWW-Authenticate"))
		}
	}
	if got := h.do("GET", "/v1/tenants/t1?access_token="+operatorToken, "", ""); got.status != 401 {
		t.Errorf("the token in the query: got %d, want 401", got.status)
	}
	if _, ok := bearer([]string{"Bearer " + key1, "Bearer " + key2}); ok {
		t.Error("two Authorization headers: got a key, want none")
	}
}

func TestLogAndMetricsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	h.do("POST", aTenant, operatorToken, `{"id":"t3"}`)
	h.do("POST", aUser+"/tokens", key1, "")
	h.do("POST", aUser+"/creds", key1, "")
	h.do("PUT", aUser, key1, `{"password":"hunter2hunter2","nope":"hunter2hunter2"}`)
	h.do("PUT", aUser, key1, `{"password":["hunter2hunter2"]}`)
	h.do("GET", "/hunter2hunter2?q=hunter2hunter2", key1, "")
	h.do("GET", aUser+"?q=hunter2hunter2", key1, "")
	line := h.log.String()
	for _, secret := range []string{operatorToken, key1, strings.Repeat("K", 26), "the-secret", "hunter2"} {
		if strings.Contains(line, secret) {
			t.Errorf("got %q in the log, want no secret there: %s", secret, line)
		}
	}
	for _, want := range []string{
		`"route":"PUT /v1/tenants/{tenant}/users/{user}"`, `"route":"none"`, `"status":422`, `"tenant":"t1"`,
		`"actor":"key:aaaaaaaaaaaa"`, `"actor":"operator"`, `"code":"invalid"`,
	} {
		if !strings.Contains(line, want) {
			t.Errorf("got the log %s, want %s in it", line, want)
		}
	}
	if got := strings.Count(line, `"msg":"http request"`); got != 7 {
		t.Errorf("got %d lines, want one for each of 7 requests", got)
	}
	if got := h.counted("PUT /v1/tenants/{tenant}/users/{user}", "422"); got != 2 {
		t.Errorf("got %v requests counted, want 2", got)
	}
	if got := h.counted("none", "404"); got != 1 {
		t.Errorf("got %v requests without a route, want 1", got)
	}
}

// counted reads the counter of a route and status as Prometheus would.
func (h *harness) counted(route, status string) float64 {
	h.t.Helper()
	families, err := h.reg.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == "parley_http_requests_total" && labels["route"] == route && labels["status"] == status {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestConfigSaysAllFaults(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	for _, field := range []string{"Service", "Messages", "OperatorToken", "DB", "Log", "Metrics"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("got %v, want %s named", err, field)
		}
	}
}

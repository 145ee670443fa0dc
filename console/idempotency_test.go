package console

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/pgtest"
	"parley/tenant"
)

const (
	stale    = 61 * time.Second
	outdated = 24*time.Hour + time.Second
)

// keyed sends a request with an Idempotency-Key.
func (h *harness) keyed(method, path, key, body, idempotency string) reply {
	h.t.Helper()
	return h.do(method, path, key, body, idempotencyHeader, idempotency)
}

// age makes the row of an Idempotency-Key older.
func (h *harness) age(key string, by time.Duration) {
	h.t.Helper()
	const sql = `UPDATE idempotency SET started_at = started_at - $2::interval WHERE key = $1`
	if tag, err := h.c.answers.db.Exec(h.t.Context(), sql, key, by); err != nil || tag.RowsAffected() != 1 {
		h.t.Fatalf("age the key %s: %v rows, %v", key, tag.RowsAffected(), err)
	}
}

func (h *harness) rows() int {
	h.t.Helper()
	var n int
	if err := h.c.answers.db.QueryRow(h.t.Context(), `SELECT count(*) FROM idempotency`).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *harness) effects(want int) {
	h.t.Helper()
	if got := h.fake.calls(); len(got) != want {
		h.t.Errorf("got the effects %v, want %d", got, want)
	}
}

func replayed(r reply) bool { return r.header.Get(replayedHeader) == "true" }

// TestSameKeySameAnswer sends each write twice.
func TestSameKeySameAnswer(t *testing.T) {
	t.Parallel()
	h := newHarness(t, pgtest.NewPool(t))
	secrets := map[string]string{"create-tenant": "api_key", "mint-token": "token", "add-key": "api_key", "rotate-key": "api_key"}
	for id, op := range operations(h.c.api) {
		if op.Method == "GET" {
			continue
		}
		before := len(h.fake.calls())
		path := fill(op.Path, "t1", "alice", "lobby")
		one := h.keyed(op.Method, path, operatorToken, matrix[id].body, id)
		two := h.keyed(op.Method, path, operatorToken, matrix[id].body, id)
		if replayed(one) || !replayed(two) {
			t.Errorf("%s: got %s %v and %v, want it at the second answer alone", id, replayedHeader, replayed(one), replayed(two))
		}
		if n := len(h.fake.calls()) - before; n != 1 {
			t.Errorf("%s: got %d effects, want 1", id, n)
		}
		if strings.Contains(two.body, "the-secret") {
			t.Errorf("%s: got %s again, want no secret", id, two.body)
		}
		if id == "issue-creds" {
			if f := two.failure(t); two.status != 409 || !strings.Contains(f.Message, "shown once") {
				t.Errorf("%s: got %d %s, want 409 that says shown once", id, two.status, two.body)
			}
			continue
		}
		if one.status != matrix[id].status || two.status != one.status || two.header.Get("Content-Type") != one.header.Get("Content-Type") {
			t.Errorf("%s: got %d (%s), then %d (%s), want the same", id, one.status, one.header.Get("Content-Type"), two.status, two.header.Get("Content-Type"))
		}
		if want := without(t, one.body, secrets[id]); without(t, two.body, "") != want {
			t.Errorf("%s: got %s, want %s", id, two.body, want)
		}
	}
	var leaked int
	err := h.c.answers.db.QueryRow(t.Context(), `SELECT count(*) FROM idempotency WHERE convert_from(answer, 'UTF8') LIKE '%the-secret%'`).Scan(&leaked)
	if err != nil || leaked != 0 {
		t.Errorf("got %d rows with a secret (%v), want none", leaked, err)
	}
}

// without is JSON in one form, less a field.
func without(t *testing.T, body, field string) string {
	t.Helper()
	if body == "" {
		return ""
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Fatal(err)
	}
	if _, ok := fields[field]; field != "" && !ok {
		t.Errorf("got %s, want the field %s in it", body, field)
	}
	delete(fields, field)
	out, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestSameKeyAnotherRequest(t *testing.T) {
	t.Parallel()
	h := newHarness(t, pgtest.NewPool(t))
	if got := h.keyed("PUT", aUser, key1, `{"name":"A"}`, "k"); got.status != 200 {
		t.Fatalf("got %d %s, want 200", got.status, got.body)
	}
	for _, other := range []struct{ method, path, body string }{
		{"PUT", aUser, `{"name":"B"}`},
		{"PUT", aUser, `{ "name":"A"}`},
		{"PUT", aUser, ``},
		{"PUT", "/v1/tenants/t1/users/bob", `{"name":"A"}`},
		{"DELETE", aUser, ``},
	} {
		got := h.keyed(other.method, other.path, key1, other.body, "k")
		if got.status != 409 || got.failure(t).Code != tenant.CodeConflict || replayed(got) {
			t.Errorf("%v: got %d %s, want 409 conflict", other, got.status, got.body)
		}
	}
	h.effects(1)
	if got := h.keyed("PUT", aUser, operatorToken, `{"name":"B"}`, "k"); got.status != 200 || replayed(got) {
		t.Errorf("another actor: got %d %s, want a key of his own", got.status, got.body)
	}
	h.effects(2)
	if got := h.keyed("GET", aUser, key1, "", "k"); got.status != 200 || replayed(got) {
		t.Errorf("a read: got %d %s, want it answered without the key", got.status, got.body)
	}
	if got := h.keyed("PUT", aUser, key2, `{"name":"A"}`, "k"); got.status != 404 {
		t.Errorf("another tenant's key: got %d %s, want 404", got.status, got.body)
	}
	if got := h.keyed("PUT", aUser, "", `{"name":"A"}`, "k"); got.status != 401 {
		t.Errorf("no key: got %d %s, want 401", got.status, got.body)
	}
}

func TestWhichErrorsAreKept(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	cases := []struct {
		name, body string
		err        error
		status     int
		kept       bool
	}{
		{"conflict", `{}`, tenant.ErrConflict, 409, true},
		{"limit", `{}`, tenant.Errorf(tenant.CodeLimitReached, "full"), 403, true},
		{"schema", `{"nope":1}`, nil, 422, true},
		{"syntax", `{`, nil, 422, true},
		{"rate", `{}`, tenant.Errorf(tenant.CodeRateLimited, "slow"), 429, false},
		{"unavailable", `{}`, tenant.ErrUnavailable, 503, false},
		{"deadline", `{}`, context.DeadlineExceeded, 503, false},
	}
	for _, tc := range cases {
		h := newHarness(t, pool)
		h.fake.hook = func(string) error { return tc.err }
		one := h.keyed("PUT", aUser, key1, tc.body, tc.name)
		h.fake.hook = nil
		two := h.keyed("PUT", aUser, key1, tc.body, tc.name)
		if one.status != tc.status || replayed(one) {
			t.Errorf("%s: got %d %s, want %d", tc.name, one.status, one.body, tc.status)
		}
		if tc.kept && (!replayed(two) || two.status != one.status || two.body != strings.TrimSpace(one.body) && two.body != one.body) {
			t.Errorf("%s: got %d %s, then %d %s, want the same", tc.name, one.status, one.body, two.status, two.body)
		}
		if !tc.kept && (replayed(two) || two.status != 200) {
			t.Errorf("%s: got %d %s, want it to run again", tc.name, two.status, two.body)
		}
	}
}

func TestPanicReleasesTheKey(t *testing.T) {
	t.Parallel()
	h := newHarness(t, pgtest.NewPool(t))
	h.fake.hook = func(string) error { panic("fire") }
	if got := h.keyed("PUT", aUser, key1, `{}`, "k"); got.status != 500 {
		t.Errorf("got %d %s, want 500", got.status, got.body)
	}
	h.fake.hook = nil
	if got := h.keyed("PUT", aUser, key1, `{}`, "k"); got.status != 200 || replayed(got) {
		t.Errorf("got %d %s, want it to run again", got.status, got.body)
	}
}

func TestConcurrentRequestsOfAKey(t *testing.T) {
	t.Parallel()
	h := newHarness(t, pgtest.NewPool(t))
	const senders = 12
	entered, leave := make(chan struct{}, senders), make(chan struct{})
	h.fake.hook = func(string) error { entered <- struct{}{}; <-leave; return nil }
	answers := make(chan reply, senders)
	var group sync.WaitGroup
	for range senders {
		group.Go(func() { answers <- h.keyed("PUT", aUser, key1, `{}`, "k") })
	}
	<-entered
	for range senders - 1 { // all but the one that runs
		got := <-answers
		if got.status != 409 || replayed(got) || !strings.Contains(got.body, "under way") {
			t.Errorf("got %d %s, want 409 that says under way", got.status, got.body)
		}
	}
	close(leave)
	group.Wait()
	if got := <-answers; got.status != 200 || replayed(got) {
		t.Errorf("got %d %s, want the one that ran to be answered", got.status, got.body)
	}
	if got := h.keyed("PUT", aUser, key1, `{}`, "k"); got.status != 200 || !replayed(got) {
		t.Errorf("got %d %s, want the answer again", got.status, got.body)
	}
	h.effects(1)
}

// TestClientGone: a write whose client hangs up runs to its end, and its answer is kept.
func TestClientGone(t *testing.T) {
	t.Parallel()
	h := newHarness(t, pgtest.NewPool(t))
	entered, leave := make(chan struct{}), make(chan struct{})
	h.fake.hook = func(string) error { close(entered); <-leave; return nil }
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		req := h.request(ctx, "PUT", aUser, key1, `{}`, idempotencyHeader, "k")
		if res, err := h.client.RoundTrip(req); err == nil {
			_ = res.Body.Close()
			t.Error("got an answer, want none after hanging up")
		}
	}()
	<-entered
	hangUp()
	<-gone
	close(leave)
	h.eventually("the answer is kept", func() bool {
		return replayed(h.keyed("PUT", aUser, key1, `{}`, "k"))
	})
	h.effects(1)
}

func TestAbandonedKeys(t *testing.T) {
	t.Parallel()
	h := newHarness(t, pgtest.NewPool(t))
	ctx := t.Context()
	a, hash := h.c.answers, []byte("request")

	mine, kept, err := a.claim(ctx, "operator", "k", hash)
	if kept != nil || err != nil {
		t.Fatalf("got %v, %v, want a claim", kept, err)
	}
	underWay := func(what string) {
		t.Helper()
		if _, kept, err := a.claim(ctx, "operator", "k", hash); err != nil || kept == nil || kept.status != 0 {
			t.Errorf("%s: got %v, %v, want it under way", what, kept, err)
		}
	}
	underWay("a claim that is young")
	h.age("k", stale)
	if _, _, err = a.claim(ctx, "operator", "k", []byte("other")); !conflict(err, "another request") {
		t.Errorf("another request for an old claim: got %v, want a conflict", err)
	}
	later, kept, err := a.claim(ctx, "operator", "k", hash)
	if kept != nil || err != nil {
		t.Fatalf("a claim that is old: got %v, %v, want it taken over", kept, err)
	}
	// What was overtaken comes back: neither its answer nor its release counts.
	if err := first(a.keep(ctx, mine, answer{200, []byte("old")}), a.release(ctx, mine)); err != nil {
		t.Fatal(err)
	}
	underWay("after the overtaken one ended")
	if err := a.keep(ctx, later, answer{201, []byte("new")}); err != nil {
		t.Fatal(err)
	}
	_, kept, err = a.claim(ctx, "operator", "k", hash)
	if err != nil || kept == nil || kept.status != 201 || string(kept.body) != "new" {
		t.Errorf("got %+v, %v, want the answer of the later one", kept, err)
	}
	h.age("k", stale)
	if _, kept, err = a.claim(ctx, "operator", "k", hash); err != nil || kept == nil {
		t.Errorf("an answer past a minute: got %+v, %v, want it again", kept, err)
	}
}

func conflict(err error, says string) bool {
	e, ok := tenant.AsError(err)
	return ok && e.Code == tenant.CodeConflict && strings.Contains(e.Message, says)
}

func TestKeysLastADay(t *testing.T) {
	t.Parallel()
	h := newHarness(t, pgtest.NewPool(t))
	for _, key := range []string{"a", "b", "c"} {
		if got := h.keyed("PUT", aUser, key1, `{}`, key); got.status != 200 {
			t.Fatalf("got %d %s, want 200", got.status, got.body)
		}
	}
	h.age("a", outdated)
	h.age("b", outdated-time.Minute)
	if got := h.keyed("PUT", aUser, key1, `{"name":"x"}`, "a"); got.status != 200 || replayed(got) {
		t.Errorf("past a day: got %d %s, want the key to be new", got.status, got.body)
	}
	if got := h.keyed("PUT", aUser, key1, `{}`, "b"); !replayed(got) {
		t.Errorf("within a day: got %d %s, want the answer again", got.status, got.body)
	}
	h.age("b", outdated)
	h.age("c", outdated)
	h.keyed("PUT", aUser, key1, `{}`, "d")
	if got := h.rows(); got != 2 {
		t.Errorf("got %d rows, want the 2 within a day", got)
	}
}

func TestFormOfKeys(t *testing.T) {
	t.Parallel()
	h := newHarness(t, pgtest.NewPool(t))
	for key, ok := range map[string]bool{
		"k": true, "8f14e45f-ceea-467f-a0e6-0d1c2b3a4f5e": true, "a b~!'": true, strings.Repeat("k", 255): true,
		strings.Repeat("k", 256): false, "ä": false, "a\tb": false, "": false,
	} {
		got := h.keyed("PUT", aUser, key1, `{}`, key)
		if ok && got.status != 200 {
			t.Errorf("%q: got %d %s, want 200", key, got.status, got.body)
		}
		if !ok && (got.status != 422 || got.failure(t).Fields[idempotencyHeader] == "") {
			t.Errorf("%q: got %d %s, want 422 naming the header", key, got.status, got.body)
		}
	}
}

func TestWithoutADatabase(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	got := h.keyed("PUT", aUser, key1, `{}`, "k")
	if got.status != 503 || got.failure(t).Code != tenant.CodeUnavailable || got.header.Get("Retry-After") != "1" {
		t.Errorf("got %d %s, want 503 unavailable with Retry-After", got.status, got.body)
	}
	h.effects(0)
	if got := h.do("PUT", aUser, key1, `{}`); got.status != 200 {
		t.Errorf("without a key: got %d %s, want 200", got.status, got.body)
	}
}

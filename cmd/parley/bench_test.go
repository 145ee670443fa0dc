package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"parley/internal/loadtest"
)

func TestBench(t *testing.T) {
	t.Parallel()
	s := house(t)
	code, out, errs := runParley(t, "bench", "acme", "alice", "board", "--messages", "50", "--senders", "3", "--listeners", "2", "--rate", "0", "--json", "--data", s.data)
	var r loadtest.Report
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil {
		t.Fatalf("got %d, %q, %s (%v)", code, out, errs, err)
	}
	if r.Posts != 50 || r.Deliveries != 100 || r.Lost+r.Doubled+r.Failed != 0 {
		t.Errorf("got %+v, want 50 posts at both listeners, none lost or doubled", r)
	}
	if r.PerSecond <= 0 || r.Acknowledged.P50 <= 0 || r.Delivered.Max < r.Delivered.P50 {
		t.Errorf("got the times %+v", r)
	}
	if got := len(s.allHistory("acme", "board")); got < 50 {
		t.Errorf("the room has %d messages, want the 50", got)
	}
	code, out, errs = runParley(t, "bench", "acme", "alice", "board", "--for", "30ms", "--senders", "1", "--listeners", "0", "--data", s.data)
	if code != 0 || !strings.Contains(out, "0 lost, 0 doubled, 0 not acknowledged") {
		t.Errorf("bounded in time: got %d, %q, %s", code, out, errs)
	}
}

func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	s := house(t)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no bound":         {[]string{"alice", "lobby"}, "without a bound"},
		"too many":         {[]string{"alice", "lobby", "--messages", "1000001"}, "messages: must be 1 to 1000000"},
		"too long":         {[]string{"alice", "lobby", "--for", "2h"}, "time: must be at most 1h0m0s"},
		"no such room":     {[]string{"alice", "nowhere", "--messages", "1"}, "nowhere"},
		"not a member":     {[]string{"mallory", "board", "--messages", "1"}, "board"},
		"a reader's posts": {[]string{"bob", "news", "--messages", "1"}, "post"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := runParley(t, append([]string{"bench", "acme", "--data", s.data}, c.args...)...)
			if code != 1 || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("got %d, %q, %q; want a refusal that says %q", code, out, errs, c.want)
			}
		})
	}
}

// Posts that the projector leaves out would be told as lost, were they not told as refused before.
func TestBenchSaysThatItIsTooFast(t *testing.T) {
	t.Parallel()
	s := house(t)
	s.call(http.MethodPatch, "/v1/tenants/acme", `{"limits": {"messages_per_second": 1}}`)
	code, _, errs := runParley(t, "bench", "acme", "alice", "lobby", "--for", "20s", "--rate", "0", "--data", s.data)
	if code != 1 || !strings.Contains(errs, "messages_per_second") {
		t.Errorf("got %d, %q; want that the user is muted", code, errs)
	}
}

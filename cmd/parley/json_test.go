package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// What is no JSON, or JSON that means harm, is refused wherever it comes in, and what comes behind it is served.
func TestHarmfulJSONIsRefusedEverywhere(t *testing.T) { // INP-07, INP-08
	t.Parallel()
	s := house(t)
	alice := s.peer("acme", "alice")
	deep := strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000)
	var keys strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&keys, `"k%d":1,`, i)
	}
	var want []string
	for name, body := range map[string]string{
		"deep":            `{"text":"x","data":{"k":` + deep + `}}`,
		"deeper still":    `{"text":"x","data":` + strings.Repeat(`{"k":`, 10_000) + "1" + strings.Repeat("}", 10_000) + `}`,
		"unknown keys":    `{` + keys.String() + `"text":"x"}`,
		"doubled key":     `{"text":"x","text":"y"}`,
		"not a number":    `{"text":"x","thread":NaN}`,
		"no such number":  `{"text":"x","thread":1e999}`,
		"a huge integer":  `{"text":"x","thread":18446744073709551617}`,
		"invalid UTF-8":   "{\"text\":\"\xff\xfe\"}",
		"a byte order":    "\xef\xbb\xbf{\"text\":\"x\"}",
		"a surrogate":     `{"text":"\ud800"}`,
		"a NUL":           `{"text":"a\u0000b"}`,
		"a NUL in data":   `{"text":"x","data":{"k":"a\u0000b"}}`,
		"trailing text":   `{"text":"x"}{"text":"y"}`,
		"a list":          `[{"text":"x"}]`,
		"nothing":         ``,
		"half of it":      `{"text":"x`,
		"an endless text": `{"text":"` + strings.Repeat(`\u0041`, 10_000) + `","text":""}`,
	} {
		if _, err := alice.tryBody("chat.std.open.lobby.alice", body, "", patience); err != nil {
			t.Errorf("%s: post: %v", name, err) // stored, and judged by the projector
		}
		good := fmt.Sprintf("good after %s", name)
		alice.post("chat.std.open.lobby.alice", good, "")
		want = append(want, "alice:"+good)
		if got := alice.ask("history", strings.Replace(body, `"text"`, `"room"`, 1)); got["ok"] != false || got["code"] != "invalid" && got["code"] != "too_large" {
			t.Errorf("%s: asked: got %.200v, want invalid", name, got)
		}
		got := s.send(s.token, http.MethodPost, "/v1/tenants/acme/rooms/lobby/messages", strings.Replace(body, `{"text"`, `{"as":"alice","text"`, 1))
		if got.status != http.StatusUnprocessableEntity && got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: over HTTP: got %d %.200s, want 422 or 413", name, got.status, got.body)
		}
	}
	if got := s.texts("acme", "lobby"); got != strings.Join(want, " ") {
		t.Errorf("got the history %q, want the good ones", got)
	}
	// A body that says that it is compressed is not unpacked.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTP+"/v1/tenants", strings.NewReader("\x1f\x8b\x08\x00bomb"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode < 400 || res.StatusCode >= 500 {
		t.Errorf("a compressed body: got %d, want a 4xx", res.StatusCode)
	}
	if err := alice.Publish("chat.std.open.lobby.alice", make([]byte, 2<<20)); err == nil || err.Error() != nats.ErrMaxPayload.Error() { // INP-03
		t.Errorf("a post of two megabytes: got %v, want %v", err, nats.ErrMaxPayload)
	}
}

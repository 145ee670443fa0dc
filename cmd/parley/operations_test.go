package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// requests are all that each operation takes, in the form that is right.
var requests = map[string]string{
	"whoami":   `{}`,
	"rooms":    `{"query":"town","limit":10,"after":"a"}`,
	"join":     `{"room":"town"}`,
	"leave":    `{"room":"town"}`,
	"members":  `{"room":"town"}`,
	"direct":   `{"user":"bob"}`,
	"history":  `{"room":"town","before":9,"after":0,"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","limit":10,"thread":1}`,
	"missed":   `{"rooms":[{"room":"town","after":1}],"limit":10}`,
	"read":     `{"room":"town","seq":1}`,
	"unread":   `{"room":"town"}`,
	"edit":     `{"room":"town","seq":1,"text":"better"}`,
	"delete":   `{"room":"town","seq":1}`,
	"search":   `{"query":"word","room":"town","limit":10,"after":""}`,
	"react":    `{"room":"town","seq":1,"emoji":"👍","remove":true}`,
	"create":   `{"room":"new","kind":"private","class":"std","title":"New"}`,
	"settings": `{"room":"town","title":"Town","slow_seconds":5,"history":"joined"}`,

	"freeze":      `{"room":"town","on":true}`,
	"archive":     `{"room":"town","on":true}`,
	"delete_room": `{"room":"town"}`,

	"invite": `{"room":"town","user":"bob","until":"2030-01-01T00:00:00Z","seconds":5,"role":"member"}`,
	"kick":   `{"room":"town","user":"bob","reason":"spam"}`,
	"ban":    `{"room":"town","user":"bob","until":"2030-01-01T00:00:00Z","seconds":5,"reason":"spam"}`,
	"unban":  `{"room":"town","user":"bob"}`,
	"role":   `{"room":"town","user":"bob","role":"member"}`,
	"mute":   `{"room":"town","user":"bob","until":"2030-01-01T00:00:00Z","seconds":5,"reason":"spam"}`,
	"unmute": `{"room":"town","user":"bob"}`,

	"pin":    `{"room":"town","seq":1,"on":true}`,
	"pins":   `{"room":"town"}`,
	"notify": `{"room":"town","level":"all"}`,
	"report": `{"room":"town","seq":1,"reason":"spam"}`,
	"block":  `{"user":"bob","on":true}`,
	"blocks": `{}`,

	"presence": `{"users":["bob"],"idle":true}`,
}

// wrong are the values that a field may not have, whatever else the request says.
func wrong(field string, right any) []any {
	ids := []any{"*", ">", "a.*", "a..b", "a b", "ä", "x\x00", strings.Repeat("x", 300)}
	var all []any
	switch right.(type) {
	case string:
		all = []any{7, true, []any{}, map[string]any{}}
	case float64, uint64:
		all = []any{"1", true, 1.5, -1, []any{}, json.Number("18446744073709551616"), json.Number("1e400")}
	case bool:
		all = []any{"true", 1, []any{}}
	case []any:
		all = []any{"bob", 7, map[string]any{}, []any{7}}
	}
	switch field {
	case "room", "user", "after":
		if _, is := right.(string); is {
			all = append(all, ids...)
		}
	case "rooms":
		for _, id := range ids {
			all = append(all, []any{map[string]any{"room": id, "after": 1}})
		}
		town := map[string]any{"room": "town", "after": 1}
		all = append(all, []any{}, []any{town, town}, slices.Repeat([]any{town}, 51),
			[]any{map[string]any{"room": "town", "after": 1, "before": 2}}, []any{map[string]any{"room": "town", "after": -1}})
	case "users":
		for _, id := range ids {
			all = append(all, []any{id})
		}
	case "since", "until":
		all = append(all, "yesterday", "2026-13-01T00:00:00Z", "2026-01-01")
	case "kind", "class", "role", "level", "history", "emoji":
		all = append(all, "king", "*", "x\x00")
	case "text":
		all = append(all, "x\x00y")
	case "query", "reason", "title":
		all = append(all, "x\x00y", strings.Repeat("x", 5000))
	case "limit":
		all = append(all, 1001)
	}
	return all
}

var operationName = regexp.MustCompile(`(?m)^\t"([a-z_]+)": +typed\(`)

// operationsOf are the names in the table of the chat API, so that none is forgotten here.
func operationsOf(t *testing.T) (names []string) {
	t.Helper()
	source, err := os.ReadFile("../../chat/api.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range operationName.FindAllSubmatch(source, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// TestEveryFieldOfEveryOperationIsChecked takes each right request, and spoils one field after the other.
func TestEveryFieldOfEveryOperationIsChecked(t *testing.T) {
	t.Parallel()
	if got, want := slices.Sorted(maps.Keys(requests)), slices.Sorted(slices.Values(operationsOf(t))); !slices.Equal(got, want) {
		t.Fatalf("the test knows the operations %v, want %v", got, want)
	}
	s := house(t)
	s.room("acme", "town", "open")
	s.member("acme", "town", "alice", "owner")
	s.member("acme", "town", "bob", "member")
	alice := s.peer("acme", "alice")
	seq := alice.post("chat.std.open.town.alice", "word", "").Seq
	before := s.texts("acme", "town")
	for op, right := range requests {
		for _, body := range []string{`null`, `[]`, `"x"`, `{`, right + `x`, `{"ok":true}`, `{"stream":"std-A","seq":1}`, "{\"room\":\"\xff\"}"} {
			alice.wantRefused("invalid", op, "%s", body)
		}
		alice.wantField(op, strings.Replace(strings.Replace(right, "{", `{"nope":1,`, 1), ",}", "}", 1), "nope")
		var fields map[string]any
		if err := json.Unmarshal([]byte(right), &fields); err != nil {
			t.Fatal(err)
		}
		if _, has := fields["seq"]; has {
			fields["seq"] = seq
		}
		for field, value := range fields {
			for _, w := range wrong(field, value) {
				spoilt := maps.Clone(fields)
				spoilt[field] = w
				body, err := json.Marshal(spoilt)
				if err != nil {
					t.Fatal(err)
				}
				alice.wantField(op, string(body), field)
			}
			alice.wantField(op, fmt.Sprintf(`{%q:null,%q:null}`, field, field), field)
		}
	}
	if got := s.texts("acme", "town"); got != before {
		t.Errorf("got the messages %q, want them as they were: %q", got, before)
	}
}

// wantField wants a request refused for a field.
func (p *peer) wantField(op, body, field string) {
	p.t.Helper()
	answer := p.ask(op, body)
	fields, ok := answer["fields"].(map[string]any)
	if reason, named := fields[field].(string); answer["code"] != "invalid" || !ok || !named || reason == "" {
		p.t.Errorf("%s %.200s: got %.300v, want invalid for %s", op, body, answer, field)
	}
}

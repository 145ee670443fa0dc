package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// protocol returns the blocks of one language of docs/PROTOCOL.md, one after the other.
func protocol(t *testing.T, language string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, part := range strings.Split(string(b), "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		all.WriteString(block + "\n\n")
	}
	if all.Len() == 0 {
		t.Fatalf("docs/PROTOCOL.md has no block of %s", language)
	}
	return all.String()
}

// The programs of the page, put together, chat with stock clients.
func TestProtocolPrograms(t *testing.T) {
	t.Parallel()
	needSDK(t)
	s := house(t)
	creds := s.credsFile("acme", "alice")
	s.peer("acme", "bob").post("chat.std.open.lobby.bob", "before", "")

	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(protocol(t, "go")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.shell("../..", fmt.Sprintf("go run %s %s alice %s lobby 'hello from go'", source, s.NATS, creds), "")
	if err != nil {
		t.Fatalf("go: %v\n%s", err, out)
	}
	wantLines(t, "go", out, `bob: {`, `"text":"before"`, `alice: {`, `"text":"hello from go"`)

	module := filepath.Join(sdkFolder, "dist", "protocol.mjs")
	if err := os.WriteFile(module, []byte(protocol(t, "js")), 0o600); err != nil {
		t.Fatal(err)
	}
	out = node(t, nil, "node", "dist/protocol.mjs", s.NATS, "alice", creds, "lobby", "hello from js")
	wantLines(t, "js", out, `bob: {`, `"text":"before"`, `"text":"hello from go"`, `"text":"hello from js"`)
}

// wantLines wants these in this order.
func wantLines(t *testing.T, what, out string, parts ...string) {
	t.Helper()
	rest := out
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("%s: got\n%s\nwant %s in it, behind what goes before", what, out, part)
		}
		rest = after
	}
}

// The examples of the page are asked in their order, and answered with exactly the keys that it shows.
func TestProtocolExamples(t *testing.T) {
	t.Parallel()
	s := house(t)
	alice := s.peer("acme", "alice")
	seq, answer := "1", ""
	for line := range strings.Lines(protocol(t, "chat")) {
		line = strings.TrimSpace(line)
		if request, ok := strings.CutPrefix(line, "→ "); ok {
			subject, body, _ := strings.Cut(request, " ")
			m, err := alice.Request(subject, []byte(strings.ReplaceAll(body, "SEQ", seq)), 10*time.Second)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			answer = string(m.Data)
			var ack puback
			if json.Unmarshal(m.Data, &ack) == nil && ack.Stream != "" {
				seq = fmt.Sprint(ack.Seq)
			}
		}
		if shown, ok := strings.CutPrefix(line, "← "); ok {
			if want, got := shape(t, shown), shape(t, answer); want != got {
				t.Errorf("the page shows %s\nand the answer is %s", shown, answer)
			}
		}
	}
}

// shape is a JSON text with its numbers, times and names of streams made alike, and its keys in order.
func shape(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return shapeOf(v)
}

func shapeOf(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for k, x := range v {
			parts = append(parts, k+":"+shapeOf(x))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, shapeOf(x))
		}
		return "[" + strings.Join(slices.Compact(parts), ",") + "]"
	case float64:
		if v > 1000 {
			return "seq"
		}
		return fmt.Sprint(v)
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return "time"
		}
		if strings.HasPrefix(v, "std-") {
			return "stream"
		}
		return v
	}
	return fmt.Sprint(v)
}

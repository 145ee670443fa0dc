package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-rod/rod/lib/proto"
)

// TestEverySnippetOfTheOnboardingPosts pastes each snippet where its page says, and finds its message.
func TestEverySnippetOfTheOnboardingPosts(t *testing.T) {
	needSDK(t)
	s := serve(t)
	w := s.window(chromium(t))
	w.signUp()
	w.newTenant("Acme")
	for _, c := range []struct {
		via, says string
		run       func(dir string, parts []string)
	}{
		{"cli", "Hello from the command line", func(_ string, parts []string) { s.runSnippet(parts[0]) }},
		{"http", "Hello from HTTP", func(_ string, parts []string) { s.runSnippet(parts[0]) }},
		{"go", "Hello from Go", func(dir string, parts []string) {
			write(t, dir, "main.go", parts[0])
			// go get would fetch the same client from afar.
			if !strings.Contains(parts[1], "go mod init hello && go get github.com/nats-io/nats.go && go run .") {
				t.Errorf("got %q to run it with", parts[1])
			}
			for _, name := range []string{"go.mod", "go.sum"} {
				text, err := os.ReadFile(filepath.Join("../..", name))
				if err != nil {
					t.Fatal(err)
				}
				write(t, dir, name, strings.Replace(string(text), "module parley", "module hello", 1))
			}
			paste(t, dir, "go run .")
		}},
		{"ts", "Hello from TypeScript", func(dir string, parts []string) {
			write(t, dir, "hello.ts", parts[0])
			write(t, dir, "package.json", `{"type":"module"}`)
			modules, err := filepath.Abs(filepath.Join(sdkFolder, "node_modules"))
			if err != nil {
				t.Fatal(err)
			}
			if err = os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			// npm would install the same client, and tsx, from afar.
			if !strings.Contains(parts[1], "npm install @nats-io/transport-node tsx && npx tsx hello.ts") {
				t.Errorf("got %q to run it with", parts[1])
			}
			paste(t, dir, "node_modules/.bin/esbuild --log-level=error --format=esm --outfile=hello.js hello.ts && node hello.js")
		}},
		{"browser", "Hello from the browser", func(dir string, parts []string) {
			write(t, dir, "hello.html", parts[0])
			page, err := w.Browser().Page(proto.TargetCreateTarget{URL: "file://" + filepath.Join(dir, "hello.html")})
			w.must(err)
			page = page.Timeout(patience)
			if _, err = page.ElementR("#out", "alice: Hello from the browser"); err != nil {
				html, _ := page.HTML()
				t.Errorf("%v; the page is %s", err, html)
			}
		}},
	} {
		w.open("/t/acme/connect?via=" + c.via)
		w.find("#snippets .code code")
		blocks, err := w.Elements("#snippets .code code")
		w.must(err)
		var parts []string
		for _, b := range blocks {
			text, err := b.Text()
			w.must(err)
			parts = append(parts, text)
		}
		c.run(t.TempDir(), parts)
		eventually(t, c.via+" has posted", func() bool { return strings.Contains(s.texts("acme", "lobby"), c.says) })
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

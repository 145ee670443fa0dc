package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	sdkFolder  = "../../client/js"
	casesFile  = "../../client/cases/cases.json"
	nodeBudget = 5 * time.Minute
)

// node runs a program in client/js.
func node(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nodeBudget)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = sdkFolder
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// buildSDK installs what client/js needs and compiles it, once.
var buildSDK = sync.OnceValue(func() string {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return program + " is missing, which the TypeScript SDK is tested with: run deploy/install-deps.sh node"
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), nodeBudget)
	defer cancel()
	steps := [][]string{{"ci", "--no-audit", "--no-fund", "--prefer-offline"}, {"run", "build"}}
	if installed("package-lock.json", "node_modules/.package-lock.json") {
		steps = steps[1:]
	}
	for _, args := range steps {
		cmd := exec.CommandContext(ctx, "npm", args...)
		cmd.Dir = sdkFolder
		if out, err := cmd.CombinedOutput(); err != nil {
			return "npm " + strings.Join(args, " ") + ": " + err.Error() + "\n" + string(out)
		}
	}
	return ""
})

// installed reports whether npm has installed what the lock file says: it notes so behind it.
func installed(lock, note string) bool {
	want, errWant := os.Stat(filepath.Join(sdkFolder, lock))
	got, errGot := os.Stat(filepath.Join(sdkFolder, note))
	return errWant == nil && errGot == nil && got.ModTime().After(want.ModTime())
}

func needSDK(t *testing.T) {
	t.Helper()
	if fault := buildSDK(); fault != "" {
		t.Fatal(fault)
	}
}

func TestTypeScriptUnits(t *testing.T) {
	t.Parallel()
	needSDK(t)
	node(t, nil, "node", "--test", "dist/test/unit.test.js")
}

// The cases of client/cases say how an SDK behaves; both run them, against the whole program.
func TestSharedCases(t *testing.T) {
	t.Parallel()
	needSDK(t)
	s := serve(t)
	worlds := worlds(t, s)
	cases, err := filepath.Abs(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("go", func(t *testing.T) { runCases(t, worlds+"/worlds", cases) })
	for _, transport := range []string{"tcp", "ws"} {
		t.Run("typescript-"+transport, func(t *testing.T) {
			env := []string{"PARLEY_WORLDS=" + worlds + "/worlds", "PARLEY_CASES=" + cases, "PARLEY_TRANSPORT=" + transport}
			// In node 20 the WebSocket of browsers is behind a flag.
			out := node(t, env, "node", "--experimental-websocket", "--test", "dist/test/cases.js")
			t.Log(out)
		})
	}
}

// The examples are programs that somebody starts with: each says something, and it is there.
func TestExamples(t *testing.T) {
	t.Parallel()
	needSDK(t)
	s := house(t)
	creds := s.credsFile("acme", "alice")
	s.peer("acme", "bob").post("chat.std.open.lobby.bob", "before", "")

	out, err := s.shell("../..", fmt.Sprintf("go run ./client/examples/room -url %s -creds %s -user alice hello from go", s.NATS, creds), "")
	if err != nil {
		t.Fatalf("go: %v\n%s", err, out)
	}
	wantLines(t, "go", out, "bob: before", "alice: hello from go")
	out = node(t, nil, "node", "dist/examples/room.js", s.NATS, "alice", creds, "lobby", "hello from node")
	wantLines(t, "node", out, "bob: before", "alice: hello from go", "alice: hello from node")
}

// The page runs in a real browser.
func TestExamplePage(t *testing.T) {
	t.Parallel()
	needSDK(t)
	node(t, nil, "npm", "run", "bundle")
	s := house(t)
	site := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(sdkFolder, "dist", "page"))))
	t.Cleanup(site.Close)
	page := fmt.Sprintf("%s/?ws=%s&user=alice&room=lobby&say=hello+from+a+browser#%s", site.URL, s.WS, s.userToken("acme", "alice"))

	profile, err := os.MkdirTemp("", "parley-browser") //nolint:usetesting // its last processes may still write while they die
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	browser := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+profile, "--remote-debugging-port=0", page)
	browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	browser.Cancel = func() error { return syscall.Kill(-browser.Process.Pid, syscall.SIGKILL) }
	if err := browser.Start(); err != nil {
		t.Fatalf("chromium is needed to test the page (deploy/install-deps.sh chromium): %v", err)
	}
	t.Cleanup(func() {
		cancel()
		_ = browser.Wait() // it was killed
		_ = os.RemoveAll(profile)
	})
	eventually(t, "the page has said something", func() bool { return strings.Contains(s.texts("acme", "lobby"), "alice:hello from a browser") })
}

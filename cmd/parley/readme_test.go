package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// readme returns the commands of README.md below a heading, without comments.
func readme(t *testing.T, heading string) (lines []string) {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "## "+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for i, part := range strings.Split(section, "```") {
		if i%2 == 0 {
			continue // prose
		}
		for line := range strings.Lines(strings.TrimPrefix(part, "sh\n")) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
			if line != "" && !strings.HasPrefix(line, "alias ") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// shell runs a line of the README in a folder, where parley is the program under test.
func (s *server) shell(dir, line, stdin string) (string, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", `parley() { "$PROGRAM" "$@"; }; `+line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asParley+"=1", "PARLEY_DATA="+s.data, "PROGRAM="+self)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestReadmeQuickstart(t *testing.T) {
	t.Parallel()
	s := serve(t)
	dir := t.TempDir()
	chats := 0
	for _, line := range readme(t, "Two minutes to the first message") {
		stdin := ""
		if strings.Contains(line, " chat ") {
			chats++
			stdin = "hello from " + strings.Fields(line)[3] + "\n"
		}
		out, err := s.shell(dir, line, stdin)
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		if strings.Contains(line, "alice.bob") && !strings.Contains(out, "direct") {
			t.Errorf("%s: got %s", line, out)
		}
	}
	if got := s.texts("acme", "lobby"); chats != 2 || got != "alice:hello from alice bob:hello from bob" {
		t.Errorf("history after %d chats: got %q", chats, got)
	}

	out, err := s.shell(dir, readme(t, "With a plain NATS client")[0], "")
	if err != nil {
		t.Fatalf("creds: %v\n%s", err, out)
	}
	for _, line := range readme(t, "With a plain NATS client") {
		if !strings.HasPrefix(line, "go run ") {
			continue // the nats command line is another project's
		}
		line = strings.Replace(line, "-creds alice.creds", "-url "+s.NATS+" -creds "+filepath.Join(dir, "alice.creds"), 1)
		if out, err := s.shell("../..", line, ""); err != nil || !strings.Contains(out, `alice: {"text":"hello from nats.go"}`) {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}

// lockedBuffer is read while a process writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestTheTerminalSaysWhyItIsOut(t *testing.T) {
	t.Parallel()
	s := house(t)
	cmd := command(t.Context(), "chat", "acme", "bob", "lobby", "--data", s.data)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // the code says it
	}()
	s.peer("acme", "alice").post("chat.std.open.lobby.alice", "are you there?", "")
	eventually(t, "the terminal shows alice's message", func() bool { return strings.Contains(out.String(), "are you there?") })
	if _, err := io.WriteString(in, "yes\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob's answer is stored", func() bool { return strings.Contains(s.texts("acme", "lobby"), "bob:yes") })
	s.call("POST", "/v1/tenants/acme/users/bob/revoke", `{"reason":"left the company"}`)
	<-gone
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(out.String(), "revoked: left the company") {
		t.Errorf("got code %d and %s, want 1 and the reason", code, out.String())
	}
}

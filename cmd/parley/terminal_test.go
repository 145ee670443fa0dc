package main

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// A terminal is `parley chat` as a script sees it.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out lockedBuffer
}

func (s *server) terminal(user, room string) *terminal {
	s.t.Helper()
	x := &terminal{t: s.t, cmd: command(context.Background(), "chat", "acme", user, room, "--data", s.data)}
	x.cmd.Stdout, x.cmd.Stderr = &x.out, &x.out
	var err error
	if x.in, err = x.cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	if err := x.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = x.in.Close()
		if err := x.cmd.Wait(); err != nil {
			s.t.Errorf("%s: %v\n%s", user, err, x.out.String())
		}
	})
	x.sees("You are")
	return x
}

func (x *terminal) types(lines ...string) {
	x.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(x.in, line+"\n"); err != nil {
			x.t.Fatal(err)
		}
	}
}

func (x *terminal) sees(want string) {
	x.t.Helper()
	defer func() {
		if x.t.Failed() {
			x.t.Log(x.out.String())
		}
	}()
	eventually(x.t, "the terminal shows "+want, func() bool { return strings.Contains(x.out.String(), want) })
}

func TestTerminalsEditReactAndReply(t *testing.T) {
	t.Parallel()
	s := house(t)
	alice, bob := s.terminal("alice", "lobby"), s.terminal("bob", "lobby")
	alice.types("lunhc?")
	bob.sees("alice: lunhc?")
	bob.types("/edit mine now")
	bob.sees("✗ /edit: there is no such message on the screen")
	alice.sees("alice: lunhc?")
	alice.types("/edit lunch?")
	bob.sees("alice edited “lunhc?”: lunch?")
	bob.types("/react 👍", "/react yes")
	alice.sees("bob reacted 👍 to “lunch?”")
	bob.sees("✗ react: ")
	bob.types("/reply at one, @alice")
	alice.sees("bob: ↳ at one, @alice")
	bob.sees("bob: ↳ at one, @alice")
	bob.types("/delete")
	alice.sees("bob deleted “at one, @alice”")
	alice.types("/search lunch")
	alice.sees("lobby alice: lunch?")

	var got []string
	for _, m := range s.history("acme", "lobby") {
		if m.Event == nil {
			got = append(got, m.Text)
		}
	}
	if len(got) != 2 || got[0] != "lunch?" || got[1] != "" {
		t.Errorf("got %q, want the edited message and the place of the deleted one", got)
	}
}

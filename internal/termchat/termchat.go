// Package termchat is a chat in a terminal: what a person sees and types, over
// package client. On a terminal it keeps the input line whole while messages
// arrive; otherwise it reads lines to post and prints lines. Nothing that others
// wrote reaches the terminal before it is cleaned of control characters.
package termchat

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"parley/client"
)

// Config of a chat. Client, In and Out are required.
type Config struct {
	Client *client.Client
	Room   string // id of the room to open first, or @user for a direct one; "": the user's rooms are listed
	In     io.Reader
	Out    io.Writer

	// Location is of the times that are shown; nil: the local one.
	Location *time.Location
}

// Run chats until the input ends, /quit, or ctx ends, which is no error. A revoked user's
// chat ends with the client's *RevokedError, a first room that can't be opened with why.
// Without a terminal, messages that could not be posted are an error at the end.
// A read of In that is under way when Run returns ends with In's next input or its close.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Client == nil || cfg.In == nil || cfg.Out == nil {
		return errors.New("termchat: Config needs Client, In and Out")
	}
	if cfg.Location == nil {
		cfg.Location = time.Local
	}
	in, okIn := cfg.In.(*os.File)
	out, okOut := cfg.Out.(*os.File)
	if !okIn || !okOut || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return newSession(cfg, newPlain(cfg.In, cfg.Out), style{}).run(ctx)
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(int(in.Fd()), before) }() // nothing helps a terminal that refuses
	size := func() (int, int) {
		w, h, err := term.GetSize(int(out.Fd()))
		if err != nil || w < 20 {
			return 80, 24
		}
		return w, h
	}
	return newSession(cfg, newTTY(in, out, size), style{columns: true, colour: os.Getenv("NO_COLOR") == ""}).run(ctx)
}

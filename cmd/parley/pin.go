package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

type messageArg struct {
	roomArg
	Seq uint64 `arg:"" help:"Sequence of the message."`
}

func (c *messageArg) pin() string {
	return c.path("messages", strconv.FormatUint(c.Seq, 10), "pin")
}

type roomPinCmd struct{ messageArg }

func (c *roomPinCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	if err := a.call(ctx, http.MethodPut, c.pin(), nil, nil); err != nil {
		return err
	}
	return a.show(struct{}{}, func(w io.Writer) { fmt.Fprintf(w, "Message %d of %s is pinned.\n", c.Seq, c.Room) })
}

type roomUnpinCmd struct{ messageArg }

func (c *roomUnpinCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, fmt.Sprintf("Message %d of %s is no longer pinned.", c.Seq, c.Room), c.pin())
}

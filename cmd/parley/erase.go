package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"parley/tenant"
)

type userEraseCmd struct {
	tenantArg
	User    string `arg:"" help:"Id of the user."`
	Confirm string `help:"The user's id once more: nothing of them can be had back." required:"" placeholder:"ID"`
	NoWait  bool   `help:"Do not wait until all is gone."`
}

type erasureAnswer struct {
	Erasure tenant.PersonErasure `json:"erasure"`
}

// Run begins the erasure, and shows how it goes until it is done.
func (c *userEraseCmd) Run(ctx context.Context, std streams) error {
	if c.Confirm != c.User {
		return fmt.Errorf("--confirm says %q, the user is %q; nothing was erased", c.Confirm, c.User)
	}
	a, err := c.open(std)
	if err != nil {
		return err
	}
	p := path("tenants", c.Tenant, "users", c.User, "erase")
	var answer erasureAnswer
	if err := a.call(ctx, http.MethodPost, p, nil, &answer); err != nil {
		return err
	}
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for shown := int64(-1); !c.NoWait && answer.Erasure.FinishedAt.IsZero(); {
		if !a.json && answer.Erasure.Messages != shown {
			shown = answer.Erasure.Messages
			fmt.Fprintf(std.err, "%d messages emptied\n", shown)
		}
		select {
		case <-ctx.Done():
			return errors.New("the erasure goes on without you; see it with GET " + p)
		case <-every.C:
		}
		if err := a.call(ctx, http.MethodGet, p, nil, &answer); err != nil {
			return err
		}
	}
	return a.show(answer, func(w io.Writer) {
		if answer.Erasure.FinishedAt.IsZero() {
			fmt.Fprintln(w, "The erasure of "+c.User+" has begun.")
			return
		}
		fmt.Fprintf(w, "Erased %s; %d messages were emptied.\n", c.User, answer.Erasure.Messages)
	})
}

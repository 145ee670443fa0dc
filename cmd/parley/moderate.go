package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"parley/tenant"
)

// termFlag says how long something lasts.
type termFlag struct {
	For time.Duration `help:"How long, as 90m or 24h; without it for good." placeholder:"DURATION"`
}

// body is what the API takes.
func (f termFlag) body() (map[string]any, error) {
	body := map[string]any{}
	if f.For < 0 || f.For%time.Second != 0 {
		return nil, fmt.Errorf("--for %s: give whole seconds, at least one", f.For)
	}
	if f.For > 0 {
		body["seconds"] = int64(f.For / time.Second)
	}
	return body, nil
}

type memberInviteCmd struct {
	memberArg
	termFlag
	Role string `help:"reader, member, poster (announce rooms), moderator or owner." default:"member"`
}

func (c *memberInviteCmd) Run(ctx context.Context, std streams) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	body["role"] = c.Role
	var answer struct {
		Member tenant.Member `json:"member"`
	}
	return c.put(ctx, std, "invitations", body, &answer, func() string {
		return fmt.Sprintf("%s is invited to %s.", c.User, c.Room)
	})
}

// put puts something on a user in the room and says so.
func (c *memberArg) put(ctx context.Context, std streams, what string, body, answer any, say func() string) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	if err := a.call(ctx, http.MethodPut, c.path(what, c.User), body, answer); err != nil {
		return err
	}
	return a.show(answer, func(w io.Writer) { fmt.Fprintln(w, say()) })
}

type sanctionFlags struct {
	termFlag
	Reason string `help:"Why: the user and the room are told."`
}

func (f sanctionFlags) body() (map[string]any, error) {
	body, err := f.termFlag.body()
	if err == nil && f.Reason != "" {
		body["reason"] = f.Reason
	}
	return body, err
}

type memberBanCmd struct {
	memberArg
	sanctionFlags
}

func (c *memberBanCmd) Run(ctx context.Context, std streams) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	var answer struct {
		Member tenant.Member `json:"member"`
	}
	return c.put(ctx, std, "bans", body, &answer, func() string {
		return fmt.Sprintf("%s is banned from %s, until: %s.", c.User, c.Room, untilWhen(answer.Member.Until))
	})
}

type memberUnbanCmd struct{ memberArg }

func (c *memberUnbanCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, c.User+" is no longer banned from "+c.Room+".", c.path("bans", c.User))
}

type memberMuteCmd struct {
	memberArg
	sanctionFlags
}

func (c *memberMuteCmd) Run(ctx context.Context, std streams) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	var answer struct {
		Mute tenant.Mute `json:"mute"`
	}
	return c.put(ctx, std, "mutes", body, &answer, func() string {
		return fmt.Sprintf("%s is muted in %s, until: %s.", c.User, c.Room, untilWhen(answer.Mute.Until))
	})
}

type memberUnmuteCmd struct{ memberArg }

func (c *memberUnmuteCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, c.User+" may post in "+c.Room+" again.", c.path("mutes", c.User))
}

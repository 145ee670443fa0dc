package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"parley/tenant"
)

type memberCmd struct {
	Put    memberPutCmd    `cmd:"" help:"Make a user a member of a room, or change their role."`
	Remove memberRemoveCmd `cmd:"" help:"Take a user out of a room."`
	List   memberListCmd   `cmd:"" help:"List the members of a room, and who is invited or banned."`
	Invite memberInviteCmd `cmd:"" help:"Invite a user, who accepts by joining."`
	Ban    memberBanCmd    `cmd:"" help:"Keep a user out of a room."`
	Unban  memberUnbanCmd  `cmd:"" help:"End a ban."`
	Mute   memberMuteCmd   `cmd:"" help:"Let a user post nothing in a room."`
	Unmute memberUnmuteCmd `cmd:"" help:"Let a muted user post again."`
}

type memberArg struct {
	roomArg
	User string `arg:"" help:"Id of the user."`
}

type memberPutCmd struct {
	memberArg
	Role string `help:"reader, member, poster (announce rooms), moderator or owner." default:"member"`
}

func (c *memberPutCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var answer struct {
		Member tenant.Member `json:"member"`
	}
	if err := a.call(ctx, http.MethodPut, c.path("members", c.User), map[string]string{"role": c.Role}, &answer); err != nil {
		return err
	}
	return a.show(answer, func(w io.Writer) { fmt.Fprintf(w, "%s is %s of %s.\n", c.User, answer.Member.Role, c.Room) })
}

type memberRemoveCmd struct{ memberArg }

func (c *memberRemoveCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, c.User+" is out of "+c.Room+".", c.path("members", c.User))
}

type memberListCmd struct{ roomArg }

func (c *memberListCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.Member](ctx, a, c.path("members"), "members", nil)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, m := range all {
		state := string(m.State)
		if !m.Until.IsZero() {
			state += " until " + untilWhen(m.Until)
		}
		rows = append(rows, []string{string(m.User), m.Name, string(m.Role), state})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No members. Add one: parley member put "+c.Tenant+" "+c.Room+" USER", []string{"user", "name", "role", "state"}, rows)
	})
}

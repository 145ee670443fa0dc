package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"parley/tenant"
)

type memberCmd struct {
	Put    memberPutCmd    `cmd:"" help:"Make a user a member of a room, or change his role."`
	Remove memberRemoveCmd `cmd:"" help:"Take a user out of a room."`
	List   memberListCmd   `cmd:"" help:"List the members of a room."`
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
		rows = append(rows, []string{string(m.User), m.Name, string(m.Role), string(m.State)})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No members. Add one: parley member put "+c.Tenant+" "+c.Room+" USER", []string{"user", "name", "role", "state"}, rows)
	})
}

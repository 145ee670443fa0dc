package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"parley/tenant"
)

type userCmd struct {
	Put     userPutCmd     `cmd:"" help:"Make a user, or change one."`
	List    userListCmd    `cmd:"" help:"List the users of a tenant."`
	Show    userShowCmd    `cmd:"" help:"Show a user."`
	Restore userRestoreCmd `cmd:"" help:"Undo a revocation."`
	Delete  userDeleteCmd  `cmd:"" help:"Delete a user; their messages stay."`
	Erase   userEraseCmd   `cmd:"" help:"Delete a user with all that is personal of them, and empty their messages."`
	Export  userExportCmd  `cmd:"" help:"Export what is kept of a user as NDJSON."`
}

type userArg struct {
	Tenant string `arg:"" help:"Id of the tenant."`
	User   string `arg:"" help:"Id of the user."`
	apiFlags
}

func (c *userArg) path(more ...string) string {
	return path(append([]string{"tenants", c.Tenant, "users", c.User}, more...)...)
}

type userAnswer struct {
	User tenant.User `json:"user"`
}

func (u userAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "id      %s\nname    %s\nstatus  %s\n", u.User.ID, u.User.Name, u.User.Status)
	if u.User.Reason != "" {
		fmt.Fprintf(w, "reason  %s\n", u.User.Reason)
	}
}

type userPutCmd struct {
	userArg
	Name         *string `help:"Name for people; the id when not given."`
	ExternalID   *string `help:"The user's id in your own system, as a mail address."`
	NKey         *string `name:"nkey" help:"Public user nkey, U…."`
	PasswordFile string  `help:"File with the password on one line; - is standard input." placeholder:"FILE"`
}

func (c *userPutCmd) Run(ctx context.Context, std streams) error {
	body := map[string]any{}
	for field, value := range map[string]*string{"name": c.Name, "external_id": c.ExternalID, "nkey": c.NKey} {
		if value != nil {
			body[field] = *value
		}
	}
	if c.PasswordFile != "" {
		password, err := readSecret(c.PasswordFile, std)
		if err != nil {
			return err
		}
		body["password"] = password
	}
	return c.send(ctx, std, http.MethodPut, c.path(), body)
}

// readSecret reads one line from a file, or from standard input: a secret on the command line shows in process lists.
func readSecret(file string, std streams) (string, error) {
	var b []byte
	var err error
	if file == "-" {
		b, err = io.ReadAll(std.in)
	} else {
		b, err = os.ReadFile(file)
	}
	return strings.TrimRight(string(b), "\r\n"), err
}

// send calls a path of the user and shows the user that it answers.
func (c *userArg) send(ctx context.Context, std streams, method, p string, body any) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var u userAnswer
	if err := a.call(ctx, method, p, body, &u); err != nil {
		return err
	}
	return a.show(u, u.print)
}

type userListCmd struct {
	tenantArg
	Query string `help:"Part of an id or name."`
}

func (c *userListCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.User](ctx, a, path("tenants", c.Tenant, "users"), "users", search(c.Query))
	if err != nil {
		return err
	}
	var rows [][]string
	for _, u := range all {
		rows = append(rows, []string{string(u.ID), u.Name, string(u.Status), u.CreatedAt.Format(time.RFC3339)})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No users. Make one: parley user put "+c.Tenant+" ID", []string{"id", "name", "status", "created"}, rows)
	})
}

func search(query string) url.Values {
	v := url.Values{}
	if query != "" {
		v.Set("query", query)
	}
	return v
}

type userShowCmd struct{ userArg }

func (c *userShowCmd) Run(ctx context.Context, std streams) error {
	return c.send(ctx, std, http.MethodGet, c.path(), nil)
}

type userRestoreCmd struct{ userArg }

func (c *userRestoreCmd) Run(ctx context.Context, std streams) error {
	return c.send(ctx, std, http.MethodPost, c.path("restore"), nil)
}

type userDeleteCmd struct{ userArg }

func (c *userDeleteCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, "Deleted user "+c.User+".", c.path())
}

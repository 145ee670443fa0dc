package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"parley/tenant"
)

type tokenCmd struct {
	userArg
	TTL time.Duration `name:"ttl" help:"How long it is good, 1s to 24h." default:"1h"`
}

type tokenAnswer struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (c *tokenCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	t, err := a.mint(ctx, c.path("tokens"), c.TTL)
	if err != nil {
		return err
	}
	return a.show(t, func(w io.Writer) { fmt.Fprintln(w, t.Token) })
}

func (a *api) mint(ctx context.Context, path string, ttl time.Duration) (tokenAnswer, error) {
	var t tokenAnswer
	err := a.call(ctx, http.MethodPost, path, map[string]int64{"ttl_seconds": int64(ttl / time.Second)}, &t)
	return t, err
}

type credsCmd struct {
	userArg
	Out  string `help:"File to write, readable by you alone; standard output when not given." placeholder:"FILE" xor:"what"`
	List bool   `help:"List those that were issued, and issue none." xor:"what"`
}

func (c *credsCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	if c.List {
		return c.list(ctx, a)
	}
	var file string
	if err := a.call(ctx, http.MethodPost, c.path("creds"), nil, &file); err != nil {
		return err
	}
	if c.Out == "" {
		_, err := io.WriteString(std.out, file)
		return err
	}
	if err := os.WriteFile(c.Out, []byte(file), 0o600); err != nil {
		return err
	}
	return a.show(map[string]string{"file": c.Out}, func(w io.Writer) { fmt.Fprintln(w, "Wrote", c.Out) })
}

func (c *credsCmd) list(ctx context.Context, a *api) error {
	all, err := list[tenant.Credential](ctx, a, c.path("creds"), "credentials", nil)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, n := range all {
		revoked := ""
		if !n.RevokedAt.IsZero() {
			revoked = n.RevokedAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{n.NKey, string(n.Kind), n.IssuedAt.Format(time.RFC3339), revoked})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No credentials.", []string{"nkey", "kind", "issued", "revoked"}, rows)
	})
}

type connectionsCmd struct {
	Tenant string `arg:"" help:"Id of the tenant."`
	User   string `arg:"" optional:"" help:"Only this user's."`
	apiFlags
}

func (c *connectionsCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	p := path("tenants", c.Tenant, "connections")
	if c.User != "" {
		p = path("tenants", c.Tenant, "users", c.User, "connections")
	}
	var answer struct {
		Connections []tenant.Connection `json:"connections"`
	}
	if err := a.call(ctx, http.MethodGet, p, nil, &answer); err != nil {
		return err
	}
	var rows [][]string
	for _, n := range answer.Connections {
		rows = append(rows, []string{string(n.User), string(n.Method), n.Address, n.Since.Format(time.RFC3339)})
	}
	return a.show(answer.Connections, func(w io.Writer) {
		table(w, "Nobody is connected.", []string{"user", "method", "address", "since"}, rows)
	})
}

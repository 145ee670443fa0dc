package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"parley/tenant"
)

type tenantCmd struct {
	Create   tenantCreateCmd   `cmd:"" help:"Make a tenant and print its API key."`
	List     tenantListCmd     `cmd:"" help:"List all tenants."`
	Show     tenantShowCmd     `cmd:"" help:"Show a tenant."`
	Update   tenantUpdateCmd   `cmd:"" help:"Change a tenant's name, time zone, limits or retention."`
	Suspend  tenantSuspendCmd  `cmd:"" help:"Close a tenant's connections and let nobody in."`
	Resume   tenantResumeCmd   `cmd:"" help:"End a suspension."`
	Delete   tenantDeleteCmd   `cmd:"" help:"Delete a tenant with all it has."`
	Usage    tenantUsageCmd    `cmd:"" help:"Show what a tenant uses of its limits, now and by day."`
	Audit    tenantAuditCmd    `cmd:"" help:"Show who changed what."`
	Refusals tenantRefusalsCmd `cmd:"" help:"Show which connections were refused, and why."`
}

type tenantArg struct {
	Tenant string `arg:"" help:"Id of the tenant."`
	apiFlags
}

type limitFlags struct {
	Limit map[string]int64 `help:"A limit, as users=100; 0 is the plan's. Of connections, users, rooms, storage_bytes, message_bytes, messages_per_second, connections_per_user." placeholder:"NAME=N"`
}

type tenantAnswer struct {
	Tenant tenant.Tenant `json:"tenant"`
	APIKey string        `json:"api_key,omitempty"`
}

func (t tenantAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "id        %s\nname      %s\naccount   %s\ntimezone  %s\nstatus    %s\n",
		t.Tenant.ID, t.Tenant.Name, t.Tenant.Account, t.Tenant.Timezone, t.Tenant.Status)
	printRetention(w, t.Tenant.Retention)
}

type tenantCreateCmd struct {
	ID       string `arg:"" help:"Id of the tenant: a-z, 0-9, _ and -."`
	Name     string `help:"Name for people; the id when not given."`
	Timezone string `help:"IANA time zone, as Europe/Berlin." default:"UTC"`
	limitFlags
	retentionFlags
	apiFlags
}

func (c *tenantCreateCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	body := map[string]any{"id": c.ID, "timezone": c.Timezone}
	if c.Name != "" {
		body["name"] = c.Name
	}
	if c.Limit != nil {
		body["limits"] = c.Limit
	}
	if err := c.addTo(body); err != nil {
		return err
	}
	var t tenantAnswer
	if err := a.call(ctx, http.MethodPost, path("tenants"), body, &t); err != nil {
		return err
	}
	return a.show(t, func(w io.Writer) {
		t.print(w)
		fmt.Fprintf(w, "api key   %s\n\nThe key is shown this once: keep it. Next: parley user put %s alice\n", t.APIKey, c.ID)
	})
}

type tenantListCmd struct{ apiFlags }

func (c *tenantListCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.Tenant](ctx, a, path("tenants"), "tenants", nil)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, t := range all {
		rows = append(rows, []string{string(t.ID), t.Name, string(t.Status), t.Timezone, t.CreatedAt.Format(time.RFC3339)})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No tenants yet. Make one: parley tenant create ID", []string{"id", "name", "status", "timezone", "created"}, rows)
	})
}

type tenantShowCmd struct{ tenantArg }

func (c *tenantShowCmd) Run(ctx context.Context, std streams) error {
	return c.send(ctx, std, http.MethodGet, nil)
}

type tenantUpdateCmd struct {
	tenantArg
	Name     *string `help:"Name for people."`
	Timezone *string `help:"IANA time zone."`
	limitFlags
	UserRooms *bool `help:"Whether users may make rooms." negatable:""`
	retentionFlags
}

func (c *tenantUpdateCmd) Run(ctx context.Context, std streams) error {
	body := map[string]any{}
	if c.Name != nil {
		body["name"] = *c.Name
	}
	if c.Timezone != nil {
		body["timezone"] = *c.Timezone
	}
	if c.Limit != nil {
		body["limits"] = c.Limit
	}
	if err := c.addTo(body); err != nil {
		return err
	}
	if c.UserRooms != nil {
		body["user_rooms"] = *c.UserRooms
	}
	return c.send(ctx, std, http.MethodPatch, body)
}

type tenantSuspendCmd struct{ tenantArg }

func (c *tenantSuspendCmd) Run(ctx context.Context, std streams) error {
	return c.send(ctx, std, http.MethodPatch, map[string]tenant.Status{"status": tenant.Suspended})
}

type tenantResumeCmd struct{ tenantArg }

func (c *tenantResumeCmd) Run(ctx context.Context, std streams) error {
	return c.send(ctx, std, http.MethodPatch, map[string]tenant.Status{"status": tenant.Active})
}

// send calls the tenant's own path and shows the tenant that it answers.
func (c *tenantArg) send(ctx context.Context, std streams, method string, body any) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var t tenantAnswer
	if err := a.call(ctx, method, path("tenants", c.Tenant), body, &t); err != nil {
		return err
	}
	return a.show(t, t.print)
}

type tenantDeleteCmd struct {
	tenantArg
	Confirm string `help:"The tenant's id once more: nothing of it can be had back." required:"" placeholder:"ID"`
}

func (c *tenantDeleteCmd) Run(ctx context.Context, std streams) error {
	if c.Confirm != c.Tenant {
		return fmt.Errorf("--confirm says %q, the tenant is %q; nothing was deleted", c.Confirm, c.Tenant)
	}
	return c.remove(ctx, std, "Deleted tenant "+c.Tenant+".", path("tenants", c.Tenant))
}

// remove deletes what stands at p and says so.
func (f apiFlags) remove(ctx context.Context, std streams, done, p string) error {
	a, err := f.open(std)
	if err != nil {
		return err
	}
	if err := a.call(ctx, http.MethodDelete, p, nil, nil); err != nil {
		return err
	}
	return a.show(struct{}{}, func(w io.Writer) { fmt.Fprintln(w, done) })
}

type tenantAuditCmd struct{ tenantArg }

func (c *tenantAuditCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.AuditEntry](ctx, a, path("tenants", c.Tenant, "audit"), "audit", nil)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, e := range all {
		rows = append(rows, []string{e.At.Format(time.RFC3339), e.Actor, e.Action, e.Object})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "Nothing has been changed yet.", []string{"at", "actor", "action", "object"}, rows)
	})
}

type tenantRefusalsCmd struct{ tenantArg }

func (c *tenantRefusalsCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.Refusal](ctx, a, path("tenants", c.Tenant, "refusals"), "refusals", nil)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range all {
		rows = append(rows, []string{r.At.Format(time.RFC3339), r.User, string(r.Method), r.Address, r.Code, r.Reason})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No connection was refused.", []string{"at", "user", "method", "address", "code", "reason"}, rows)
	})
}

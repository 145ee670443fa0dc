package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"parley/tenant"
)

// holdCmd is of a room where one is named, else of the whole tenant.
type holdCmd struct {
	Place  holdPlaceCmd  `cmd:"" help:"Keep a copy of whatever a tenant's rooms lose, or one room."`
	Lift   holdLiftCmd   `cmd:"" help:"End a hold; what it alone kept goes for good."`
	Export holdExportCmd `cmd:"" help:"Export what the holds of a room keep as NDJSON."`
	List   holdListCmd   `cmd:"" help:"List what is on hold."`
}

type holdPlaceCmd struct {
	tenantArg
	Room   string `arg:"" optional:"" help:"Id of a room; without it, the whole tenant."`
	Reason string `help:"Why, for whoever finds the hold." required:""`
}

func holdPath(t, room string) string {
	if room == "" {
		return path("tenants", t, "hold")
	}
	return path("tenants", t, "rooms", room, "hold")
}

func (c *holdPlaceCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var answer struct {
		Hold tenant.Hold `json:"hold"`
	}
	if err := a.call(ctx, http.MethodPut, holdPath(c.Tenant, c.Room), map[string]string{"reason": c.Reason}, &answer); err != nil {
		return err
	}
	return a.show(answer, func(w io.Writer) {
		fmt.Fprintln(w, strings.TrimSpace("On hold. Lift it: parley hold lift "+c.Tenant+" "+c.Room))
	})
}

type holdLiftCmd struct {
	tenantArg
	Room string `arg:"" optional:"" help:"Id of a room; without it, the whole tenant."`
}

func (c *holdLiftCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, "Lifted.", holdPath(c.Tenant, c.Room))
}

type holdExportCmd struct {
	roomArg
	File string `help:"Where to write; standard output when not given." placeholder:"FILE"`
}

func (c *holdExportCmd) Run(ctx context.Context, std streams) error {
	return c.export(ctx, std, c.path("held"), c.File)
}

type holdListCmd struct{ tenantArg }

func (c *holdListCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var answer struct {
		Holds []tenant.Hold `json:"holds"`
	}
	if err := a.call(ctx, http.MethodGet, path("tenants", c.Tenant, "holds"), nil, &answer); err != nil {
		return err
	}
	var rows [][]string
	for _, h := range answer.Holds {
		room := string(h.Room)
		if room == "" {
			room = "(all)"
		}
		rows = append(rows, []string{room, h.PlacedAt.Format(time.RFC3339), h.Reason})
	}
	return a.show(answer, func(w io.Writer) { table(w, "Nothing is on hold.", []string{"room", "since", "reason"}, rows) })
}

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"parley/tenant"
)

type shareCmd struct {
	Offer   shareOfferCmd   `cmd:"" help:"Offer a shared room, or a service, to another tenant."`
	List    shareListCmd    `cmd:"" help:"List the offers and shares of a tenant, in and out."`
	Show    shareShowCmd    `cmd:"" help:"Show a share."`
	Accept  shareAcceptCmd  `cmd:"" help:"Accept an offer, as the guest."`
	Decline shareDeclineCmd `cmd:"" help:"Decline an offer, as the guest."`
	Update  shareUpdateCmd  `cmd:"" help:"Change what the host gives, or the guest's name for the room."`
	End     shareEndCmd     `cmd:"" help:"End a share, or take an offer back; either side may."`
}

type shareArg struct {
	Tenant string `arg:"" help:"Id of the tenant that asks: host or guest."`
	Share  string `arg:"" help:"Id of the share."`
	apiFlags
}

func (c *shareArg) path(more ...string) string {
	return path(append([]string{"tenants", c.Tenant, "shares", c.Share}, more...)...)
}

type shareAnswer struct {
	Share tenant.Share `json:"share"`
}

func (s shareAnswer) print(w io.Writer) {
	h := s.Share
	fmt.Fprintf(w, "id       %s\n", h.ID)
	if h.Service == "" {
		fmt.Fprintf(w, "room     %s\nhistory  %s\n", h.Room, h.History)
	} else {
		fmt.Fprintf(w, "service  %s\nasked    as %s@%s by the guest's users\nhears    svc.%s.%s.<user>\n", h.Service, h.Service, h.Host, h.Service, h.ID)
	}
	fmt.Fprintf(w, "title    %s\nhost     %s\nguest    %s\nmay      %s\nstatus   %s\noffered  %s by %s\n",
		h.Title, h.Host, h.Guest, may(h), h.Status, h.OfferedAt.Format(time.RFC3339), h.OfferedBy)
	if !h.AcceptedAt.IsZero() {
		fmt.Fprintf(w, "accepted %s by %s\n", h.AcceptedAt.Format(time.RFC3339), h.AcceptedBy)
	}
	if !h.ExpiresAt.IsZero() && h.EndedAt.IsZero() {
		fmt.Fprintf(w, "expires  %s\n", h.ExpiresAt.Format(time.RFC3339))
	}
	if !h.EndedAt.IsZero() {
		fmt.Fprintf(w, "ended    %s by %s\n", h.EndedAt.Format(time.RFC3339), h.EndedBy)
	}
	if h.KeepCopy && h.EndedAt.IsZero() {
		fmt.Fprintf(w, "after it the guest keeps a copy\n")
	}
	if h.Copy != "" {
		fmt.Fprintf(w, "copy     %s, a room of %s\n", h.Copy, h.Guest)
	}
}

func may(s tenant.Share) string {
	if s.Service != "" {
		return "ask"
	}
	if s.Post {
		return "read and post"
	}
	return "read"
}

// sendShare calls a path of shares and shows the share that it answers.
func (f apiFlags) sendShare(ctx context.Context, std streams, method, p string, body any) error {
	a, err := f.open(std)
	if err != nil {
		return err
	}
	var s shareAnswer
	if err := a.call(ctx, method, p, body, &s); err != nil {
		return err
	}
	return a.show(s, s.print)
}

type shareOfferCmd struct {
	Tenant  string        `arg:"" help:"Id of the tenant whose room or service it is."`
	What    string        `arg:"" help:"Id of the room, which is of kind shared; with --service the name of the service."`
	Guest   string        `arg:"" help:"Id of the tenant that it is offered to."`
	Service bool          `help:"Offer a service, which backends of the tenant answer on svc.<name>.>."`
	Post    bool          `help:"The guest's users may post; else they read."`
	History string        `help:"What the guest's users read of before: all, or share (from the acceptance on; the default)."`
	Keep    bool          `name:"keep-copy" help:"The guest keeps a frozen copy of what its users could read, when the share ends."`
	For     time.Duration `help:"How long the share lasts, as 720h; for ever when not given."`
	apiFlags
}

func (c *shareOfferCmd) Run(ctx context.Context, std streams) error {
	kind := "room"
	if c.Service {
		kind = "service"
	}
	body := map[string]any{kind: c.What, "guest": c.Guest, "post": c.Post, "history": c.History, "keep_copy": c.Keep}
	if c.For > 0 {
		body["until"] = time.Now().Add(c.For).UTC()
	}
	return c.sendShare(ctx, std, http.MethodPost, path("tenants", c.Tenant, "shares"), body)
}

type shareListCmd struct{ tenantArg }

func (c *shareListCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.Share](ctx, a, path("tenants", c.Tenant, "shares"), "shares", nil)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, s := range all {
		rows = append(rows, []string{s.ID, s.Title, string(s.Host), string(s.Guest), may(s), string(s.Status)})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No shares. Offer a room: parley share offer "+c.Tenant+" ROOM GUEST --post",
			[]string{"id", "title", "host", "guest", "may", "status"}, rows)
	})
}

type shareShowCmd struct{ shareArg }

func (c *shareShowCmd) Run(ctx context.Context, std streams) error {
	return c.sendShare(ctx, std, http.MethodGet, c.path(), nil)
}

type shareAcceptCmd struct{ shareArg }

func (c *shareAcceptCmd) Run(ctx context.Context, std streams) error {
	return c.sendShare(ctx, std, http.MethodPost, c.path("accept"), nil)
}

type shareDeclineCmd struct{ shareArg }

func (c *shareDeclineCmd) Run(ctx context.Context, std streams) error {
	return c.sendShare(ctx, std, http.MethodPost, c.path("decline"), nil)
}

type shareUpdateCmd struct {
	shareArg
	Post  *bool   `help:"The host's: the guest's users may post." negatable:""`
	Title *string `help:"The guest's own name for it; empty for the host's."`
}

func (c *shareUpdateCmd) Run(ctx context.Context, std streams) error {
	body := map[string]any{}
	if c.Post != nil {
		body["post"] = *c.Post
	}
	if c.Title != nil {
		body["title"] = *c.Title
	}
	return c.sendShare(ctx, std, http.MethodPatch, c.path(), body)
}

type shareEndCmd struct{ shareArg }

func (c *shareEndCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, "Ended share "+c.Share+".", c.path())
}

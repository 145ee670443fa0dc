package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"parley/tenant"
)

type roomUpdateCmd struct {
	roomArg
	Title       *string `help:"The new title."`
	SlowSeconds *int    `help:"At least so many seconds between two posts of one user; 0 ends slow mode." placeholder:"N"`
	History     *string `help:"What members may read: all, or what was said since they joined (joined)." placeholder:"all|joined"`
}

func (c *roomUpdateCmd) Run(ctx context.Context, std streams) error {
	body := map[string]any{}
	if c.Title != nil {
		body["title"] = *c.Title
	}
	if c.SlowSeconds != nil {
		body["slow_seconds"] = *c.SlowSeconds
	}
	if c.History != nil {
		body["history"] = *c.History
	}
	if len(body) == 0 {
		return errors.New("nothing to change: give --title, --slow-seconds or --history")
	}
	return c.send(ctx, std, http.MethodPatch, c.path(), body)
}

type roomFreezeCmd struct{ roomArg }

func (c *roomFreezeCmd) Run(ctx context.Context, std streams) error {
	return c.become(ctx, std, tenant.RoomFrozen)
}

type roomArchiveCmd struct{ roomArg }

func (c *roomArchiveCmd) Run(ctx context.Context, std streams) error {
	return c.become(ctx, std, tenant.RoomArchived)
}

type roomReopenCmd struct{ roomArg }

func (c *roomReopenCmd) Run(ctx context.Context, std streams) error {
	return c.become(ctx, std, tenant.RoomActive)
}

func (c *roomArg) become(ctx context.Context, std streams, s tenant.RoomState) error {
	return c.send(ctx, std, http.MethodPatch, c.path(), map[string]tenant.RoomState{"state": s})
}

type roomMutesCmd struct{ roomArg }

func (c *roomMutesCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.Mute](ctx, a, c.path("mutes"), "mutes", nil)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, m := range all {
		rows = append(rows, []string{string(m.User), untilWhen(m.Until), m.Reason})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "Nobody is muted in "+c.Room+".", []string{"user", "until", "reason"}, rows)
	})
}

// untilWhen is the end of what may have none.
func untilWhen(t time.Time) string {
	if t.IsZero() {
		return "for good"
	}
	return t.Format(time.RFC3339)
}

type roomReportsCmd struct {
	tenantArg
	State tenant.ReportState `help:"open or closed; all when not given." placeholder:"STATE"`
}

func (c *roomReportsCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	query := url.Values{}
	if c.State != tenant.AllReports {
		query.Set("state", string(c.State))
	}
	all, err := list[tenant.Report](ctx, a, path("tenants", c.Tenant, "reports"), "reports", query)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range all {
		outcome := "open"
		if r.Closed != nil {
			outcome = string(r.Closed.Outcome)
		}
		rows = append(rows, []string{
			strconv.FormatInt(r.ID, 10), r.At.Format(time.RFC3339), string(r.Room), strconv.FormatUint(r.Seq, 10), r.Sender, string(r.By), r.Reason, outcome,
		})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "Nothing was reported.", []string{"id", "at", "room", "message", "sender", "reported by", "reason", "outcome"}, rows)
	})
}

type roomCloseReportCmd struct {
	Tenant  string         `arg:"" help:"Id of the tenant."`
	Report  int64          `arg:"" help:"Id of the report."`
	Outcome tenant.Outcome `help:"acted: something was done about the message or its sender; dismissed: nothing is wrong with it." required:"" placeholder:"OUTCOME"`
	Note    string         `help:"For your own moderators."`
	apiFlags
}

func (c *roomCloseReportCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var out struct {
		Report tenant.Report `json:"report"`
	}
	body := map[string]string{"outcome": string(c.Outcome), "note": c.Note}
	if err := a.call(ctx, http.MethodPost, path("tenants", c.Tenant, "reports", strconv.FormatInt(c.Report, 10), "close"), body, &out); err != nil {
		return err
	}
	return a.show(out, func(w io.Writer) { fmt.Fprintf(w, "Closed report %d as %s.\n", c.Report, c.Outcome) })
}

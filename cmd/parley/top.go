package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"parley/tenant"
)

type topCmd struct {
	By       string        `help:"What comes first: connections, messages (a second) or storage." enum:"connections,messages,storage" default:"connections"`
	Limit    int           `help:"How many tenants; 0: all." default:"20"`
	Interval time.Duration `help:"How long messages are counted, and between two tables." default:"2s"`
	Once     bool          `help:"Print one table, and end."`
	apiFlags
}

// A topRow is a tenant in a moment.
type topRow struct {
	Tenant      tenant.TenantID `json:"tenant"`
	Health      tenant.Health   `json:"health"`
	Connections tenant.Use      `json:"connections"`
	Messages    float64         `json:"messages_per_second"`
	Storage     tenant.Use      `json:"storage"`
}

// A sample is what all tenants used at a time.
type sample struct {
	at    time.Time
	loads []tenant.TenantLoad
}

func (c *topCmd) Run(ctx context.Context, std streams) error {
	if c.Interval < 10*time.Millisecond {
		return fmt.Errorf("--interval: %s is too short to count in; give 10ms or more", c.Interval)
	}
	a, err := c.open(std)
	if err != nil {
		return err
	}
	before, err := takeSample(ctx, a)
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Interval):
		}
		var now sample
		if now, err = takeSample(ctx, a); err != nil {
			break
		}
		if err = c.show(std.out, now.since(before, c.By, c.Limit)); err != nil || c.Once {
			break
		}
		before = now
	}
	if ctx.Err() != nil { // ^C
		return nil
	}
	return err
}

func takeSample(ctx context.Context, a *api) (sample, error) {
	loads, err := list[tenant.TenantLoad](ctx, a, path("loads"), "loads", nil)
	return sample{time.Now(), loads}, err
}

// since makes the rows of what was used between two samples, the highest first.
func (s sample) since(before sample, by string, limit int) []topRow {
	had := map[tenant.TenantID]int64{}
	for _, l := range before.loads {
		had[l.ID] = l.Messages
	}
	seconds := s.at.Sub(before.at).Seconds()
	rows := []topRow{}
	for _, l := range s.loads {
		r := topRow{Tenant: l.ID, Health: l.Health, Connections: l.Connections, Storage: l.Bytes()}
		if n, known := had[l.ID]; known && l.Messages > n { // a new tenant's are of a longer time
			r.Messages = float64(l.Messages-n) / seconds
		}
		rows = append(rows, r)
	}
	value := map[string]func(topRow) float64{
		"connections": func(r topRow) float64 { return float64(r.Connections.Used) },
		"messages":    func(r topRow) float64 { return r.Messages },
		"storage":     func(r topRow) float64 { return float64(r.Storage.Used) },
	}[by]
	slices.SortFunc(rows, func(r, o topRow) int {
		return cmp.Or(cmp.Compare(value(o), value(r)), cmp.Compare(r.Tenant, o.Tenant))
	})
	if limit > 0 && len(rows) > limit {
		rows = rows[:limit]
	}
	return rows
}

// clear puts the cursor of a terminal at its top left, and empties it.
const clear = "\x1b[H\x1b[2J"

// show prints a table in place of the last; with --json a line for each.
func (c *topCmd) show(w io.Writer, rows []topRow) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(rows)
	}
	if !c.Once {
		if _, err := io.WriteString(w, clear); err != nil {
			return err
		}
	}
	var lines [][]string
	for _, r := range rows {
		lines = append(lines, []string{
			string(r.Tenant), string(r.Health), used(r.Connections, number), strconv.FormatFloat(r.Messages, 'f', 1, 64), used(r.Storage, mebibytes),
		})
	}
	table(w, "No tenants yet. Make one: parley tenant create ID", []string{"tenant", "health", "connections", "messages/s", "storage"}, lines)
	return nil
}

// used says a use against its limit; a tenant without a room has no stream whose storage has one.
func used(u tenant.Use, text func(int64) string) string {
	if u == (tenant.Use{}) {
		return "none yet"
	}
	return text(u.Used) + " of " + text(u.Limit)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func mebibytes(n int64) string { return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB" }

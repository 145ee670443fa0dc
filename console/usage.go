package console

import (
	"context"

	"parley/tenant"
)

// Records tells what a tenant has. It knows no actors: the console asks for the key's scope first.
type Records interface {
	Usage(ctx context.Context, t tenant.TenantID, days int) (tenant.Usage, []tenant.UsageDay, error)
	ExportRoom(ctx context.Context, t tenant.TenantID, r tenant.RoomID, after uint64, line func(v any) error) error
	ExportHeld(ctx context.Context, t tenant.TenantID, r tenant.RoomID, after int64, line func(v any) error) error
	ExportUser(ctx context.Context, t tenant.TenantID, u tenant.UserID, line func(v any) error) error
	ImportRoom(ctx context.Context, t tenant.TenantID, r tenant.RoomID, lines []byte, from int) (tenant.Imported, error)
}

type usageQuery struct {
	Days int `query:"days" minimum:"1" maximum:"400" default:"30" doc:"How many days of history at most"`
}

type usage struct {
	Body struct {
		Usage tenant.Usage      `json:"usage"`
		Days  []tenant.UsageDay `json:"days" nullable:"false" doc:"Oldest first; the last is today so far, written every ten minutes"`
	} `nameHint:"TenantUsage"`
}

func (c *console) getUsage(ctx context.Context, in *usageQuery) (*usage, error) {
	call, out := callOf(ctx), &usage{}
	if err := call.actor.Allow(tenant.ScopeRead, call.tenant); err != nil {
		return nil, err
	}
	now, days, err := c.messages.Usage(ctx, call.tenant, in.Days)
	out.Body.Usage, out.Body.Days = now, orEmpty(days)
	return out, err
}

package console

import (
	"context"
	"time"

	"parley/tenant"
)

// Shares is what the routes of shares ask of the domain.
type Shares interface {
	OfferShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, n tenant.NewShare) (tenant.Share, error)
	Share(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) (tenant.Share, error)
	Shares(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.Share, error)
	AcceptShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) (tenant.Share, error)
	DeclineShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) (tenant.Share, error)
	UpdateShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string, p tenant.SharePatch) (tenant.Share, error)
	EndShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) error
}

type newShare struct {
	Body struct {
		Room    string    `json:"room,omitempty" doc:"The id, or the address, of a shared room of the tenant; or name a service"`
		Service string    `json:"service,omitempty" doc:"The name of a service of the tenant, on which its backends answer"`
		Guest   string    `json:"guest" doc:"The id of the tenant that it is offered to"`
		Post    bool      `json:"post,omitempty" doc:"Whether the guest's users may post; they read in any case"`
		History string    `json:"history,omitempty" doc:"What the guest's users read of before: all, or share (by default), which is from the acceptance on"`
		Keep    bool      `json:"keep_copy,omitempty" doc:"Whether the guest keeps a frozen copy of what its users could read, when the share ends"`
		Until   time.Time `json:"until,omitempty" doc:"When the share ends by itself"`
	} `nameHint:"NewShare"`
}

type oneShare struct {
	Body struct {
		Share tenant.Share `json:"share"`
	} `nameHint:"OneShare"`
}

func answerShare(s tenant.Share, err error) (*oneShare, error) {
	out := &oneShare{}
	out.Body.Share = s
	return out, err
}

func (c *console) offerShare(ctx context.Context, in *newShare) (*oneShare, error) {
	call, b := callOf(ctx), in.Body
	return answerShare(c.service.OfferShare(ctx, call.actor, call.tenant, tenant.NewShare{
		Room: b.Room, Service: b.Service, Guest: b.Guest, Post: b.Post, History: b.History, Keep: b.Keep, Until: b.Until,
	}))
}

func (c *console) getShare(ctx context.Context, _ *struct{}) (*oneShare, error) {
	call := callOf(ctx)
	return answerShare(c.service.Share(ctx, call.actor, call.tenant, call.share))
}

func (c *console) acceptShare(ctx context.Context, _ *struct{}) (*oneShare, error) {
	call := callOf(ctx)
	return answerShare(c.service.AcceptShare(ctx, call.actor, call.tenant, call.share))
}

func (c *console) declineShare(ctx context.Context, _ *struct{}) (*oneShare, error) {
	call := callOf(ctx)
	return answerShare(c.service.DeclineShare(ctx, call.actor, call.tenant, call.share))
}

type sharePatch struct {
	Body struct {
		Post  *bool      `json:"post,omitempty" doc:"The host's: whether the guest's users may post"`
		Until *time.Time `json:"until,omitempty" doc:"The host's: when the share ends by itself; 0001-01-01T00:00:00Z for never"`
		Title *string    `json:"title,omitempty" maxLength:"200" doc:"The guest's own name for the room; empty for the host's"`
	} `nameHint:"SharePatch"`
}

func (c *console) updateShare(ctx context.Context, in *sharePatch) (*oneShare, error) {
	call, b := callOf(ctx), in.Body
	return answerShare(c.service.UpdateShare(ctx, call.actor, call.tenant, call.share, tenant.SharePatch{Post: b.Post, Until: b.Until, Title: b.Title}))
}

func (c *console) endShare(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.EndShare(ctx, call.actor, call.tenant, call.share)
}

type sharePage struct {
	Body struct {
		Shares []tenant.Share `json:"shares" nullable:"false"`
		rest
	} `nameHint:"SharePage"`
}

func (c *console) listShares(ctx context.Context, in *pageQuery) (*sharePage, error) {
	call, out := callOf(ctx), &sharePage{}
	var err error
	out.Body.Shares, out.Body.rest, err = list(ctx, *in, func(s tenant.Share) string { return s.ID },
		func(ctx context.Context, p tenant.Page) ([]tenant.Share, error) {
			return c.service.Shares(ctx, call.actor, call.tenant, p)
		})
	return out, err
}

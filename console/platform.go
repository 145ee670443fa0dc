package console

import (
	"context"
	"time"

	"parley/tenant"
)

// Platform tells operators of the machinery. It knows no actors: the console asks first.
type Platform interface {
	Servers(ctx context.Context) ([]tenant.Server, error)
	StreamInfos(ctx context.Context, p tenant.Page) ([]tenant.Stream, error)
	Projection(ctx context.Context) (tenant.Projection, error)
	Trail(ctx context.Context) (tenant.Trail, error) // looks through the audit trail
	Disk() (tenant.Use, error)                       // of the data folder
	CertificateExpires() time.Time                   // zero: the ports are plain
}

type loadPage struct {
	Body struct {
		Loads []tenant.TenantLoad `json:"loads" nullable:"false"`
		rest
	} `nameHint:"LoadPage"`
}

func (c *console) listLoads(ctx context.Context, in *pageQuery) (*loadPage, error) {
	out := &loadPage{}
	var err error
	out.Body.Loads, out.Body.rest, err = list(ctx, *in, func(l tenant.TenantLoad) string { return string(l.ID) },
		func(ctx context.Context, p tenant.Page) ([]tenant.TenantLoad, error) {
			return c.service.Loads(ctx, callOf(ctx).actor, p)
		})
	return out, err
}

type serverList struct {
	Body struct {
		Servers []tenant.Server `json:"servers" nullable:"false"`
	} `nameHint:"ServerList"`
}

func (c *console) listServers(ctx context.Context, _ *struct{}) (*serverList, error) {
	out := &serverList{}
	all, err := c.servers(ctx, callOf(ctx).actor)
	out.Body.Servers = orEmpty(all)
	return out, err
}

func (c *console) servers(ctx context.Context, a tenant.Actor) ([]tenant.Server, error) {
	if err := a.AllowOperator(); err != nil {
		return nil, err
	}
	return c.platform.Servers(ctx)
}

type streamPage struct {
	Body struct {
		Streams []tenant.Stream `json:"streams" nullable:"false"`
		rest
	} `nameHint:"StreamPage"`
}

func (c *console) listStreams(ctx context.Context, in *pageQuery) (*streamPage, error) {
	out := &streamPage{}
	var err error
	out.Body.Streams, out.Body.rest, err = list(ctx, *in, tenant.Stream.Cursor,
		func(ctx context.Context, p tenant.Page) ([]tenant.Stream, error) {
			return c.streams(ctx, callOf(ctx).actor, p)
		})
	return out, err
}

func (c *console) streams(ctx context.Context, a tenant.Actor, p tenant.Page) ([]tenant.Stream, error) {
	if err := a.AllowOperator(); err != nil {
		return nil, err
	}
	return c.platform.StreamInfos(ctx, p)
}

package console

import (
	"context"

	"parley/tenant"
)

// Members is what the routes of members ask of the domain.
type Members interface {
	PutMember(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, role string) (tenant.Member, error)
	RemoveMember(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, reason string) error
	Members(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, p tenant.Page) ([]tenant.Member, error)
	Moderation
}

type memberBody struct {
	Role string `json:"role,omitempty" doc:"reader, member (by default), poster, moderator or owner"`
}

type putMember struct{ Body *memberBody }

type oneMember struct {
	Body struct {
		Member tenant.Member `json:"member"`
	} `nameHint:"OneMember"`
}

func (c *console) putMember(ctx context.Context, in *putMember) (*oneMember, error) {
	call, role := callOf(ctx), ""
	if in.Body != nil {
		role = in.Body.Role
	}
	out := &oneMember{}
	var err error
	out.Body.Member, err = c.service.PutMember(ctx, call.actor, call.tenant, call.room, call.user, role)
	return out, err
}

func (c *console) removeMember(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.RemoveMember(ctx, call.actor, call.tenant, call.room, call.user, "")
}

type memberPage struct {
	Body struct {
		Members []tenant.Member `json:"members" nullable:"false"`
		rest
	} `nameHint:"MemberPage"`
}

func (c *console) listMembers(ctx context.Context, in *pageQuery) (*memberPage, error) {
	call, out := callOf(ctx), &memberPage{}
	var err error
	out.Body.Members, out.Body.rest, err = list(ctx, *in, func(m tenant.Member) string { return string(m.User) },
		func(ctx context.Context, p tenant.Page) ([]tenant.Member, error) {
			return c.service.Members(ctx, call.actor, call.tenant, call.room, p)
		})
	return out, err
}

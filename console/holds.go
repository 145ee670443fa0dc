package console

import (
	"context"

	"parley/tenant"
)

// Holds is what the routes of legal holds and erasures ask of the domain.
type Holds interface {
	PlaceHold(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, reason string) (tenant.Hold, error)
	LiftHold(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID) error
	Holds(ctx context.Context, a tenant.Actor, t tenant.TenantID) ([]tenant.Hold, error)
	EraseUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.PersonErasure, error)
	PersonErasure(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.PersonErasure, error)
}

type newHold struct {
	Body struct {
		Reason string `json:"reason" maxLength:"200"`
	} `nameHint:"NewHold"`
}

type oneHold struct {
	Body struct {
		Hold tenant.Hold `json:"hold"`
	} `nameHint:"OneHold"`
}

// placeHold is of a room where the path names one, else of the tenant.
func (c *console) placeHold(ctx context.Context, in *newHold) (*oneHold, error) {
	call, out := callOf(ctx), &oneHold{}
	var err error
	out.Body.Hold, err = c.service.PlaceHold(ctx, call.actor, call.tenant, call.room, in.Body.Reason)
	return out, err
}

func (c *console) liftHold(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.LiftHold(ctx, call.actor, call.tenant, call.room)
}

type holds struct {
	Body struct {
		Holds []tenant.Hold `json:"holds" nullable:"false"`
	} `nameHint:"Holds"`
}

func (c *console) listHolds(ctx context.Context, _ *struct{}) (*holds, error) {
	call, out := callOf(ctx), &holds{}
	list, err := c.service.Holds(ctx, call.actor, call.tenant)
	out.Body.Holds = orEmpty(list)
	return out, err
}

type erasure struct {
	Body struct {
		Erasure tenant.PersonErasure `json:"erasure"`
	} `nameHint:"Erasure"`
}

func (c *console) eraseUser(ctx context.Context, _ *struct{}) (*erasure, error) {
	call, out := callOf(ctx), &erasure{}
	var err error
	out.Body.Erasure, err = c.service.EraseUser(ctx, call.actor, call.tenant, call.user)
	return out, err
}

func (c *console) getErasure(ctx context.Context, _ *struct{}) (*erasure, error) {
	call, out := callOf(ctx), &erasure{}
	var err error
	out.Body.Erasure, err = c.service.PersonErasure(ctx, call.actor, call.tenant, call.user)
	return out, err
}

package console

import (
	"context"

	"parley/tenant"
)

// Watch is what tenants' admins see of what goes on.
type Watch interface {
	Connections(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) ([]tenant.Connection, error)
	AuditTrail(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.AuditEntry, error)
	Refusals(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.Refusal, error)
}

type connections struct {
	Body struct {
		Connections []tenant.Connection `json:"connections" nullable:"false"`
	} `nameHint:"Connections"`
}

// listConnections answers for one user where the path names one, else for the whole tenant.
func (c *console) listConnections(ctx context.Context, _ *struct{}) (*connections, error) {
	call, out := callOf(ctx), &connections{}
	open, err := c.service.Connections(ctx, call.actor, call.tenant, call.user)
	out.Body.Connections = orEmpty(open)
	return out, err
}

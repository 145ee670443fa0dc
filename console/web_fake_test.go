package console

import (
	"context"

	"parley/tenant"
)

// What no route of the API asks for.

func (f *fake) Summary(context.Context, tenant.Actor, tenant.TenantID) (tenant.Summary, error) {
	return tenant.Summary{}, nil
}

func (f *fake) RoomsOf(context.Context, tenant.Actor, tenant.TenantID, tenant.UserID, tenant.Page) ([]tenant.UserRoom, error) {
	return nil, nil
}

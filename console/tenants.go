package console

import (
	"context"

	"parley/tenant"
)

// Tenants is what the routes of tenants ask of the domain.
type Tenants interface {
	CreateTenant(ctx context.Context, a tenant.Actor, n tenant.NewTenant) (tenant.Tenant, tenant.Secret, error)
	Tenant(ctx context.Context, a tenant.Actor, t tenant.TenantID) (tenant.Tenant, error)
	Tenants(ctx context.Context, a tenant.Actor, p tenant.Page) ([]tenant.Tenant, error)
	Loads(ctx context.Context, a tenant.Actor, p tenant.Page) ([]tenant.TenantLoad, error)
	UpdateTenant(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.TenantPatch) (tenant.Tenant, error)
	DeleteTenant(ctx context.Context, a tenant.Actor, t tenant.TenantID) error
}

type newTenant struct {
	Body struct {
		ID       string        `json:"id" doc:"Letters a-z, digits, _ and -; at most 64"`
		Name     string        `json:"name,omitempty" maxLength:"200" doc:"The id by default"`
		Timezone string        `json:"timezone,omitempty" maxLength:"200" doc:"An IANA zone; UTC by default" example:"Europe/Berlin"`
		Limits   tenant.Limits `json:"limits,omitzero" doc:"0 or absent: the plan's"`

		Retention tenant.Retention `json:"retention,omitzero" doc:"How long messages are kept, and what a full class does; absent: 90 days, discard_old"`
		UserRooms *bool            `json:"user_rooms,omitempty" doc:"Whether users may make rooms; true by default"`
	} `nameHint:"NewTenant"`
}

type madeTenant struct {
	Body struct {
		Tenant tenant.Tenant `json:"tenant"`
		APIKey string        `json:"api_key" doc:"Shown once; it has all scopes"`
	} `nameHint:"MadeTenant"`
}

func (c *console) createTenant(ctx context.Context, in *newTenant) (*madeTenant, error) {
	b := in.Body
	t, key, err := c.service.CreateTenant(ctx, callOf(ctx).actor, tenant.NewTenant{ID: b.ID, Name: b.Name, Timezone: b.Timezone, Limits: b.Limits, Retention: b.Retention, UserRooms: b.UserRooms})
	if err != nil {
		return nil, err
	}
	out := &madeTenant{}
	out.Body.Tenant, out.Body.APIKey = t, key.Reveal()
	return out, nil
}

type oneTenant struct {
	Body struct {
		Tenant tenant.Tenant `json:"tenant"`
	} `nameHint:"OneTenant"`
}

func (c *console) getTenant(ctx context.Context, _ *struct{}) (*oneTenant, error) {
	call := callOf(ctx)
	out := &oneTenant{}
	var err error
	out.Body.Tenant, err = c.service.Tenant(ctx, call.actor, call.tenant)
	return out, err
}

type tenantPage struct {
	Body struct {
		Tenants []tenant.Tenant `json:"tenants" nullable:"false"`
		rest
	} `nameHint:"TenantPage"`
}

func (c *console) listTenants(ctx context.Context, in *pageQuery) (*tenantPage, error) {
	out := &tenantPage{}
	var err error
	out.Body.Tenants, out.Body.rest, err = list(ctx, *in, func(t tenant.Tenant) string { return string(t.ID) },
		func(ctx context.Context, p tenant.Page) ([]tenant.Tenant, error) {
			return c.service.Tenants(ctx, callOf(ctx).actor, p)
		})
	return out, err
}

type tenantPatch struct {
	Body struct {
		Name     *string          `json:"name,omitempty" maxLength:"200"`
		Timezone *string          `json:"timezone,omitempty" maxLength:"200"`
		Limits   map[string]int64 `json:"limits,omitempty" doc:"Those that change, by name, as users; 0: the plan's; the operator's"`
		Status   *tenant.Status   `json:"status,omitempty" enum:"active,suspended" doc:"The operator's"`

		Retention *retentionPatch `json:"retention,omitempty" doc:"What is not named stays"`
		UserRooms *bool           `json:"user_rooms,omitempty" doc:"Whether users may make rooms"`
	} `nameHint:"TenantPatch"`
}

type retentionPatch struct {
	StdSeconds *int64           `json:"std_seconds,omitempty" doc:"Age of the class std; 0: 90 days"`
	WhenFull   *tenant.WhenFull `json:"when_full,omitempty" enum:"discard_old,refuse_new" doc:"What a class that holds storage_bytes does with a post"`
}

func (r *retentionPatch) patch() tenant.RetentionPatch {
	if r == nil {
		return tenant.RetentionPatch{}
	}
	return tenant.RetentionPatch{StdSeconds: r.StdSeconds, WhenFull: r.WhenFull}
}

func (c *console) updateTenant(ctx context.Context, in *tenantPatch) (*oneTenant, error) {
	call, b := callOf(ctx), in.Body
	out := &oneTenant{}
	var err error
	out.Body.Tenant, err = c.service.UpdateTenant(ctx, call.actor, call.tenant,
		tenant.TenantPatch{Name: b.Name, Timezone: b.Timezone, Limits: b.Limits, Status: b.Status, Retention: b.Retention.patch(), UserRooms: b.UserRooms})
	return out, err
}

func (c *console) deleteTenant(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.DeleteTenant(ctx, call.actor, call.tenant)
}

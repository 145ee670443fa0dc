package console

import (
	"context"

	"parley/tenant"
)

// Keys is what the routes of tenants' keys ask of the domain.
type Keys interface {
	AddKey(ctx context.Context, a tenant.Actor, t tenant.TenantID, spec tenant.KeySpec) (tenant.Key, tenant.KeySecret, error)
	Keys(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.Key, error)
	RemoveKey(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) error
}

// newKey's body is the domain's own: which fields go with which kind stands there.
type newKey struct{ Body tenant.KeySpec }

type madeKey struct {
	Body struct {
		Key    tenant.Key `json:"key"`
		APIKey string     `json:"api_key,omitempty" doc:"Of a key of kind api; shown once"`
		Creds  string     `json:"creds,omitempty" doc:"Of a key of kind service: a .creds file; shown once"`
	} `nameHint:"MadeKey"`
}

func (c *console) addKey(ctx context.Context, in *newKey) (*madeKey, error) {
	call := callOf(ctx)
	key, secret, err := c.service.AddKey(ctx, call.actor, call.tenant, in.Body)
	out := &madeKey{}
	out.Body.Key, out.Body.APIKey, out.Body.Creds = key, secret.APIKey.Reveal(), secret.Creds.Reveal()
	return out, err
}

type keyPage struct {
	Body struct {
		Keys []tenant.Key `json:"keys" nullable:"false"`
		rest
	} `nameHint:"KeyPage"`
}

func (c *console) listKeys(ctx context.Context, in *pageQuery) (*keyPage, error) {
	call, out := callOf(ctx), &keyPage{}
	var err error
	out.Body.Keys, out.Body.rest, err = list(ctx, *in, func(k tenant.Key) string { return k.ID },
		func(ctx context.Context, p tenant.Page) ([]tenant.Key, error) {
			return c.service.Keys(ctx, call.actor, call.tenant, p)
		})
	return out, err
}

func (c *console) removeKey(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.RemoveKey(ctx, call.actor, call.tenant, call.key)
}

package console

import (
	"context"
	"time"

	"parley/tenant"
)

// Keys is what the routes of tenants' keys ask of the domain.
type Keys interface {
	AddKey(ctx context.Context, a tenant.Actor, t tenant.TenantID, spec tenant.KeySpec) (tenant.Key, tenant.KeySecret, error)
	Keys(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.Key, error)
	Key(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) (tenant.Key, error)
	RotateKey(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string, r tenant.Rotation) (tenant.RotatedKey, error)
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

type keyAnswer struct {
	Body struct {
		Key tenant.Key `json:"key"`
	} `nameHint:"KeyAnswer"`
}

func (c *console) getKey(ctx context.Context, _ *struct{}) (*keyAnswer, error) {
	call, out := callOf(ctx), &keyAnswer{}
	var err error
	out.Body.Key, err = c.service.Key(ctx, call.actor, call.tenant, call.key)
	return out, err
}

type rotation struct{ Body tenant.Rotation }

type rotatedKey struct {
	Body struct {
		Key      tenant.Key `json:"key"`
		APIKey   string     `json:"api_key,omitempty" doc:"Of a key of kind api; shown once"`
		Creds    string     `json:"creds,omitempty" doc:"Of a key of kind service: a .creds file; shown once"`
		Replaces struct {
			ID     string    `json:"id"`
			EndsAt time.Time `json:"ends_at" doc:"When the old key is removed"`
		} `json:"replaces"`
	} `nameHint:"RotatedKey"`
}

func (c *console) rotateKey(ctx context.Context, in *rotation) (*rotatedKey, error) {
	call, out := callOf(ctx), &rotatedKey{}
	made, err := c.service.RotateKey(ctx, call.actor, call.tenant, call.key, in.Body)
	b := &out.Body
	b.Key, b.APIKey, b.Creds = made.New, made.Secret.APIKey.Reveal(), made.Secret.Creds.Reveal()
	b.Replaces.ID, b.Replaces.EndsAt = call.key, made.EndsAt
	return out, err
}

func (c *console) removeKey(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.RemoveKey(ctx, call.actor, call.tenant, call.key)
}

package console

import (
	"context"

	"parley/tenant"
)

// Revocations is what the routes of single credentials and tokens ask of the domain.
type Revocations interface {
	Credentials(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, p tenant.Page) ([]tenant.Credential, error)
	RevokeCredential(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, nkey string) (tenant.Revocation, error)
	RevokeToken(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, token string) (tenant.Revocation, error)
}

type credentialPage struct {
	Body struct {
		Credentials []tenant.Credential `json:"credentials" nullable:"false"`
		rest
	} `nameHint:"CredentialPage"`
}

func (c *console) listCredentials(ctx context.Context, in *pageQuery) (*credentialPage, error) {
	call, out := callOf(ctx), &credentialPage{}
	var err error
	out.Body.Credentials, out.Body.rest, err = list(ctx, *in, func(c tenant.Credential) string { return c.NKey },
		func(ctx context.Context, p tenant.Page) ([]tenant.Credential, error) {
			return c.service.Credentials(ctx, call.actor, call.tenant, call.user, p)
		})
	return out, err
}

func (c *console) revokeCredential(ctx context.Context, _ *struct{}) (*revocation, error) {
	call := callOf(ctx)
	return answerRevocation(c.service.RevokeCredential(ctx, call.actor, call.tenant, call.user, call.nkey))
}

func (c *console) revokeToken(ctx context.Context, _ *struct{}) (*revocation, error) {
	call := callOf(ctx)
	return answerRevocation(c.service.RevokeToken(ctx, call.actor, call.tenant, call.user, call.token))
}

package console

import (
	"context"
	"net/http"
	"time"

	"parley/tenant"
)

// Users is what the routes of users ask of the domain.
type Users interface {
	PutUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, spec tenant.UserSpec) (user tenant.User, created bool, err error)
	User(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.User, error)
	Users(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.User, error)
	DeleteUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) error
}

// Credentials is what lets users in and keeps them out.
type Credentials interface {
	RevokeUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, reason string) (tenant.Revocation, error)
	RestoreUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.User, error)
	MintToken(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, ttl time.Duration) (tenant.Secret, time.Time, error)
	IssueCreds(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.Secret, error)
}

type userBody struct {
	Name       *string `json:"name,omitempty" maxLength:"200" doc:"The id by default"`
	ExternalID *string `json:"external_id,omitempty" maxLength:"200" doc:"The tenant's own id of the user, as a mail address"`
	Password   *string `json:"password,omitempty" writeOnly:"true" doc:"8 characters to 1024 bytes; empty takes it away"`
	NKey       *string `json:"nkey,omitempty" doc:"A public user nkey, U…; empty takes it away"`
}

type putUser struct{ Body *userBody }

type oneUser struct {
	Status int
	Body   struct {
		User tenant.User `json:"user"`
	} `nameHint:"OneUser"`
}

func (c *console) putUser(ctx context.Context, in *putUser) (*oneUser, error) {
	call, spec := callOf(ctx), tenant.UserSpec{}
	if b := in.Body; b != nil {
		spec = tenant.UserSpec{Name: b.Name, ExternalID: b.ExternalID, NKey: b.NKey, Password: (*tenant.Secret)(b.Password)}
	}
	user, created, err := c.service.PutUser(ctx, call.actor, call.tenant, call.user, spec)
	out := &oneUser{Status: http.StatusOK}
	if created {
		out.Status = http.StatusCreated
	}
	out.Body.User = user
	return out, err
}

func (c *console) getUser(ctx context.Context, _ *struct{}) (*oneUser, error) {
	call := callOf(ctx)
	return answerUser(c.service.User(ctx, call.actor, call.tenant, call.user))
}

func answerUser(u tenant.User, err error) (*oneUser, error) {
	out := &oneUser{Status: http.StatusOK}
	out.Body.User = u
	return out, err
}

type userPage struct {
	Body struct {
		Users []tenant.User `json:"users" nullable:"false"`
		rest
	} `nameHint:"UserPage"`
}

func (c *console) listUsers(ctx context.Context, in *pageQuery) (*userPage, error) {
	call, out := callOf(ctx), &userPage{}
	var err error
	out.Body.Users, out.Body.rest, err = list(ctx, *in, func(u tenant.User) string { return string(u.ID) },
		func(ctx context.Context, p tenant.Page) ([]tenant.User, error) {
			return c.service.Users(ctx, call.actor, call.tenant, p)
		})
	return out, err
}

func (c *console) deleteUser(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.DeleteUser(ctx, call.actor, call.tenant, call.user)
}

type revocationBody struct {
	Reason string `json:"reason,omitempty" maxLength:"200" doc:"The user and the audit trail see it"`
}

type revokeUser struct{ Body *revocationBody }

type revocation struct {
	Body struct {
		Disconnected int     `json:"disconnected" doc:"Connections that the first sweep closed"`
		TookMS       float64 `json:"took_ms"`
	} `nameHint:"Revocation"`
}

func (c *console) revokeUser(ctx context.Context, in *revokeUser) (*revocation, error) {
	call, reason := callOf(ctx), ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return answerRevocation(c.service.RevokeUser(ctx, call.actor, call.tenant, call.user, reason))
}

func answerRevocation(done tenant.Revocation, err error) (*revocation, error) {
	out := &revocation{}
	out.Body.Disconnected = done.Disconnected
	out.Body.TookMS = float64(done.Took) / float64(time.Millisecond)
	return out, err
}

func (c *console) restoreUser(ctx context.Context, _ *struct{}) (*oneUser, error) {
	call := callOf(ctx)
	return answerUser(c.service.RestoreUser(ctx, call.actor, call.tenant, call.user))
}

type tokenBody struct {
	TTLSeconds *int64 `json:"ttl_seconds,omitempty" minimum:"1" maximum:"86400" doc:"An hour by default"`
}

type mintToken struct{ Body *tokenBody }

type token struct {
	Body struct {
		Token     string    `json:"token" doc:"Shown once"`
		ExpiresAt time.Time `json:"expires_at"`
	} `nameHint:"Token"`
}

func (c *console) mintToken(ctx context.Context, in *mintToken) (*token, error) {
	call, ttl := callOf(ctx), time.Duration(0)
	if in.Body != nil && in.Body.TTLSeconds != nil {
		ttl = time.Duration(*in.Body.TTLSeconds) * time.Second
	}
	secret, expires, err := c.service.MintToken(ctx, call.actor, call.tenant, call.user, ttl)
	out := &token{}
	out.Body.Token, out.Body.ExpiresAt = secret.Reveal(), expires
	return out, err
}

const textType = "text/plain; charset=utf-8"

type credsFile struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

func (c *console) issueCreds(ctx context.Context, _ *struct{}) (*credsFile, error) {
	call := callOf(ctx)
	file, err := c.service.IssueCreds(ctx, call.actor, call.tenant, call.user)
	return &credsFile{ContentType: textType, Body: []byte(file.Reveal())}, err
}

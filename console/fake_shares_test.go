package console

import (
	"context"
	"strings"

	"parley/tenant"
)

// theShare is the one share that there is in the fake.
var theShare = tenant.Share{ID: strings.Repeat("s", 26), Room: "raaa", Host: "t1", Guest: "t2", Status: tenant.ShareOffered}

func hasShare(id string) error {
	if id != theShare.ID {
		return tenant.NotFound("share")
	}
	return nil
}

func (f *fake) OfferShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, _ tenant.NewShare) (tenant.Share, error) {
	if err := f.may(a, tenant.ScopeAdmin, t); err != nil {
		return tenant.Share{}, err
	}
	return theShare, f.did(ctx, "offer-share")
}

func (f *fake) changeShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id, op string, change func(*tenant.Share)) (tenant.Share, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), hasShare(id)); err != nil {
		return tenant.Share{}, err
	}
	s := theShare
	change(&s)
	return s, f.did(ctx, op)
}

func (f *fake) AcceptShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) (tenant.Share, error) {
	return f.changeShare(ctx, a, t, id, "accept-share", func(s *tenant.Share) { s.Status = tenant.ShareAccepted })
}

func (f *fake) DeclineShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) (tenant.Share, error) {
	return f.changeShare(ctx, a, t, id, "decline-share", func(s *tenant.Share) { s.Status = tenant.ShareDeclined })
}

func (f *fake) UpdateShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string, p tenant.SharePatch) (tenant.Share, error) {
	return f.changeShare(ctx, a, t, id, "update-share", func(s *tenant.Share) { s.Post = p.Post != nil && *p.Post })
}

func (f *fake) EndShare(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) error {
	_, err := f.changeShare(ctx, a, t, id, "end-share", func(*tenant.Share) {})
	return err
}

func (f *fake) Share(_ context.Context, a tenant.Actor, t tenant.TenantID, id string) (tenant.Share, error) {
	return theShare, first(f.may(a, tenant.ScopeRead, t), hasShare(id))
}

func (f *fake) Shares(_ context.Context, a tenant.Actor, t tenant.TenantID, _ tenant.Page) ([]tenant.Share, error) {
	return nil, f.may(a, tenant.ScopeRead, t)
}

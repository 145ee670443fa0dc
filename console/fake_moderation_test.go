package console

import (
	"context"

	"parley/tenant"
)

// moderated runs an operation on a member of a room.
func (f *fake) moderated(ctx context.Context, op string, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error {
	if err := first(f.may(a, tenant.ScopeModerate, t), hasRoom(r), has(u)); err != nil {
		return err
	}
	return f.did(ctx, op)
}

func (f *fake) Invite(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, _ string, _ tenant.Term) (tenant.Member, error) {
	return tenant.Member{User: u}, f.moderated(ctx, "invite-member", a, t, r, u)
}

func (f *fake) Ban(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, _ tenant.Term, _ string) (tenant.Member, error) {
	return tenant.Member{User: u}, f.moderated(ctx, "ban-member", a, t, r, u)
}

func (f *fake) Unban(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error {
	return f.moderated(ctx, "unban-member", a, t, r, u)
}

func (f *fake) Mute(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, _ tenant.Term, _ string) (tenant.Mute, error) {
	return tenant.Mute{User: u}, f.moderated(ctx, "mute-member", a, t, r, u)
}

func (f *fake) Unmute(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error {
	return f.moderated(ctx, "unmute-member", a, t, r, u)
}

func (f *fake) Mutes(_ context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, _ tenant.Page) ([]tenant.Mute, error) {
	return nil, first(f.may(a, tenant.ScopeRead, t), hasRoom(r))
}

func (f *fake) Reports(_ context.Context, a tenant.Actor, t tenant.TenantID, _ tenant.ReportState, _ tenant.Page) ([]tenant.Report, error) {
	return nil, f.may(a, tenant.ScopeRead, t)
}

func (f *fake) CloseReport(ctx context.Context, a tenant.Actor, t tenant.TenantID, id int64, outcome tenant.Outcome, note string) (tenant.Report, error) {
	if err := f.may(a, tenant.ScopeModerate, t); err != nil {
		return tenant.Report{}, err
	}
	return tenant.Report{ID: id, Closed: &tenant.Closing{Outcome: outcome, Note: note, Tenant: t}}, f.did(ctx, "close-report")
}

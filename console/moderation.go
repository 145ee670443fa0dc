package console

import (
	"context"
	"time"

	"parley/tenant"
)

// Moderation is what the routes of bans, mutes, invitations and reports ask of the domain.
type Moderation interface {
	Invite(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, role string, term tenant.Term) (tenant.Member, error)
	Ban(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, term tenant.Term, reason string) (tenant.Member, error)
	Unban(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error
	Mute(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, term tenant.Term, reason string) (tenant.Mute, error)
	Unmute(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error
	Mutes(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, p tenant.Page) ([]tenant.Mute, error)
	Reports(ctx context.Context, a tenant.Actor, t tenant.TenantID, state tenant.ReportState, p tenant.Page) ([]tenant.Report, error)
	CloseReport(ctx context.Context, a tenant.Actor, t tenant.TenantID, id int64, outcome tenant.Outcome, note string) (tenant.Report, error)
}

// term is how long something lasts; without both it is for good.
func term(until *time.Time, seconds int64) tenant.Term {
	t := tenant.Term{Seconds: seconds}
	if until != nil {
		t.Until = *until
	}
	return t
}

type inviteBody struct {
	Role    string     `json:"role,omitempty" doc:"reader, member (by default), poster, moderator or owner"`
	Until   *time.Time `json:"until,omitempty" doc:"When it ends by itself; without it and seconds, it does not"`
	Seconds int64      `json:"seconds,omitempty" minimum:"0" doc:"After how long it ends by itself; instead of until"`
}

type invite struct{ Body *inviteBody }

func (c *console) inviteMember(ctx context.Context, in *invite) (*oneMember, error) {
	call, b := callOf(ctx), orZero(in.Body)
	out := &oneMember{}
	var err error
	out.Body.Member, err = c.service.Invite(ctx, call.actor, call.tenant, call.room, call.user, b.Role, term(b.Until, b.Seconds))
	return out, err
}

// orZero is a body that may be left out.
func orZero[T any](b *T) T {
	if b == nil {
		var none T
		return none
	}
	return *b
}

type sanctionBody struct {
	Until   *time.Time `json:"until,omitempty" doc:"When it ends by itself; without it and seconds, it does not"`
	Seconds int64      `json:"seconds,omitempty" minimum:"0" doc:"After how long it ends by itself; instead of until"`
	Reason  string     `json:"reason,omitempty" maxLength:"200" doc:"For the user and the room"`
}

type sanction struct{ Body *sanctionBody }

func (c *console) banMember(ctx context.Context, in *sanction) (*oneMember, error) {
	call, b := callOf(ctx), orZero(in.Body)
	out := &oneMember{}
	var err error
	out.Body.Member, err = c.service.Ban(ctx, call.actor, call.tenant, call.room, call.user, term(b.Until, b.Seconds), b.Reason)
	return out, err
}

func (c *console) unbanMember(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.Unban(ctx, call.actor, call.tenant, call.room, call.user)
}

type oneMute struct {
	Body struct {
		Mute tenant.Mute `json:"mute"`
	} `nameHint:"OneMute"`
}

func (c *console) muteMember(ctx context.Context, in *sanction) (*oneMute, error) {
	call, b := callOf(ctx), orZero(in.Body)
	out := &oneMute{}
	var err error
	out.Body.Mute, err = c.service.Mute(ctx, call.actor, call.tenant, call.room, call.user, term(b.Until, b.Seconds), b.Reason)
	return out, err
}

func (c *console) unmuteMember(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.Unmute(ctx, call.actor, call.tenant, call.room, call.user)
}

type mutePage struct {
	Body struct {
		Mutes []tenant.Mute `json:"mutes" nullable:"false"`
		rest
	} `nameHint:"MutePage"`
}

func (c *console) listMutes(ctx context.Context, in *pageQuery) (*mutePage, error) {
	call, out := callOf(ctx), &mutePage{}
	var err error
	out.Body.Mutes, out.Body.rest, err = list(ctx, *in, func(m tenant.Mute) string { return string(m.User) },
		func(ctx context.Context, p tenant.Page) ([]tenant.Mute, error) {
			return c.service.Mutes(ctx, call.actor, call.tenant, call.room, p)
		})
	return out, err
}

type reportPage struct {
	Body struct {
		Reports []tenant.Report `json:"reports" nullable:"false"`
		rest
	} `nameHint:"ReportPage"`
}

type reportQuery struct {
	After string             `query:"after" maxLength:"200" doc:"next of the page before, or a time in RFC 3339: only what is older"`
	Limit int                `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most"`
	State tenant.ReportState `query:"state" doc:"open or closed; all where it is left out"`
}

func (c *console) listReports(ctx context.Context, in *reportQuery) (*reportPage, error) {
	call, out := callOf(ctx), &reportPage{}
	var err error
	out.Body.Reports, out.Body.rest, err = list(ctx, pageQuery{After: in.After, Limit: in.Limit}, func(r tenant.Report) string { return r.Cursor },
		func(ctx context.Context, p tenant.Page) ([]tenant.Report, error) {
			return c.service.Reports(ctx, call.actor, call.tenant, in.State, p)
		})
	return out, err
}

type closing struct {
	Report int64 `path:"report" minimum:"1"`
	Body   struct {
		Outcome tenant.Outcome `json:"outcome" doc:"acted or dismissed"`
		Note    string         `json:"note,omitempty"`
	} `nameHint:"NewClosing"`
}

type closedReport struct {
	Body struct {
		Report tenant.Report `json:"report"`
	} `nameHint:"ReportAnswer"`
}

func (c *console) closeReport(ctx context.Context, in *closing) (*closedReport, error) {
	call, out := callOf(ctx), &closedReport{}
	var err error
	out.Body.Report, err = c.service.CloseReport(ctx, call.actor, call.tenant, in.Report, in.Body.Outcome, in.Body.Note)
	return out, err
}

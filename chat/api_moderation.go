package chat

import (
	"context"

	"parley/tenant"
)

// Moderation are the operations on the members of a room. The service decides who may.
type Moderation interface {
	Invite(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, role string, term tenant.Term) (tenant.Member, error)
	RemoveMember(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, reason string) error
	Ban(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, term tenant.Term, reason string) (tenant.Member, error)
	Unban(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error
	Mute(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, term tenant.Term, reason string) (tenant.Mute, error)
	Unmute(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error
	SetRole(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, role string) (tenant.Member, error)
}

// whom says whom an operation is about, and where.
type whom struct {
	Room string `json:"room"`
	User string `json:"user"`
}

func (q whom) parse() (tenant.RoomID, tenant.UserID, error) {
	room, err := tenant.ParseRoomID("room", q.Room)
	if err != nil {
		return "", "", err
	}
	user, err := tenant.ParseMemberID("user", q.User)
	return room, user, err
}

// term is how long something lasts.
type term struct {
	Until   string `json:"until"`   // RFC 3339
	Seconds int64  `json:"seconds"` // both absent: for good
}

func (q term) parse() (tenant.Term, error) {
	until, err := parseTime("until", q.Until)
	return tenant.Term{Until: until, Seconds: q.Seconds}, err
}

type inviteRequest struct {
	whom
	term
	Role string `json:"role"` // "": member
}

func (c *Chat) opInvite(ctx context.Context, who caller, q inviteRequest) (any, error) {
	room, user, err := q.whom.parse()
	if err != nil {
		return nil, err
	}
	end, err := q.term.parse()
	if err != nil {
		return nil, err
	}
	_, err = c.rooms.Invite(ctx, who.actor(), who.tenant, room, user, q.Role, end)
	return done(err)
}

func done(err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return yes, nil
}

type kickRequest struct {
	whom
	Reason string `json:"reason"`
}

func (c *Chat) opKick(ctx context.Context, who caller, q kickRequest) (any, error) {
	room, user, err := q.parse()
	if err != nil {
		return nil, err
	}
	return done(c.rooms.RemoveMember(ctx, who.actor(), who.tenant, room, user, q.Reason))
}

type banRequest struct {
	whom
	term
	Reason string `json:"reason"`
}

func (c *Chat) opBan(ctx context.Context, who caller, q banRequest) (any, error) {
	room, user, err := q.whom.parse()
	if err != nil {
		return nil, err
	}
	end, err := q.term.parse()
	if err != nil {
		return nil, err
	}
	_, err = c.rooms.Ban(ctx, who.actor(), who.tenant, room, user, end, q.Reason)
	return done(err)
}

func (c *Chat) opUnban(ctx context.Context, who caller, q whom) (any, error) {
	room, user, err := q.parse()
	if err != nil {
		return nil, err
	}
	return done(c.rooms.Unban(ctx, who.actor(), who.tenant, room, user))
}

// opMute takes what opBan takes.
func (c *Chat) opMute(ctx context.Context, who caller, q banRequest) (any, error) {
	room, user, err := q.whom.parse()
	if err != nil {
		return nil, err
	}
	end, err := q.term.parse()
	if err != nil {
		return nil, err
	}
	_, err = c.rooms.Mute(ctx, who.actor(), who.tenant, room, user, end, q.Reason)
	return done(err)
}

func (c *Chat) opUnmute(ctx context.Context, who caller, q whom) (any, error) {
	room, user, err := q.parse()
	if err != nil {
		return nil, err
	}
	return done(c.rooms.Unmute(ctx, who.actor(), who.tenant, room, user))
}

type roleRequest struct {
	whom
	Role string `json:"role"`
}

func (c *Chat) opRole(ctx context.Context, who caller, q roleRequest) (any, error) {
	room, user, err := q.parse()
	if err != nil {
		return nil, err
	}
	if q.Role == "" {
		return nil, tenant.Invalid("role", "must be reader, member, poster, moderator or owner")
	}
	_, err = c.rooms.SetRole(ctx, who.actor(), who.tenant, room, user, q.Role)
	return done(err)
}

package client

import (
	"context"
	"time"

	"parley/tenant"
)

// A NewRoom is what a user says of a room that he makes.
type NewRoom struct {
	ID    string
	Kind  tenant.Kind  // "": private
	Class tenant.Class // "": std
	Title string
}

// Create makes a room, which the user owns then, and returns when the connection carries
// the rights. It is forbidden where only administrators make rooms.
func (c *Client) Create(ctx context.Context, n NewRoom) (Room, error) {
	return c.enterListed(ctx, "create", struct {
		Room  string       `json:"room"`
		Kind  tenant.Kind  `json:"kind,omitempty"`
		Class tenant.Class `json:"class,omitempty"`
		Title string       `json:"title,omitempty"`
	}{n.ID, n.Kind, n.Class, n.Title}, n.ID)
}

// A RoomChange holds what changes in a room's settings; nil stays.
type RoomChange struct {
	Title       *string `json:"title,omitempty"`
	SlowSeconds *int    `json:"slow_seconds,omitempty"` // between two messages of a user; 0: no slow mode
	History     *string `json:"history,omitempty"`      // what a member sees: "all", or "joined" for since he joined
}

// Change changes a room's settings.
func (c *Client) Change(ctx context.Context, r Room, change RoomChange) error {
	return c.call(ctx, "settings", struct {
		roomBody
		RoomChange
	}{roomBody{r.ID}, change}, nil)
}

type switchBody struct {
	roomBody
	On bool `json:"on"`
}

// Freeze closes a room to posts, or opens it again.
func (c *Client) Freeze(ctx context.Context, r Room, on bool) error {
	return c.call(ctx, "freeze", switchBody{roomBody{r.ID}, on}, nil)
}

// Archive puts a room away: it is read and not written, until it is taken out again.
func (c *Client) Archive(ctx context.Context, r Room, on bool) error {
	return c.call(ctx, "archive", switchBody{roomBody{r.ID}, on}, nil)
}

// DeleteRoom removes a room for good. Its id is never used again.
func (c *Client) DeleteRoom(ctx context.Context, r Room) error {
	return c.call(ctx, "delete_room", roomBody{r.ID}, nil)
}

type whomBody struct {
	roomBody
	User string `json:"user"`
}

type termBody struct {
	whomBody
	Until  *time.Time  `json:"until,omitempty"`
	Role   tenant.Role `json:"role,omitempty"`
	Reason string      `json:"reason,omitempty"`
}

func newTerm(r Room, user string, until time.Time) termBody {
	b := termBody{whomBody: whomBody{roomBody{r.ID}, user}}
	if !until.IsZero() {
		b.Until = &until
	}
	return b
}

// Invite invites a user to a room in a role ("": member); he accepts with Join. The
// invitation ends at until; the zero time: never.
func (c *Client) Invite(ctx context.Context, r Room, user string, role tenant.Role, until time.Time) error {
	b := newTerm(r, user, until)
	b.Role = role
	return c.call(ctx, "invite", b, nil)
}

// Kick ends a user's membership of a room; he may come back where he may join.
func (c *Client) Kick(ctx context.Context, r Room, user, reason string) error {
	b := newTerm(r, user, time.Time{})
	b.Reason = reason
	return c.call(ctx, "kick", b, nil)
}

// Ban keeps a user out of a room until a time; the zero time: for good.
func (c *Client) Ban(ctx context.Context, r Room, user string, until time.Time, reason string) error {
	b := newTerm(r, user, until)
	b.Reason = reason
	return c.call(ctx, "ban", b, nil)
}

// Unban lets a user come back.
func (c *Client) Unban(ctx context.Context, r Room, user string) error {
	return c.call(ctx, "unban", whomBody{roomBody{r.ID}, user}, nil)
}

// SetRole gives a member of a room another role.
func (c *Client) SetRole(ctx context.Context, r Room, user string, role tenant.Role) error {
	b := newTerm(r, user, time.Time{})
	b.Role = role
	return c.call(ctx, "role", b, nil)
}

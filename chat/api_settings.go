package chat

import (
	"context"

	"parley/tenant"
)

// Settings are the operations on a room as a whole. The service decides who may.
type Settings interface {
	CreateRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, n tenant.NewRoom) (tenant.Room, error)
	UpdateRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, p tenant.RoomPatch) (tenant.Room, error)
	FreezeRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, on bool) (tenant.Room, error)
	ArchiveRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, on bool) (tenant.Room, error)
	DeleteRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID) error
	NoteDeletion(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, seq uint64) error
	Pin(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, seq uint64, on bool) error
	Report(ctx context.Context, t tenant.TenantID, u tenant.UserID, report tenant.Report) error
}

func (who caller) actor() tenant.Actor { return tenant.AsUser(who.tenant, who.user) }

type createRequest struct {
	Room  string `json:"room"`
	Kind  string `json:"kind"` // "": private
	Class string `json:"class"`
	Title string `json:"title"`
}

func (c *Chat) opCreate(ctx context.Context, who caller, q createRequest) (any, error) {
	if _, err := tenant.ParseRoomID("room", q.Room); err != nil {
		return nil, err
	}
	if q.Kind == "" {
		q.Kind = string(tenant.Private)
	}
	room, err := c.rooms.CreateRoom(ctx, who.actor(), who.tenant, tenant.NewRoom{ID: q.Room, Kind: q.Kind, Class: q.Class, Title: q.Title})
	return answerRoom(room, err)
}

func answerRoom(room tenant.Room, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return roomAnswer{okay: yes, Room: room}, nil
}

type settingsRequest struct {
	Room        string        `json:"room"`
	Title       *string       `json:"title"`
	SlowSeconds *int          `json:"slow_seconds"`
	History     *tenant.Reach `json:"history"`
}

func (c *Chat) opSettings(ctx context.Context, who caller, q settingsRequest) (any, error) {
	id, err := tenant.ParseRoomID("room", q.Room)
	if err != nil {
		return nil, err
	}
	p := tenant.RoomPatch{Title: q.Title, SlowSeconds: q.SlowSeconds, History: q.History}
	if p == (tenant.RoomPatch{}) {
		return nil, tenant.Errorf(tenant.CodeInvalid, "give what changes: title, slow_seconds or history")
	}
	room, err := c.rooms.UpdateRoom(ctx, who.actor(), who.tenant, id, p)
	return answerRoom(room, err)
}

type switchRequest struct {
	Room string `json:"room"`
	On   *bool  `json:"on"` // absent: true
}

func (q switchRequest) on() bool { return q.On == nil || *q.On }

func (c *Chat) opFreeze(ctx context.Context, who caller, q switchRequest) (any, error) {
	id, err := tenant.ParseRoomID("room", q.Room)
	if err != nil {
		return nil, err
	}
	room, err := c.rooms.FreezeRoom(ctx, who.actor(), who.tenant, id, q.on())
	return answerRoom(room, err)
}

func (c *Chat) opArchive(ctx context.Context, who caller, q switchRequest) (any, error) {
	id, err := tenant.ParseRoomID("room", q.Room)
	if err != nil {
		return nil, err
	}
	room, err := c.rooms.ArchiveRoom(ctx, who.actor(), who.tenant, id, q.on())
	return answerRoom(room, err)
}

func (c *Chat) opDeleteRoom(ctx context.Context, who caller, q roomRequest) (any, error) {
	id, err := tenant.ParseRoomID("room", q.Room)
	if err != nil {
		return nil, err
	}
	if err = c.rooms.DeleteRoom(ctx, who.actor(), who.tenant, id); err != nil {
		return nil, err
	}
	return yes, nil
}

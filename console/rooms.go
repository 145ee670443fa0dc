package console

import (
	"context"

	"parley/tenant"
)

// Rooms is what the routes of rooms ask of the domain.
type Rooms interface {
	CreateRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, n tenant.NewRoom) (tenant.Room, error)
	Room(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID) (tenant.Room, error)
	Rooms(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.Room, error)
	UpdateRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, p tenant.RoomPatch) (tenant.Room, error)
	FreezeRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, on bool) (tenant.Room, error)
	ArchiveRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, on bool) (tenant.Room, error)
	DeleteRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID) error
}

type newRoom struct {
	Body struct {
		ID    string `json:"id" doc:"Letters a-z, digits, _ and -; at most 64. Of a direct room: two user ids with a dot between"`
		Kind  string `json:"kind" doc:"open, announce, private, direct or shared (with other tenants)"`
		Class string `json:"class,omitempty" doc:"std (by default), day, keep or mem"`
		Title string `json:"title,omitempty" maxLength:"200"`
	} `nameHint:"NewRoom"`
}

type oneRoom struct {
	Body struct {
		Room tenant.Room `json:"room"`
	} `nameHint:"OneRoom"`
}

func (c *console) createRoom(ctx context.Context, in *newRoom) (*oneRoom, error) {
	call, b := callOf(ctx), in.Body
	return answerRoom(c.service.CreateRoom(ctx, call.actor, call.tenant, tenant.NewRoom{ID: b.ID, Kind: b.Kind, Class: b.Class, Title: b.Title}))
}

func (c *console) getRoom(ctx context.Context, _ *struct{}) (*oneRoom, error) {
	call := callOf(ctx)
	return answerRoom(c.service.Room(ctx, call.actor, call.tenant, call.room))
}

func answerRoom(r tenant.Room, err error) (*oneRoom, error) {
	out := &oneRoom{}
	out.Body.Room = r
	return out, err
}

type roomPage struct {
	Body struct {
		Rooms []tenant.Room `json:"rooms" nullable:"false"`
		rest
	} `nameHint:"RoomPage"`
}

func (c *console) listRooms(ctx context.Context, in *pageQuery) (*roomPage, error) {
	call, out := callOf(ctx), &roomPage{}
	var err error
	out.Body.Rooms, out.Body.rest, err = list(ctx, *in, func(r tenant.Room) string { return string(r.ID) },
		func(ctx context.Context, p tenant.Page) ([]tenant.Room, error) {
			return c.service.Rooms(ctx, call.actor, call.tenant, p)
		})
	return out, err
}

type roomPatch struct {
	Body struct {
		Title       *string           `json:"title,omitempty" maxLength:"200"`
		State       *tenant.RoomState `json:"state,omitempty" enum:"active,frozen,archived" doc:"A room that isn't active takes no posts; what it has stays readable"`
		SlowSeconds *int              `json:"slow_seconds,omitempty" minimum:"0" maximum:"21600" doc:"At least so long between two posts of one user; 0 ends slow mode"`
		History     *tenant.Reach     `json:"history,omitempty" enum:"all,joined" doc:"What members may read: all, or what was said since they joined"`
	} `nameHint:"RoomPatch"`
}

func (c *console) updateRoom(ctx context.Context, in *roomPatch) (*oneRoom, error) {
	call, b := callOf(ctx), in.Body
	return answerRoom(c.service.UpdateRoom(ctx, call.actor, call.tenant, call.room,
		tenant.RoomPatch{Title: b.Title, State: b.State, SlowSeconds: b.SlowSeconds, History: b.History}))
}

func (c *console) deleteRoom(ctx context.Context, _ *struct{}) (*struct{}, error) {
	call := callOf(ctx)
	return nil, c.service.DeleteRoom(ctx, call.actor, call.tenant, call.room)
}

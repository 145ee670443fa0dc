package console

import (
	"context"

	"parley/tenant"
)

// What no route of the API asks for.

func (f *fake) Summary(context.Context, tenant.Actor, tenant.TenantID) (tenant.Summary, error) {
	return tenant.Summary{}, nil
}

func (f *fake) Backlog(context.Context, tenant.Actor) (tenant.Backlog, error) {
	return tenant.Backlog{}, nil
}

func (m fakeMessages) Pinned(_ context.Context, _ tenant.TenantID, r tenant.RoomID) ([]tenant.Message, error) {
	return []tenant.Message{{Seq: 1, Sender: "alice", Text: "the pinned one"}}, hasRoom(r)
}

func (f *fake) FreezeRoom(context.Context, tenant.Actor, tenant.TenantID, tenant.RoomID, bool) (tenant.Room, error) {
	return tenant.Room{}, nil
}

func (f *fake) ArchiveRoom(context.Context, tenant.Actor, tenant.TenantID, tenant.RoomID, bool) (tenant.Room, error) {
	return tenant.Room{}, nil
}

func (f *fake) RoomsOf(context.Context, tenant.Actor, tenant.TenantID, tenant.UserID, tenant.Page) ([]tenant.UserRoom, error) {
	return nil, nil
}

package console

import (
	"bytes"
	"context"

	"parley/tenant"
)

func (f *fake) PlaceHold(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, reason string) (tenant.Hold, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), hasRoomOrNone(r)); err != nil {
		return tenant.Hold{}, err
	}
	return tenant.Hold{Room: r, Reason: reason}, f.did(ctx, "place-hold")
}

func hasRoomOrNone(r tenant.RoomID) error {
	if r == "" {
		return nil
	}
	return hasRoom(r)
}

func (f *fake) LiftHold(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID) error {
	if err := first(f.may(a, tenant.ScopeAdmin, t), hasRoomOrNone(r)); err != nil {
		return err
	}
	return f.did(ctx, "lift-hold")
}

func (f *fake) Holds(_ context.Context, a tenant.Actor, t tenant.TenantID) ([]tenant.Hold, error) {
	return nil, f.may(a, tenant.ScopeAdmin, t)
}

func (f *fake) EraseUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.PersonErasure, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), has(u)); err != nil {
		return tenant.PersonErasure{}, err
	}
	return tenant.PersonErasure{User: u}, f.did(ctx, "erase-user")
}

func (f *fake) PersonErasure(_ context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.PersonErasure, error) {
	return tenant.PersonErasure{User: u, Messages: 7}, first(f.may(a, tenant.ScopeAdmin, t), has(u))
}

func (m fakeMessages) ExportRoom(_ context.Context, _ tenant.TenantID, r tenant.RoomID, after uint64, line func(v any) error) error {
	if err := hasRoom(r); err != nil {
		return err
	}
	return line(map[string]uint64{"seq": after + 7})
}

func (m fakeMessages) ExportUser(_ context.Context, _ tenant.TenantID, u tenant.UserID, line func(v any) error) error {
	if err := has(u); err != nil {
		return err
	}
	return line(map[string]tenant.UserID{"user": u})
}

func (m fakeMessages) ImportRoom(ctx context.Context, _ tenant.TenantID, r tenant.RoomID, lines []byte, from int) (tenant.Imported, error) {
	if err := hasRoom(r); err != nil {
		return tenant.Imported{}, err
	}
	return tenant.Imported{Imported: bytes.Count(lines, []byte("\n")), Line: from}, m.f.did(ctx, "import-room")
}

func (m fakeMessages) ExportHeld(_ context.Context, _ tenant.TenantID, r tenant.RoomID, after int64, line func(v any) error) error {
	if err := hasRoom(r); err != nil {
		return err
	}
	return line(map[string]int64{"id": after + 7})
}

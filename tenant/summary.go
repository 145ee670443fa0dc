package tenant

import (
	"context"
	"time"
)

// A Summary counts what a tenant has.
type Summary struct {
	Users    int64
	Rooms    int64 // without the direct ones
	Messages int64 // ever posted in the rooms that are there
	Wanted   int64 // time of the account's newest claims, in seconds
	Pushed   int64 // time of those that every server confirmed
}

// A UserRoom is a room that a user has a membership in.
type UserRoom struct {
	Room  RoomID
	Title string
	Kind  Kind
	Role  Role
	State MemberState
	Since time.Time
}

// Summary counts what a tenant has.
func (s *Service) Summary(ctx context.Context, a Actor, t TenantID) (Summary, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return Summary{}, err
	}
	return s.store.Summary(ctx, t)
}

// RoomsOf lists the memberships of a user by room.
func (s *Service) RoomsOf(ctx context.Context, a Actor, t TenantID, u UserID, p Page) ([]UserRoom, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	return s.store.RoomsOf(ctx, t, u, p)
}

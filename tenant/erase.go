package tenant

import (
	"context"
	"errors"
	"time"
)

// ErasedName is what an erased user is called.
const ErasedName = "Erased user"

// A PersonErasure tells how far the erasure of a person is.
type PersonErasure struct {
	User       UserID    `json:"user"`
	Messages   int64     `json:"messages"` // emptied so far
	BegunAt    time.Time `json:"begun_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"` // none: under way
}

// EraseUser deletes a user and all that is personal of him: his name, his ways in, his presence and refused connections at once,
// his messages in the read model and in the streams by a job. His id stays as the sender of what is empty.
func (s *Service) EraseUser(ctx context.Context, a Actor, t TenantID, u UserID) (PersonErasure, error) {
	err := s.DeleteUser(ctx, a, t, u)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return PersonErasure{}, err
	}
	e := PersonErasure{User: u, BegunAt: s.clock()}
	err = s.write(ctx, a, t, func(tx Tx, _ Tenant) error {
		switch row, err := tx.UserRow(ctx, t, u); {
		case errors.Is(err, ErrNotFound):
			return NotFound("user")
		case err != nil:
			return err
		case row.Status != UserDeleted:
			return Errorf(CodeConflict, "the user was made anew meanwhile; try again")
		}
		if err := tx.EraseUser(ctx, t, u, ErasedName); err != nil {
			return err
		}
		if err := tx.PutPersonErasure(ctx, t, e); err != nil {
			return err
		}
		// Behind the second sweep, when nothing of his is under way any more.
		if err := tx.Enqueue(ctx, ErasePerson{t, u}, e.BegunAt.Add(s.sweepAfter)); err != nil {
			return err
		}
		return audit(ctx, tx, a, e.BegunAt, t, "user.erase", "user:"+string(u), nil, nil)
	})
	return e, err
}

// PersonErasure tells how far an erasure is.
func (s *Service) PersonErasure(ctx context.Context, a Actor, t TenantID, u UserID) (PersonErasure, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return PersonErasure{}, err
	}
	return s.store.PersonErasure(ctx, t, u)
}

package tenant

import (
	"context"
	"time"
)

// Block lets nobody post in the 1:1 room of a user and another any more, and keeps the other's
// invitations and mentions from him; with on false, it ends that. Each of the two has a block of his own.
func (s *Service) Block(ctx context.Context, t TenantID, u, other UserID, on bool) error {
	if u == other {
		return Invalid("user", "nobody can block themselves")
	}
	a, now := AsUser(t, u), s.clock()
	changed := false
	err := s.store.Write(ctx, t, func(tx Tx, row Tenant) (err error) {
		if err := writable(a, row); err != nil {
			return err
		}
		if _, err := actingUser(ctx, tx, t, u); err != nil {
			return err
		}
		if _, err := activeUser(ctx, tx, t, other); err != nil {
			return err
		}
		if changed, err = tx.SetBlock(ctx, t, u, other, now, on); err != nil || !changed {
			return err
		}
		if err := tx.Enqueue(ctx, PushClaims{t}, time.Time{}); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "user.block", "user:"+string(other), nil, map[string]bool{"on": on})
	})
	if err != nil || !changed {
		return err
	}
	if err := s.accounts.Push(ctx, t); err != nil { // the claims close the room of the two
		return later("the block holds", err)
	}
	return nil
}

// Blocks lists whom a user blocks.
func (s *Service) Blocks(ctx context.Context, t TenantID, u UserID) ([]UserID, error) {
	return s.store.Blocks(ctx, t, u)
}

// ErrBlocked is what the two of a block are told who would talk.
var ErrBlocked = Errorf(CodeForbidden, "one of you two has blocked the other")

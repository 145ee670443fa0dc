package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const (
	sqlPutBlock = `
INSERT INTO blocks (tenant_id, user_id, blocked_id, since) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, user_id, blocked_id) DO NOTHING`

	sqlDeleteBlock = `DELETE FROM blocks WHERE tenant_id = $1 AND user_id = $2 AND blocked_id = $3`
)

// SetBlock blocks a user for another or ends that, and says whether it changed anything.
func (x tx) SetBlock(ctx context.Context, t tenant.TenantID, u, blocked tenant.UserID, at time.Time, on bool) (bool, error) {
	var n int64
	var err error
	if on {
		n, err = exec(ctx, x.q, sqlPutBlock, t, u, blocked, at)
	} else {
		n, err = exec(ctx, x.q, sqlDeleteBlock, t, u, blocked)
	}
	return n > 0, wrap(err, "set a block of", "user", string(t), string(u))
}

const sqlBlocked = `SELECT EXISTS (SELECT FROM blocks WHERE tenant_id = $1 AND user_id = $2 AND blocked_id = $3)`

// Blocked reports whether a user blocks another.
func (x tx) Blocked(ctx context.Context, t tenant.TenantID, u, other tenant.UserID) (bool, error) {
	yes, err := one(ctx, x.q, pgx.RowTo[bool], sqlBlocked, t, u, other)
	return yes, wrap(err, "read a block of", "user", string(t), string(u))
}

const sqlBlockedBetween = `
SELECT EXISTS (SELECT FROM blocks WHERE tenant_id = $1 AND (user_id, blocked_id) IN (($2, $3), ($3, $2)))`

// BlockedBetween reports whether one of two users blocks the other.
func (s *Store) BlockedBetween(ctx context.Context, t tenant.TenantID, u, other tenant.UserID) (bool, error) {
	yes, err := one(ctx, s.pool, pgx.RowTo[bool], sqlBlockedBetween, t, u, other)
	return yes, wrap(err, "read a block of", "user", string(t), string(u))
}

const sqlBlocks = `
SELECT blocked_id FROM blocks WHERE tenant_id = $1 AND user_id = $2 ORDER BY blocked_id LIMIT 1000`

// Blocks lists whom a user blocks, the first 1,000.
func (s *Store) Blocks(ctx context.Context, t tenant.TenantID, u tenant.UserID) ([]tenant.UserID, error) {
	rows, err := list(ctx, s.pool, pgx.RowTo[tenant.UserID], sqlBlocks, t, u)
	return rows, wrap(err, "list the blocks of", "user", string(t), string(u))
}

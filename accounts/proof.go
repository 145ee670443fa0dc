package accounts

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const selectProven = `
SELECT server_id, cid FROM sessions
WHERE account = $1 AND (key_id = $2 OR $2 = '') AND (token_id = $3 OR $3 = '')`

// KickProof closes the connections of an account that were opened with a key, a token or both,
// as the callout's records tell. What it has closed is counted also when it could not close all.
func (a *Accounts) KickProof(ctx context.Context, account string, p tenant.Proof) (int, error) {
	if p == (tenant.Proof{}) {
		return 0, fmt.Errorf("kick by proof in %s: there is none", account)
	}
	rows, err := a.pool.Query(ctx, selectProven, account, p.Key, p.Token)
	if err != nil {
		return 0, fmt.Errorf("kick by proof in %s: %w", account, err)
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c conn, err error) {
		err = r.Scan(&c.Server, &c.CID)
		return c, err
	})
	if err != nil {
		return 0, fmt.Errorf("kick by proof in %s: %w", account, err)
	}
	closed, err := a.closeAll(ctx, found)
	if err != nil {
		return closed, fmt.Errorf("kick by proof in %s: %w", account, err)
	}
	return closed, nil
}

package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// batchSize is how many accounts are compared at once.
const batchSize = 500

// Materialize returns the JWTs of all accounts as the rows ask for them now, by account. A
// server that is given them before it opens its port has forgotten nothing, whatever became of its folder.
func (s *System) Materialize(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := s.eachBatch(ctx, func(rows []row) error {
		for _, r := range rows {
			out[r.Account] = r.JWT
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("materialize accounts: %w", err)
	}
	return out, nil
}

// OwnAccounts returns the JWTs of the platform's own accounts, by account: with them a server lets Parley in, which
// gives it the rest.
func (s *System) OwnAccounts(ctx context.Context) (map[string]string, error) {
	rows, err := queryRows(ctx, s.pool, selectSystemRows)
	if err != nil {
		return nil, fmt.Errorf("read the platform's accounts: %w", err)
	}
	out := map[string]string{}
	for _, r := range rows {
		out[r.Account] = r.JWT
	}
	return out, nil
}

// eachBatch calls fn with all accounts but those of deleting tenants, some at a time, after
// it has signed what was out of date.
func (s *System) eachBatch(ctx context.Context, fn func([]row) error) error {
	rows, err := queryRows(ctx, s.pool, selectSystemRows)
	for after := ""; err == nil && len(rows) > 0; {
		if rows, err = s.refreshed(ctx, rows); err != nil {
			return err
		}
		if err := fn(rows); err != nil {
			return err
		}
		rows, err = queryRows(ctx, s.pool, selectTenantRows, after, batchSize)
		if len(rows) > 0 {
			after = rows[len(rows)-1].Account
		}
	}
	return err
}

// refreshed signs those of the rows whose claims changed, and returns all as they are then.
func (s *System) refreshed(ctx context.Context, rows []row) ([]row, error) {
	var ids []tenant.TenantID
	for _, r := range rows {
		if r.Tenant != "" {
			ids = append(ids, r.Tenant)
		}
	}
	facts, err := readFacts(ctx, s.pool, ids)
	if err != nil {
		return nil, err
	}
	out := rows[:0]
	for _, r := range rows {
		same, err := s.same(r, facts)
		if err == nil && !same {
			r, err = s.resign(ctx, r.Account, 0)
		}
		if errors.Is(err, errDeleting) || errors.Is(err, tenant.ErrNotFound) {
			continue // deleted since the rows were read
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// same reports whether what was signed for a row is what the facts ask for.
func (s *System) same(r row, facts map[tenant.TenantID]tenantFacts) (bool, error) {
	claims, err := s.claimsOf(r, facts)
	if err != nil {
		return false, err
	}
	issuer, err := s.operatorSigner.PublicKey()
	if err != nil {
		return false, err
	}
	content, err := contentOf(claims, issuer)
	return bytes.Equal(content, r.Content), err
}

// resign is signRow in a transaction of its own, and returns the row as it is then.
func (s *System) resign(ctx context.Context, account string, floor int64) (r row, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.signRow(ctx, tx, account, floor); err != nil {
			return err
		}
		r, err = oneRow(ctx, tx, lockRow, account)
		return err
	})
	return r, err
}

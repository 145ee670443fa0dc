package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/jwt/v2"

	"parley/tenant"
)

// patience is how long a push waits for the other nodes after one has the claims: the
// reconciler sees to those.
const patience = 250 * time.Millisecond

// Push signs what a tenant's rows ask for, if they changed, and returns when a server has it.
// A tenant that is being deleted, or is gone, needs nothing.
func (a *Accounts) Push(ctx context.Context, t tenant.TenantID) error {
	r, err := oneRow(ctx, a.pool, selectTenantRow, string(t))
	if err == nil {
		r, err = a.resign(ctx, r.Account, 0)
	}
	if errors.Is(err, errDeleting) || errors.Is(err, tenant.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("push claims of tenant %s: %w", t, err)
	}
	if r.PushedIAT == r.IAT {
		return nil
	}
	if err := a.deliver(ctx, r.Account); err != nil {
		return fmt.Errorf("push claims of tenant %s: %w", t, err)
	}
	return nil
}

const markPushed = `UPDATE accounts SET pushed_iat = iat WHERE account = $1 AND iat = $2`

// deliver sends the newest JWT of an account to the servers. It holds the row meanwhile: of two
// pushes at a time the older could arrive last, and a server takes whatever comes.
func (a *Accounts) deliver(ctx context.Context, account string) error {
	return pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		r, err := oneRow(ctx, tx, lockRow, account)
		if err != nil {
			return err
		}
		if err := verify(r.JWT, r.Account, a.facts.operator.signing); err != nil {
			return err
		}
		everywhere, err := a.update(ctx, r.JWT)
		if err != nil || !everywhere {
			return err
		}
		_, err = tx.Exec(ctx, markPushed, r.Account, r.IAT)
		return err
	})
}

// update sends a JWT to all servers. It reports whether every known one has it, and fails
// where one refuses or none answers.
func (a *Accounts) update(ctx context.Context, text string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	have := 0
	err := a.everyNode(ctx, claimsUpdate, []byte(text), func(_ string, answer []byte) error {
		var s serverOf
		if err := json.Unmarshal(answer, &s); err != nil {
			return err
		}
		if err := s.err(); err != nil {
			return err
		}
		if have++; have == 1 {
			time.AfterFunc(patience, cancel)
		}
		return nil
	})
	if errors.Is(err, context.Canceled) && have > 0 {
		return false, nil
	}
	return err == nil, err
}

// DropAccount removes an account from every server, which closes its connections. What it
// had in the way of streams must be gone before, or it comes back with the account.
func (a *Accounts) DropAccount(ctx context.Context, account string) error {
	if err := a.drop(ctx, []string{account}); err != nil {
		return fmt.Errorf("drop account %s: %w", account, err)
	}
	return nil
}

func (a *Accounts) drop(ctx context.Context, accounts []string) error {
	public, err := a.operatorSigner.PublicKey()
	if err != nil {
		return err
	}
	c := jwt.NewGenericClaims(public)
	c.Data["accounts"] = accounts
	text, err := c.Encode(a.operatorSigner)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return a.everyNode(ctx, claimsDelete, []byte(text), func(_ string, answer []byte) error {
		var s serverOf
		if err := json.Unmarshal(answer, &s); err != nil {
			return err
		}
		return s.err()
	})
}

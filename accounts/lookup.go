package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/jwt/v2"
)

// lookUpWindow is how many accounts are asked for at once: what a server's queue takes lightly.
const lookUpWindow = 64

// holding is what the servers have of an account.
type holding struct {
	same bool  // every known one has just what was signed last
	iat  int64 // the greatest of those that differ
}

// lookUp asks every server for its JWTs of the rows. The answers don't say whose they are, but
// that there is one from each node can be counted.
func (a *Accounts) lookUp(ctx context.Context, rows []row) ([]holding, error) {
	held := make([]holding, 0, len(rows))
	for len(rows) > 0 {
		n := min(len(rows), lookUpWindow)
		window, err := a.lookUpWindow(ctx, rows[:n])
		if err != nil {
			return nil, err
		}
		held, rows = append(held, window...), rows[n:]
	}
	return held, nil
}

func (a *Accounts) lookUpWindow(ctx context.Context, rows []row) ([]holding, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	nodes := max(len(a.nodes.known()), 1)
	q := a.box.inquire(nodes * len(rows))
	defer q.close()
	for i, r := range rows {
		if err := q.ask(i, fmt.Sprintf(claimsLookup, r.Account), nil); err != nil {
			return nil, err
		}
	}
	held := make([]holding, len(rows))
	for i := range held {
		held[i].same = true
	}
	for got := range nodes * len(rows) {
		i, answer, err := q.answer(ctx)
		if err != nil {
			return nil, fmt.Errorf("%d of %d answers: %w", got, nodes*len(rows), err)
		}
		if string(answer) == rows[i].JWT {
			continue
		}
		held[i].same = false
		if c, err := jwt.DecodeGeneric(string(answer)); err == nil { // empty: the node has none
			held[i].iat = max(held[i].iat, c.IssuedAt)
		}
	}
	return held, nil
}

const selectAccounts = `SELECT account FROM accounts`

// dropUnknown removes from the servers what the database does not know: accounts of tenants
// that were deleted while a node was down, which it would spread again.
func (a *Accounts) dropUnknown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	unknown := map[string]bool{}
	err := a.everyNode(ctx, claimsList, nil, func(_ string, answer []byte) error {
		var list struct {
			Data []string `json:"data"`
		}
		if err := json.Unmarshal(answer, &list); err != nil {
			return err
		}
		for _, account := range list.Data {
			unknown[account] = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list accounts of servers: %w", err)
	}
	// Read after the servers were: a row is there before its account is pushed.
	rows, err := a.pool.Query(ctx, selectAccounts)
	if err != nil {
		return fmt.Errorf("list accounts: %w", err)
	}
	var account string
	if _, err := pgx.ForEachRow(rows, []any{&account}, func() error { delete(unknown, account); return nil }); err != nil {
		return fmt.Errorf("list accounts: %w", err)
	}
	for account := range unknown {
		a.log.Warn("account on a server that the database does not know", "account", account)
		if err := a.DropAccount(ctx, account); err != nil {
			return err
		}
	}
	return nil
}

package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const (
	// sessionPatience is how long a connection may wait for the row that tells its method: the
	// callout writes it after it has answered.
	sessionPatience = 250 * time.Millisecond
	sessionRetry    = 25 * time.Millisecond
)

// Connections lists the open connections of a user, or of the whole account where u is empty.
// The servers say which there are; the callout's records add how each proved who it is.
func (a *Accounts) Connections(ctx context.Context, account string, u tenant.UserID) ([]tenant.Connection, error) {
	found, err := a.findNamed(ctx, account, u)
	if err != nil {
		return nil, err
	}
	methods, err := a.methods(ctx, account, found)
	if err != nil {
		return nil, fmt.Errorf("list connections of %s: %w", account, err)
	}
	out := make([]tenant.Connection, len(found))
	for i, c := range found {
		out[i] = tenant.Connection{
			User: c.User, Method: methods[sessionKey{c.Server, c.CID}],
			Address: c.address(), Server: c.Server, CID: c.CID, Since: c.Start,
		}
	}
	return out, nil
}

// methods waits a little for the newest connections' rows. One that never gets any has no method.
func (a *Accounts) methods(ctx context.Context, account string, conns []conn) (map[sessionKey]tenant.Method, error) {
	deadline := time.NewTimer(sessionPatience)
	defer deadline.Stop()
	retry := time.NewTicker(sessionRetry)
	defer retry.Stop()
	for {
		methods, err := a.readMethods(ctx, account)
		if err != nil || covers(methods, conns) {
			return methods, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline.C:
			return methods, nil
		case <-retry.C:
		}
	}
}

func covers(methods map[sessionKey]tenant.Method, conns []conn) bool {
	for _, c := range conns {
		if _, ok := methods[sessionKey{c.Server, c.CID}]; !ok {
			return false
		}
	}
	return true
}

const selectMethods = `SELECT server_id, cid, method FROM sessions WHERE account = $1`

func (a *Accounts) readMethods(ctx context.Context, account string) (map[sessionKey]tenant.Method, error) {
	rows, err := a.pool.Query(ctx, selectMethods, account)
	if err != nil {
		return nil, err
	}
	methods := map[sessionKey]tenant.Method{}
	var k sessionKey
	var m tenant.Method
	_, err = pgx.ForEachRow(rows, []any{&k.server, &k.cid, &m}, func() error {
		methods[k] = m
		return nil
	})
	return methods, err
}

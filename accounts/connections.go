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
	if u != "" {
		direct, err := a.findDirect(ctx, account, u)
		if err != nil {
			return nil, err
		}
		found = append(found, direct...)
	}
	sessions, err := a.sessions(ctx, account, found)
	if err != nil {
		return nil, fmt.Errorf("list connections of %s: %w", account, err)
	}
	out := make([]tenant.Connection, len(found))
	for i, c := range found {
		s := sessions[sessionKey{c.Server, c.CID}]
		out[i] = tenant.Connection{
			User: c.User, Method: s.method,
			Address: c.address(), Server: c.Server, CID: c.CID, Since: c.Start,
		}
		if s.user != "" {
			out[i].User = s.user // the servers know some by their nkeys
		}
	}
	return out, nil
}

// findDirect finds the connections that carry an nkey of the user.
func (a *Accounts) findDirect(ctx context.Context, account string, u tenant.UserID) ([]conn, error) {
	nkeys, err := a.directKeys(ctx, account, u)
	if err != nil {
		return nil, fmt.Errorf("list connections of %s: %w", account, err)
	}
	var all []conn
	for _, nkey := range nkeys {
		found, err := a.findNamed(ctx, account, nkey)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// session is what the records say of a connection.
type session struct {
	user   tenant.UserID
	method tenant.Method
}

// sessions waits a little for the newest connections' rows. One that never gets any has no method.
func (a *Accounts) sessions(ctx context.Context, account string, conns []conn) (map[sessionKey]session, error) {
	deadline := time.NewTimer(sessionPatience)
	defer deadline.Stop()
	retry := time.NewTicker(sessionRetry)
	defer retry.Stop()
	for {
		known, err := a.readSessions(ctx, account)
		if err != nil || covers(known, conns) {
			return known, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline.C:
			return known, nil
		case <-retry.C:
		}
	}
}

func covers(known map[sessionKey]session, conns []conn) bool {
	for _, c := range conns {
		if _, ok := known[sessionKey{c.Server, c.CID}]; !ok {
			return false
		}
	}
	return true
}

const selectSessions = `SELECT server_id, cid, user_id, method FROM sessions WHERE account = $1`

func (a *Accounts) readSessions(ctx context.Context, account string) (map[sessionKey]session, error) {
	rows, err := a.pool.Query(ctx, selectSessions, account)
	if err != nil {
		return nil, err
	}
	known := map[sessionKey]session{}
	var k sessionKey
	var s session
	_, err = pgx.ForEachRow(rows, []any{&k.server, &k.cid, &s.user, &s.method}, func() error {
		known[k] = s
		return nil
	})
	return known, err
}

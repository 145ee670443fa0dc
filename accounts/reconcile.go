package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
)

const (
	reconcileEvery = 10 * time.Second
	// reconcileShare bounds the time that comparing takes: with very many accounts the pause
	// grows to this many times what the last pass took.
	reconcileShare = 20
	// reconcileTimeout ends a pass that a server or the database holds up.
	reconcileTimeout = 5 * time.Minute
	// leaderLock is held by the one process that reconciles. It is "parley" and a number.
	leaderLock = 0x7061726c65790002
)

// reconcileLoop reconciles while this process is the leader: at the start, every ten
// seconds, and whenever the servers are back. No fault ends it but that of ctx.
func (a *Accounts) reconcileLoop(ctx context.Context) {
	back := a.sys.StatusChanged(nats.CONNECTED)
	defer a.sys.RemoveStatusListener(back)
	l := &leader{config: a.pool.Config().ConnConfig}
	defer l.resign()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-back:
			if !ok {
				back = nil // the connection is closed for good
			}
		case <-pause.C:
		}
		begun := time.Now()
		if err := a.lead(ctx, l); err != nil && ctx.Err() == nil {
			a.log.Warn("accounts not reconciled", "error", err)
		}
		pause.Reset(max(reconcileEvery, reconcileShare*time.Since(begun)))
	}
}

// lead reconciles if no other process does.
func (a *Accounts) lead(ctx context.Context, l *leader) error {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()
	if err := a.discover(ctx); err != nil {
		return err
	}
	if ok, err := l.elected(ctx); err != nil || !ok {
		return err
	}
	return a.Reconcile(ctx)
}

// A leader holds an advisory lock on a connection of its own: when the connection ends, so does the lead.
type leader struct {
	config *pgx.ConnConfig
	conn   *pgx.Conn
}

func (l *leader) elected(ctx context.Context) (bool, error) {
	if l.conn != nil && l.conn.Ping(ctx) == nil {
		return true, nil
	}
	l.resign()
	conn, err := pgx.ConnectConfig(ctx, l.config.Copy())
	if err != nil {
		return false, fmt.Errorf("elect leader: %w", err)
	}
	l.conn = conn
	var ok bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(leaderLock)).Scan(&ok); err != nil || !ok {
		l.resign()
		if err != nil {
			return false, fmt.Errorf("elect leader: %w", err)
		}
	}
	return ok, nil
}

func (l *leader) resign() {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	_ = l.conn.Close(ctx) // gone either way
	l.conn = nil
}

// Reconcile compares what every server has with what the rows ask for, once: it pushes where
// they differ, removes accounts that the database does not know, and prunes sessions.
func (a *Accounts) Reconcile(ctx context.Context) error {
	var faults []error
	err := a.eachBatch(ctx, func(rows []row) error {
		// One account that a server refuses must not keep the others from converging.
		faults = append(faults, a.converge(ctx, rows))
		return ctx.Err()
	})
	faults = append(faults, err, a.dropUnknown(ctx), a.pruneSessions(ctx), a.auditSessions(ctx))
	return errors.Join(faults...)
}

// converge pushes those of the rows that some server has otherwise.
func (a *Accounts) converge(ctx context.Context, rows []row) error {
	held, err := a.lookUp(ctx, rows)
	if err != nil {
		return fmt.Errorf("compare accounts: %w", err)
	}
	var faults []error
	for i, r := range rows {
		switch {
		case !held[i].same:
			faults = append(faults, a.heal(ctx, r, held[i].iat))
		case r.PushedIAT != r.IAT: // loaded at the start, or confirmed late
			_, err := a.pool.Exec(ctx, markPushed, r.Account, r.IAT)
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// heal pushes an account again. Where a server has a newer JWT than we ever signed, as after
// a restore of the database, ours becomes newer: else the nodes would spread theirs.
func (a *Accounts) heal(ctx context.Context, r row, seen int64) error {
	now, err := queryRows(ctx, a.pool, selectRow, r.Account)
	if err != nil {
		return err
	}
	if len(now) == 0 || now[0].IAT != r.IAT {
		return nil // deleted or signed anew since it was compared
	}
	a.log.Info("account differs on a server", slog.String("account", r.Account))
	if seen >= r.IAT {
		if _, err := a.resign(ctx, r.Account, seen); err != nil {
			return err
		}
	}
	return a.deliver(ctx, r.Account)
}

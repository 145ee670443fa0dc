package chat

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// leaderLock is the advisory lock of the projector, one in each database.
const leaderLock = 0x7061726c6579 // "parley"

const (
	sqlTryLock  = `SELECT pg_try_advisory_lock($1)`
	sqlNewEpoch = `UPDATE projector_epoch SET epoch = epoch + 1 RETURNING epoch`
)

// stand stands for election until ctx ends.
func (c *Chat) stand(ctx context.Context) {
	for ctx.Err() == nil {
		if err := c.term(ctx); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "projector is not leading", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(c.timing.elect):
		}
	}
}

// term waits for the lock on a connection of its own, and leads while the connection holds:
// Postgres frees the lock with it, whatever became of this process.
func (c *Chat) term(ctx context.Context) error {
	conn, err := c.lockConn(ctx)
	if err != nil {
		return err
	}
	defer c.unlock(ctx, conn)
	if err = c.awaitLock(ctx, conn); err != nil {
		return err
	}
	var epoch int64
	if err = c.query(ctx, conn, sqlNewEpoch, nil, &epoch); err != nil {
		return fmt.Errorf("begin an epoch: %w", err)
	}
	c.log.InfoContext(ctx, "projector leads", "epoch", epoch)
	c.metrics.leader.Set(1)
	defer c.metrics.leader.Set(0)
	return c.reign(ctx, conn, epoch)
}

// reign projects until the lock's connection breaks, another is elected, or ctx ends.
func (c *Chat) reign(ctx context.Context, conn *pgx.Conn, epoch int64) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	p := newProjector(c, epoch, end)
	ended := make(chan error, 1)
	go func() {
		err := p.run(ctx)
		end(err)
		ended <- err
	}()
	ticker(ctx, c.timing.keepalive, func() {
		var now int64
		if err := c.query(ctx, conn, sqlEpoch, nil, &now); err != nil {
			end(fmt.Errorf("keep the projector's lock: %w", err))
		} else if now != epoch {
			end(errFenced)
		}
	})
	if err := <-ended; err != nil {
		return err
	}
	return context.Cause(ctx)
}

func (c *Chat) lockConn(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, c.pool.Config().ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("connect for the projector's lock: %w", err)
	}
	return conn, nil
}

func (c *Chat) awaitLock(ctx context.Context, conn *pgx.Conn) error {
	for {
		var mine bool
		if err := c.query(ctx, conn, sqlTryLock, []any{int64(leaderLock)}, &mine); err != nil {
			return fmt.Errorf("try the projector's lock: %w", err)
		}
		if mine {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.timing.elect):
		}
	}
}

func (c *Chat) query(ctx context.Context, conn *pgx.Conn, sql string, args []any, to any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	return conn.QueryRow(ctx, sql, args...).Scan(to)
}

// unlock closes the connection, which frees the lock.
func (c *Chat) unlock(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

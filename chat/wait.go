package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

var errBehind = tenant.Errorf(tenant.CodeUnavailable, "the newest messages can't be read yet; ask again in a moment")

// caughtUp returns when everything that was acknowledged before it was called, in these
// streams, can be read: after 2 s it gives up with unavailable.
func (c *Chat) caughtUp(ctx context.Context, streams ...string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.readWait)
	defer cancel()
	for _, stream := range streams {
		last, ok, err := c.lastSeq(ctx, stream)
		if err != nil {
			return fmt.Errorf("%w (%w)", unavailable("the message store"), err)
		}
		if !ok {
			continue // nothing can be acknowledged there
		}
		if err = c.projected(ctx, stream, last); err != nil {
			return err
		}
	}
	return nil
}

// projected waits until a stream's cursor has reached a sequence.
func (c *Chat) projected(ctx context.Context, stream string, want uint64) error {
	nudged := time.NewTimer(4 * c.timing.readPoll)
	defer nudged.Stop()
	for {
		have, moved := c.progress.at(stream)
		if have >= want {
			return nil
		}
		if p := c.leading.Load(); p != nil {
			p.hasten(stream, want)
		}
		// Another process may be the projector: its commits show in the row alone.
		have, err := c.cursor(ctx, stream)
		if err != nil || have >= want {
			return err
		}
		select {
		case <-moved:
		case <-time.After(c.timing.readPoll):
		case <-nudged.C:
			// Its last live message may have been missed.
			if p := c.leading.Load(); p != nil {
				p.behind(stream, want)
			}
		case <-ctx.Done():
			return errBehind
		}
	}
}

// cursor reads how far a stream is projected. A stream without a row is as
// far as it can be: its tenant is gone.
func (c *Chat) cursor(ctx context.Context, stream string) (uint64, error) {
	var seq uint64
	err := c.pool.QueryRow(ctx, sqlStreamLast, stream).Scan(&seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return maxSequence, nil
	}
	return seq, fromDB(err)
}

const (
	sqlStreamsOf = `SELECT stream FROM streams WHERE tenant_id = $1`
	// Those of the rooms that others share with the tenant, too.
	sqlStreamsRead = sqlStreamsOf + ` UNION SELECT st.stream FROM shares s JOIN rooms r ON r.room_pk = s.room_pk
		JOIN streams st ON st.tenant_id = r.tenant_id AND st.class = r.class WHERE s.guest = $1 AND s.status = 'accepted'`
)

// allCaughtUp is caughtUp for all streams that a tenant reads.
func (c *Chat) allCaughtUp(ctx context.Context, t tenant.TenantID) error {
	rows, err := c.pool.Query(ctx, sqlStreamsRead, t)
	if err != nil {
		return fromDB(err)
	}
	streams, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fromDB(err)
	}
	return c.caughtUp(ctx, streams...)
}

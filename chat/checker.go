package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
)

// check compares all streams with their rows: at once, at an interval, and when the connection to
// NATS is back. It finds what no live message tells: the last message of a stream that was
// missed, streams that vanished, and what retention took.
func (p *projector) check(ctx context.Context) {
	back := p.chat.conn.StatusChanged(nats.CONNECTED)
	defer p.chat.conn.RemoveStatusListener(back)
	every := time.NewTicker(p.chat.timing.check)
	defer every.Stop()
	retry := time.NewTicker(p.chat.timing.retry)
	defer retry.Stop()
	for {
		if err := p.compare(ctx); err != nil && ctx.Err() == nil {
			p.chat.log.WarnContext(ctx, "streams are not all as wanted", "error", err)
		}
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return
			case <-retry.C:
				p.retry()
			case <-every.C:
				again = true
			case <-back:
				again = true
			}
		}
	}
}

// compare reads the rows before the streams, so that a stream that ends before its cursor has lost messages.
func (p *projector) compare(ctx context.Context) error {
	p.purge.wake()
	wanted, err := p.chat.wantedStreams(ctx)
	if err != nil {
		return err
	}
	have, err := p.chat.listStreams(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, w := range wanted {
		if info := have[w.name]; info != nil {
			p.behind(w.name, info.State.LastSeq)
			faults = append(faults, p.compareOne(ctx, w, info))
		}
	}
	return errors.Join(append(faults, p.chat.heal(ctx, wanted, have))...)
}

func (p *projector) compareOne(ctx context.Context, w wantedStream, info *jetstream.StreamInfo) error {
	if info.State.LastSeq < w.lastSeq {
		p.chat.log.ErrorContext(ctx, "a stream lost messages that were projected",
			"stream", w.name, "last", info.State.LastSeq, "projected", w.lastSeq)
		if err := p.chat.skip(ctx, w, info.State.LastSeq); err != nil {
			return fmt.Errorf("skip lost sequences of %s: %w", w.name, err)
		}
	}
	if info.State.FirstSeq > w.firstSeq {
		if err := p.trim(ctx, w, info.State.FirstSeq); err != nil {
			return fmt.Errorf("trim %s: %w", w.name, err)
		}
	}
	return nil
}

// trimMessages is how many rows one transaction of trim removes at most.
const trimMessages = 5000

const (
	sqlTrim = `WITH old AS (
			SELECT m.room_pk, m.seq FROM rooms r JOIN messages m USING (room_pk)
			WHERE r.tenant_id = $1 AND r.class = $2 AND r.kind <> 'shared' AND m.seq < $3
			ORDER BY m.room_pk, m.seq LIMIT $4
		), gone AS (
			DELETE FROM messages m USING old WHERE m.room_pk = old.room_pk AND m.seq = old.seq RETURNING m.room_pk, m.n
		), heads AS (
			UPDATE room_heads h SET first_n = greatest(h.first_n, g.n + 1)
			FROM (SELECT room_pk, max(n) AS n FROM gone GROUP BY room_pk) g WHERE h.room_pk = g.room_pk AND g.n IS NOT NULL
		)
		SELECT count(*) FROM gone`
	sqlTrimmed = `UPDATE streams SET first_seq = $2 WHERE stream = $1`
)

// trim removes the rows of messages that their stream no longer keeps, in small transactions.
func (p *projector) trim(ctx context.Context, w wantedStream, first uint64) error {
	for {
		n, err := p.trimSome(ctx, w, first)
		p.chat.metrics.trimmed.Add(float64(n))
		if err != nil || n < trimMessages {
			return err
		}
	}
}

// trimSome holds the stream's row, so that no message below first is projected beside it.
func (p *projector) trimSome(ctx context.Context, w wantedStream, first uint64) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.chat.timing.call)
	defer cancel()
	tx, err := p.chat.pool.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer rollback(ctx, tx)
	l := &line{stream: w.name, tenant: w.tenant.ID}
	if _, _, err = p.gather(ctx, tx, l, nil); err != nil {
		return 0, err
	}
	if err = tx.QueryRow(ctx, sqlTrim, w.tenant.ID, w.class, first, trimMessages).Scan(&n); err != nil {
		return 0, err
	}
	if n < trimMessages {
		if _, err = tx.Exec(ctx, sqlTrimmed, w.name, first); err != nil {
			return 0, err
		}
	}
	return n, tx.Commit(ctx)
}

var _ tenant.Streams = (*Chat)(nil)

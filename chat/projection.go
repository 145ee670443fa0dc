package chat

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const (
	// An advisory lock of one number stands there as its two halves.
	sqlLed = `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND (classid::bigint << 32 | objid::bigint) = $1)`
	sqlBehind = `SELECT w.stream FROM unnest($1::text[], $2::bigint[]) AS w (stream, seq) JOIN streams s USING (stream)
		WHERE s.last_seq < w.seq ORDER BY 1`
)

// Projection compares all streams with their cursors. What is on its way it waits for: a stream is behind only if its
// messages don't come although the projector has looked for them meanwhile, as it does at its start.
func (c *Chat) Projection(ctx context.Context) (tenant.Projection, error) {
	var p tenant.Projection
	if err := c.pool.QueryRow(ctx, sqlLed, int64(leaderLock)).Scan(&p.Led); err != nil {
		return p, fromDB(err)
	}
	wanted, err := c.wantedStreams(ctx, "")
	if err != nil {
		return p, err
	}
	have, err := c.listStreams(ctx)
	if err != nil {
		return p, err
	}
	var seqs []uint64
	for _, w := range wanted {
		info := have[w.name]
		switch {
		case info == nil:
			p.Missing = append(p.Missing, w.name)
		case info.State.LastSeq > w.lastSeq:
			p.Behind, seqs = append(p.Behind, w.name), append(seqs, info.State.LastSeq)
		}
	}
	p.Streams = int64(len(wanted))
	slices.Sort(p.Missing)
	if len(p.Behind) > 0 {
		p.Behind, err = c.awaitCursors(ctx, p.Behind, seqs)
	}
	return p, err
}

// awaitCursors returns the streams that are not projected up to their sequences in time.
func (c *Chat) awaitCursors(ctx context.Context, names []string, seqs []uint64) ([]string, error) {
	patience := c.timing.check + c.timing.readWait
	ctx, cancel := context.WithTimeout(ctx, patience+c.timing.call)
	defer cancel()
	if p := c.leading.Load(); p != nil {
		for i, stream := range names {
			p.behind(stream, seqs[i])
		}
	}
	for late := time.After(patience); ; {
		rows, err := c.pool.Query(ctx, sqlBehind, names, seqs)
		behind, err := collect(rows, err, pgx.RowTo[string])
		if err != nil || len(behind) == 0 {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return behind, nil
		case <-time.After(c.timing.readPoll):
		}
	}
}

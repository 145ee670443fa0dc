package chat

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

const (
	sqlErasures = `SELECT stream, seq FROM erasures ORDER BY stream, seq LIMIT $1`
	sqlErased   = `DELETE FROM erasures e USING unnest($1::text[], $2::bigint[]) AS d (stream, seq)
		WHERE e.stream = d.stream AND e.seq = d.seq`
)

type erasure struct {
	Stream string
	Seq    uint64
}

// erase overwrites deleted messages and old texts in their streams.
func (p *purger) erase(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*p.chat.timing.call)
	defer cancel()
	rows, err := p.chat.pool.Query(ctx, sqlErasures, purgeBatch)
	if err != nil {
		return 0, err
	}
	erasures, err := pgx.CollectRows(rows, pgx.RowToStructByPos[erasure])
	if err != nil || len(erasures) == 0 {
		return 0, err
	}
	var streams []string
	var seqs []uint64
	var faults []error
	for _, e := range erasures {
		if err = p.chat.deleteMessage(ctx, e.Stream, e.Seq, true); err != nil {
			faults = append(faults, fmt.Errorf("erase %s %d: %w", e.Stream, e.Seq, err))
			continue
		}
		streams, seqs = append(streams, e.Stream), append(seqs, e.Seq)
	}
	if _, err = p.chat.pool.Exec(ctx, sqlErased, streams, seqs); err != nil {
		return 0, err
	}
	return len(erasures), errors.Join(faults...)
}

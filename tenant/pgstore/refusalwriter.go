package pgstore

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley/tenant"
)

const (
	refusalQueue = 1024            // refusals that wait for the writer
	refusalBatch = 256             // most rows in one statement
	refusalSlack = 1000            // rows of a tenant beyond refusalsKept before they are pruned
	refusalWait  = time.Second     // until the next try while Postgres is away
	refusalLast  = 2 * time.Second // for what is left when the writer ends
	pruneEvery   = time.Hour       // of what is too old
)

// Refuse notes a connection that was not let in. It never waits: where Run can't keep up,
// the refusal is dropped and counted.
func (s *Store) Refuse(r tenant.Refusal) {
	select {
	case s.refusals <- r:
	default:
		s.dropped.Add(1)
	}
}

// DroppedRefusals counts the refusals that were not kept.
func (s *Store) DroppedRefusals() uint64 { return s.dropped.Load() }

// Run writes refusals until ctx ends, then what is still queued, and returns nil. It is the
// only writer of the process; nothing else of the Store needs it.
func (s *Store) Run(ctx context.Context) error {
	w := refusalWriter{store: s, left: make(map[tenant.TenantID]int)}
	w.pruneOld(ctx)
	old := time.NewTicker(pruneEvery)
	defer old.Stop()
	for {
		select {
		case <-ctx.Done():
			w.finish(ctx)
			return nil
		case <-old.C:
			w.pruneOld(ctx)
		case r := <-s.refusals:
			w.write(ctx, s.batch(r))
		}
	}
}

// batch takes what is queued behind the first.
func (s *Store) batch(first tenant.Refusal) []tenant.Refusal {
	batch := []tenant.Refusal{first}
	for len(batch) < refusalBatch {
		select {
		case r := <-s.refusals:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// A refusalWriter is the state of one Run.
type refusalWriter struct {
	store *Store
	left  map[tenant.TenantID]int // rows until the tenant's refusals are pruned; 0 after a start, which may follow many
	rest  []tenant.Refusal        // what was not written before the end
}

// write keeps a batch while Postgres is away: meanwhile the queue fills, and drops.
func (w *refusalWriter) write(ctx context.Context, batch []tenant.Refusal) {
	for told := false; ; told = true {
		err := w.insert(ctx, batch)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			w.rest = append(w.rest, batch...)
			return
		case !errors.Is(err, tenant.ErrUnavailable):
			w.drop(batch, err)
			return
		case !told:
			w.store.log.Warn("refusals wait for the database", slog.Any("error", err))
		}
		pause := time.NewTimer(refusalWait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// insert writes a batch and prunes the tenants that have gathered too many.
func (w *refusalWriter) insert(ctx context.Context, batch []tenant.Refusal) error {
	tenants, err := w.store.insertRefusals(ctx, batch)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if w.left[t]--; w.left[t] >= 0 {
			continue
		}
		w.left[t] = refusalSlack
		if err := w.store.pruneRefusals(ctx, t); err != nil {
			w.left[t] = 0
			w.store.log.Warn("refusals were not pruned", slog.String("tenant", string(t)), slog.Any("error", err))
		}
	}
	return nil
}

func (w *refusalWriter) pruneOld(ctx context.Context) {
	if err := w.store.pruneOldRefusals(ctx); err != nil && ctx.Err() == nil {
		w.store.log.Warn("refusals were not pruned", slog.Any("error", err))
	}
}

// finish writes what is queued after ctx has ended, within one bounded time.
func (w *refusalWriter) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalLast)
	defer cancel()
	batch := w.rest
	for {
		if len(batch) > 0 {
			if err := w.insert(ctx, batch); err != nil {
				w.drop(batch, err)
			}
		}
		select {
		case r := <-w.store.refusals:
			batch = w.store.batch(r)
		default:
			return
		}
	}
}

func (w *refusalWriter) drop(batch []tenant.Refusal, err error) {
	w.store.dropped.Add(uint64(len(batch)))
	w.store.log.Error("refusals were lost", slog.Int("count", len(batch)), slog.Any("error", err))
}

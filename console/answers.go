package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"parley/tenant"
)

// answers keeps what was answered to writes with an Idempotency-Key, in the table
// idempotency. Its times are the database's, which all consoles share.
type answers struct{ db *pgxpool.Pool }

// lookAgain is how often who waits for an answer looks for it.
const lookAgain = 50 * time.Millisecond

// An answer is what is repeated; its body has no secrets.
type answer struct {
	status int // 0: the write is still under way
	body   []byte
}

// A claim is the right to run a write. It ends when another one takes the key over, 60 s later.
type claim struct {
	actor, key string
	started    time.Time
}

// A row that is a day old counts as absent. One that was not answered within a minute belongs
// to a console that died, since a request's own deadline is shorter; its write runs again.
const claimKey = `
INSERT INTO idempotency AS i (actor, key, request, started_at)
VALUES ($1, $2, $3, clock_timestamp())
ON CONFLICT (actor, key) DO UPDATE
SET request = excluded.request, started_at = excluded.started_at, status = NULL, answer = NULL
WHERE i.started_at < excluded.started_at - interval '24 hours'
   OR (i.status IS NULL AND i.request = excluded.request AND i.started_at < excluded.started_at - interval '60 seconds')
RETURNING started_at`

const keptAnswer = `SELECT request, status, answer FROM idempotency WHERE actor = $1 AND key = $2`

// claim returns the right to run the write, or the answer that it got or is about to get. The same
// key with another request is a conflict.
func (a answers) claim(ctx context.Context, actor, key string, request []byte) (claim, *answer, error) {
	if err := a.prune(ctx); err != nil {
		return claim{}, nil, err
	}
	const tries = 3 // the row that was in the way may be released before it is read
	for range tries {
		mine := claim{actor: actor, key: key}
		err := a.db.QueryRow(ctx, claimKey, actor, key, request).Scan(&mine.started)
		if err == nil {
			return mine, nil, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return claim{}, nil, dbError("claim an idempotency key", err)
		}
		kept, err := a.find(ctx, actor, key, request)
		if !errors.Is(err, tenant.ErrNotFound) {
			return claim{}, kept, err
		}
	}
	return claim{}, &answer{}, nil
}

// await is claim, but waits for the answer of a write that is under way.
func (a answers) await(ctx context.Context, actor, key string, request []byte) (claim, *answer, error) {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		mine, before, err := a.claim(ctx, actor, key, request)
		if err != nil || before == nil || before.status != 0 {
			return mine, before, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return claim{}, nil, ctx.Err()
		}
	}
}

func (a answers) find(ctx context.Context, actor, key string, request []byte) (*answer, error) {
	var theirs []byte
	var status *int
	var kept answer
	err := a.db.QueryRow(ctx, keptAnswer, actor, key).Scan(&theirs, &status, &kept.body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, tenant.ErrNotFound
	case err != nil:
		return nil, dbError("read the answer of an idempotency key", err)
	case !bytes.Equal(theirs, request):
		return nil, tenant.Errorf(tenant.CodeConflict, "this %s was used with another request; use a new one for each write", idempotencyHeader)
	case status == nil:
		return &answer{}, nil
	}
	kept.status = *status
	return &kept, nil
}

// The time of the claim keeps a run that was overtaken from writing over its successor's row.
const keepAnswer = `
UPDATE idempotency SET status = $4, answer = $5
WHERE actor = $1 AND key = $2 AND started_at = $3 AND status IS NULL`

func (a answers) keep(ctx context.Context, c claim, with answer) error {
	_, err := a.db.Exec(ctx, keepAnswer, c.actor, c.key, c.started, with.status, with.body)
	return dbError("keep the answer of an idempotency key", err)
}

const releaseKey = `
DELETE FROM idempotency WHERE actor = $1 AND key = $2 AND started_at = $3 AND status IS NULL`

// release forgets a claim whose write may run again.
func (a answers) release(ctx context.Context, c claim) error {
	_, err := a.db.Exec(ctx, releaseKey, c.actor, c.key, c.started)
	return dbError("release an idempotency key", err)
}

// Each claim removes more rows than it adds, so that no job is needed to keep the table small.
const pruneKeys = `
DELETE FROM idempotency WHERE (actor, key) IN (
  SELECT actor, key FROM idempotency WHERE started_at < clock_timestamp() - interval '24 hours'
  ORDER BY started_at LIMIT 100 FOR UPDATE SKIP LOCKED)`

func (a answers) prune(ctx context.Context) error {
	_, err := a.db.Exec(ctx, pruneKeys)
	return dbError("prune idempotency keys", err)
}

// dbError tells a database that can't be asked, which is over soon, from a fault of ours.
func dbError(doing string, err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &pg) || pg.Code[:2] == "08" || pg.Code[:2] == "53" || pg.Code[:2] == "57":
		return fmt.Errorf("%s: %w: %w", doing, tenant.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

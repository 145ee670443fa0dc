package pgstore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"parley/tenant"
)

const (
	// sealLock is the advisory lock of who seals: one at a time.
	sealLock = 0x7061726c6579 + 2
	// sealBatch is how many entries one seal covers.
	sealBatch = 1000
	// readSeals is how many seals are read at once.
	readSeals = 20

	sqlWaits    = `SELECT EXISTS (SELECT FROM audit_unsealed)`
	sqlSealLock = `SELECT pg_try_advisory_xact_lock($1)`
	sqlLastSeal = `SELECT seal_id, at, entries, mac FROM audit_seals ORDER BY seal_id DESC LIMIT 1`
	sqlUnsealed = `DELETE FROM audit_unsealed WHERE audit_id IN (SELECT audit_id FROM audit_unsealed ORDER BY audit_id LIMIT $1) RETURNING audit_id`
	sqlSealed   = `SELECT audit_id, tenant_id, at, actor, action, object, before, after FROM audit WHERE audit_id = ANY($1) ORDER BY audit_id`
	sqlAddSeal  = `INSERT INTO audit_seals (seal_id, at, entries, mac) VALUES ($1, $2, $3, $4)`
	sqlSeals    = `SELECT seal_id, at, entries, mac FROM audit_seals WHERE seal_id > $1 ORDER BY seal_id LIMIT $2`

	sqlHasSeal = `SELECT EXISTS (SELECT FROM audit_seals WHERE seal_id = $1 AND mac = $2)`

	// Counted first: to look which entry it is takes a while in a long trail.
	sqlStrays = `SELECT (SELECT count(*) FROM audit) - (SELECT count(*) FROM audit_unsealed) - (SELECT coalesce(sum(cardinality(entries)), 0) FROM audit_seals)`
	sqlStray  = `
SELECT min(audit_id) FROM audit a WHERE NOT EXISTS (SELECT FROM audit_unsealed u WHERE u.audit_id = a.audit_id)
  AND NOT EXISTS (SELECT FROM (SELECT unnest(entries) AS id FROM audit_seals) s WHERE s.id = a.audit_id)`
)

// Seal covers what entries of the trail no seal has, up to a batch, and returns the newest seal. more: there are more. Where
// another process seals it does nothing.
func (s *Store) Seal(ctx context.Context, mac func([]byte) []byte) (last tenant.TrailSeal, more bool, err error) {
	err = s.inTx(ctx, "seal", func(x tx) error {
		last, more, err = x.seal(ctx, mac)
		return err
	})
	return last, more, err
}

func (x tx) seal(ctx context.Context, mac func([]byte) []byte) (last tenant.TrailSeal, more bool, err error) {
	mine, err := one(ctx, x.q, pgx.RowTo[bool], sqlSealLock, int64(sealLock))
	if err != nil {
		return last, false, wrap(err, "lock", "audit seals")
	}
	if last, err = one(ctx, x.q, scanSeal, sqlLastSeal); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return last, false, wrap(err, "read", "audit seal")
	}
	if !mine {
		return last, false, nil
	}
	ids, err := list(ctx, x.q, pgx.RowTo[int64], sqlUnsealed, sealBatch)
	if err != nil || len(ids) == 0 {
		return last, false, wrap(err, "list", "unsealed audit entries")
	}
	// An id without an entry stays in the seal: so it is found that somebody took the entry out.
	entries, err := list(ctx, x.q, scanSealed, sqlSealed, ids)
	if err != nil {
		return last, false, wrap(err, "read", "audit entries")
	}
	slices.Sort(ids)
	next := tenant.NextSeal(mac, last, now(), ids, entries)
	_, err = exec(ctx, x.q, sqlAddSeal, next.Number, next.At, next.Entries, next.MAC)
	return next, len(ids) == sealBatch, wrap(err, "insert", "audit seal")
}

// Unsealed reports whether an entry waits for a seal.
func (s *Store) Unsealed(ctx context.Context) (bool, error) {
	waits, err := one(ctx, s.pool, pgx.RowTo[bool], sqlWaits)
	return waits, wrap(err, "look for", "unsealed audit entries")
}

// HasSeal reports whether the database has a seal.
func (s *Store) HasSeal(ctx context.Context, seal tenant.TrailSeal) (bool, error) {
	has, err := one(ctx, s.pool, pgx.RowTo[bool], sqlHasSeal, seal.Number, seal.MAC)
	return has, wrap(err, "find", "audit seal")
}

// CheckTrail looks through all seals, and returns how many entries are as they were sealed, and the first fault; ""
// where there is none. head is a seal that must be among them.
func (s *Store) CheckTrail(ctx context.Context, mac func([]byte) []byte, head tenant.TrailSeal) (entries int64, fault string, err error) {
	var last tenant.TrailSeal
	for fault == "" {
		seals, err := list(ctx, s.pool, scanSeal, sqlSeals, last.Number, readSeals)
		if err != nil {
			return entries, "", wrap(err, "list", "audit seals")
		}
		if len(seals) == 0 {
			break
		}
		var ids []int64
		for _, seal := range seals {
			ids = append(ids, seal.Entries...)
		}
		held, err := list(ctx, s.pool, scanSealed, sqlSealed, ids)
		if err != nil {
			return entries, "", wrap(err, "read", "audit entries")
		}
		byID := make(map[int64]tenant.SealedEntry, len(held))
		for _, e := range held {
			byID[e.ID] = e
		}
		for _, seal := range seals {
			if fault = checkSeal(mac, head, last, seal, byID); fault != "" {
				break
			}
			last, entries = seal, entries+int64(len(seal.Entries))
		}
	}
	if fault == "" && last.Number < head.Number {
		fault = behind(head)
	}
	if fault == "" {
		fault, err = s.stray(ctx)
	}
	return entries, fault, err
}

func checkSeal(mac func([]byte) []byte, head, last, seal tenant.TrailSeal, held map[int64]tenant.SealedEntry) string {
	var entries []tenant.SealedEntry
	for _, id := range seal.Entries {
		if e, there := held[id]; there {
			entries = append(entries, e)
		}
	}
	if fault := seal.Check(mac, last, entries); fault != "" {
		return fault
	}
	if seal.Number == head.Number && string(seal.MAC) != string(head.MAC) {
		return behind(head)
	}
	return ""
}

func behind(head tenant.TrailSeal) string {
	return "the trail ends before what was in it at " + head.At.UTC().Format(time.RFC3339) + ": it was cut, or the database was restored to a time before"
}

// stray finds an entry that no seal has and none is to have.
func (s *Store) stray(ctx context.Context) (string, error) {
	n, err := one(ctx, s.pool, pgx.RowTo[int64], sqlStrays)
	if err != nil || n == 0 {
		return "", wrap(err, "count", "audit entries")
	}
	id, err := one(ctx, s.pool, pgx.RowTo[*int64], sqlStray)
	switch {
	case err != nil:
		return "", wrap(err, "find", "audit entry")
	case id == nil:
		return "entries that wait to be sealed are missing", nil
	}
	return "entry " + strconv.FormatInt(*id, 10) + " was put in without the server", nil
}

// A time that is none of ours, as infinity, must not keep anybody from looking at the rest: it fits no seal.
func scanSeal(row pgx.CollectableRow) (s tenant.TrailSeal, err error) {
	var at pgtype.Timestamptz
	err = row.Scan(&s.Number, &at, &s.Entries, &s.MAC)
	s.At = at.Time
	return s, err
}

func scanSealed(row pgx.CollectableRow) (e tenant.SealedEntry, err error) {
	var at pgtype.Timestamptz
	err = row.Scan(&e.ID, &e.Tenant, &at, &e.Actor, &e.Action, &e.Object, &e.Before, &e.After)
	e.At = at.Time
	return e, err
}

package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const (
	sqlPasskeys = `
SELECT passkey_id, person_id, credential, public_key, counter, synced, name, created_at, used_at
FROM passkeys WHERE person_id = $1 ORDER BY created_at, passkey_id`

	sqlPasskey = `
SELECT passkey_id, person_id, credential, public_key, counter, synced, name, created_at, used_at
FROM passkeys WHERE credential = $1`
)

// Passkeys lists a person's.
func (s *Store) Passkeys(ctx context.Context, p tenant.PersonID) ([]tenant.Passkey, error) {
	rows, err := list(ctx, s.pool, scanPasskey, sqlPasskeys, p)
	return rows, wrap(err, "list", "passkeys", string(p))
}

// Passkey returns the one that an authenticator calls so.
func (s *Store) Passkey(ctx context.Context, credential []byte) (tenant.Passkey, error) {
	row, err := one(ctx, s.pool, scanPasskey, sqlPasskey, credential)
	return row, wrap(err, "read", "passkey")
}

func scanPasskey(row pgx.CollectableRow) (p tenant.Passkey, err error) {
	var used *time.Time
	err = row.Scan(&p.ID, &p.Person, &p.Credential, &p.PublicKey, &p.Counter, &p.Synced, &p.Name, &p.CreatedAt, &used)
	if used != nil {
		p.UsedAt = *used
	}
	return p, err
}

const (
	sqlInsertPasskey = `
INSERT INTO passkeys (passkey_id, person_id, credential, public_key, counter, synced, name, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

	// Of two that sign at once with one counter, the second waits for the first's end and finds it used.
	sqlUsePasskey = `
UPDATE passkeys SET counter = $2, used_at = $3
WHERE passkey_id = $1 AND (counter < $2 OR counter = 0 AND $2 = 0)`

	sqlRenamePasskey = `UPDATE passkeys SET name = $3 WHERE person_id = $1 AND passkey_id = $2`

	sqlDeletePasskey = `DELETE FROM passkeys WHERE person_id = $1 AND passkey_id = $2`
)

// InsertPasskey adds a passkey.
func (x tx) InsertPasskey(ctx context.Context, p tenant.Passkey) error {
	_, err := exec(ctx, x.q, sqlInsertPasskey, p.ID, p.Person, p.Credential, p.PublicKey, int64(p.Counter), p.Synced, p.Name, p.CreatedAt)
	return wrap(err, "insert", "passkey", string(p.Person), p.ID)
}

// UsePasskey notes a signature whose counter goes forward.
func (x tx) UsePasskey(ctx context.Context, id string, counter uint32, at time.Time) error {
	return wrap(mustChange(ctx, x.q, sqlUsePasskey, id, int64(counter), at), "use", "passkey", id)
}

// RenamePasskey gives a passkey another name.
func (x tx) RenamePasskey(ctx context.Context, p tenant.PersonID, id, name string) error {
	return wrap(mustChange(ctx, x.q, sqlRenamePasskey, p, id, name), "rename", "passkey", string(p), id)
}

// DeletePasskey ends a passkey.
func (x tx) DeletePasskey(ctx context.Context, p tenant.PersonID, id string) error {
	return wrap(mustChange(ctx, x.q, sqlDeletePasskey, p, id), "delete", "passkey", string(p), id)
}

const (
	// Each challenge removes those that are over, as logins do.
	sqlPruneChallenges = `
DELETE FROM challenges WHERE hash IN (
  SELECT hash FROM challenges WHERE expires_at < $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)`

	sqlInsertChallenge = `INSERT INTO challenges (hash, login_id, expires_at) VALUES ($1, nullif($2, ''), $3)`

	sqlUseChallenge = `DELETE FROM challenges WHERE hash = $1 AND coalesce(login_id, '') = $2 AND expires_at > $3`
)

// InsertChallenge adds a challenge.
func (x tx) InsertChallenge(ctx context.Context, c tenant.Challenge, at time.Time) error {
	if _, err := exec(ctx, x.q, sqlPruneChallenges, at); err != nil {
		return wrap(err, "prune", "challenges")
	}
	_, err := exec(ctx, x.q, sqlInsertChallenge, c.Hash, c.Login, c.ExpiresAt)
	return wrap(err, "insert", "challenge")
}

// UseChallenge ends a challenge: of two answers at once, one gets it.
func (x tx) UseChallenge(ctx context.Context, hash []byte, login string, at time.Time) error {
	return wrap(mustChange(ctx, x.q, sqlUseChallenge, hash, login, at), "use", "challenge")
}

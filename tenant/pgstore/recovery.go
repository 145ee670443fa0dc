package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const (
	sqlRecoveryCodes = `SELECT count(*) FROM recovery_codes WHERE person_id = $1`

	sqlProfileByCode = `
SELECT p.person_id, p.email, p.name, p.password_hash, p.operator, p.founder, p.created_at
FROM people p JOIN recovery_codes c ON c.person_id = p.person_id WHERE p.email = $1 AND c.hash = $2`
)

// RecoveryCodes counts the codes that a person has.
func (s *Store) RecoveryCodes(ctx context.Context, p tenant.PersonID) (int, error) {
	n, err := one(ctx, s.pool, pgx.RowTo[int], sqlRecoveryCodes, p)
	return n, wrap(err, "count", "recovery codes", string(p))
}

// ProfileByCode returns the person of an address who has a code.
func (s *Store) ProfileByCode(ctx context.Context, email string, hash []byte) (tenant.Profile, error) {
	row, err := one(ctx, s.pool, scanProfile, sqlProfileByCode, email, hash)
	return row, wrap(err, "read", "person", "of a recovery code")
}

const (
	sqlDeleteRecoveryCodes = `DELETE FROM recovery_codes WHERE person_id = $1`

	sqlInsertRecoveryCodes = `INSERT INTO recovery_codes (person_id, hash, made_at) SELECT $1, unnest($2::bytea[]), $3`

	sqlUseRecoveryCode = `DELETE FROM recovery_codes WHERE person_id = $1 AND hash = $2`
)

// PutRecoveryCodes replaces all codes of a person.
func (x tx) PutRecoveryCodes(ctx context.Context, p tenant.PersonID, hashes [][]byte, at time.Time) error {
	if _, err := exec(ctx, x.q, sqlDeleteRecoveryCodes, p); err != nil {
		return wrap(err, "delete", "recovery codes", string(p))
	}
	_, err := exec(ctx, x.q, sqlInsertRecoveryCodes, p, hashes, at)
	return wrap(err, "insert", "recovery codes", string(p))
}

// UseRecoveryCode ends a code: of two that use it at once, one gets it.
func (x tx) UseRecoveryCode(ctx context.Context, p tenant.PersonID, hash []byte) error {
	return wrap(mustChange(ctx, x.q, sqlUseRecoveryCode, p, hash), "use", "recovery code", string(p))
}

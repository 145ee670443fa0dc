package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlProfileByIdentity = `
SELECT p.person_id, p.email, p.name, p.password_hash, p.operator, p.founder, p.created_at
FROM people p JOIN person_identities i ON i.person_id = p.person_id WHERE i.issuer = $1 AND i.subject = $2`

// ProfileByIdentity returns the person whom a login provider means.
func (s *Store) ProfileByIdentity(ctx context.Context, issuer, subject string) (tenant.Profile, error) {
	row, err := one(ctx, s.pool, scanProfile, sqlProfileByIdentity, issuer, subject)
	return row, wrap(err, "read", "person", "of an identity")
}

const sqlLinked = `SELECT DISTINCT person_id FROM person_identities WHERE person_id = ANY ($1::text[])`

// Linked returns those of some people who have an identity.
func (s *Store) Linked(ctx context.Context, of []tenant.PersonID) ([]tenant.PersonID, error) {
	rows, err := list(ctx, s.pool, pgx.RowTo[tenant.PersonID], sqlLinked, of)
	return rows, wrap(err, "list", "identities")
}

const (
	sqlInsertIdentity = `INSERT INTO person_identities (issuer, subject, person_id, linked_at) VALUES ($1, $2, $3, $4)`

	sqlDeleteIdentities = `DELETE FROM person_identities WHERE person_id = $1`
)

// InsertIdentity links a person to a login provider.
func (x tx) InsertIdentity(ctx context.Context, i tenant.PersonIdentity) error {
	_, err := exec(ctx, x.q, sqlInsertIdentity, i.Issuer, i.Subject, i.Person, i.LinkedAt)
	return wrap(err, "insert", "identity", string(i.Person))
}

// DeleteIdentities parts a person from the login provider.
func (x tx) DeleteIdentities(ctx context.Context, p tenant.PersonID) error {
	return wrap(mustChange(ctx, x.q, sqlDeleteIdentities, p), "delete", "identity", string(p))
}

const (
	sqlDeletePasskeys = `DELETE FROM passkeys WHERE person_id = $1`

	sqlDeletePersonsLinks = `DELETE FROM links WHERE person_id = $1 AND used_at IS NULL`
)

// EndWaysIn removes the passkeys, recovery codes and links of a person, and ends all their sessions.
func (x tx) EndWaysIn(ctx context.Context, p tenant.PersonID) error {
	for _, sql := range []string{sqlDeletePasskeys, sqlDeleteRecoveryCodes, sqlDeletePersonsLinks} {
		if _, err := exec(ctx, x.q, sql, p); err != nil {
			return wrap(err, "end the ways in of", "person", string(p))
		}
	}
	return x.DeleteLogins(ctx, p, "")
}

package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlLogins = `
SELECT login_id, hash, person_id, created_at, seen_at, expires_at, address, agent
FROM logins WHERE person_id = $1 AND expires_at > $2 AND seen_at > $3 ORDER BY seen_at DESC, login_id`

// Logins lists the open sessions of a person.
func (s *Store) Logins(ctx context.Context, p tenant.PersonID, at time.Time) ([]tenant.Login, error) {
	rows, err := list(ctx, s.pool, scanLogin, sqlLogins, p, at, at.Add(-tenant.LoginIdle))
	return rows, wrap(err, "list", "logins", string(p))
}

func scanLogin(row pgx.CollectableRow) (l tenant.Login, err error) {
	err = row.Scan(&l.ID, &l.Hash, &l.Person, &l.CreatedAt, &l.SeenAt, &l.ExpiresAt, &l.Address, &l.Agent)
	return l, err
}

const sqlTouchLogin = `UPDATE logins SET seen_at = $2 WHERE login_id = $1`

// TouchLogin notes that a login was used.
func (s *Store) TouchLogin(ctx context.Context, id string, at time.Time) error {
	_, err := exec(ctx, s.pool, sqlTouchLogin, id, at)
	return wrap(err, "touch", "login", id)
}

const (
	// Each login removes those that are over, so that no job is needed to keep the table small.
	sqlPruneLogins = `
DELETE FROM logins WHERE login_id IN (
  SELECT login_id FROM logins WHERE expires_at < $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)`

	sqlInsertLogin = `
INSERT INTO logins (login_id, hash, person_id, created_at, seen_at, expires_at, address, agent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
)

// InsertLogin adds a session.
func (x tx) InsertLogin(ctx context.Context, l tenant.Login) error {
	if _, err := exec(ctx, x.q, sqlPruneLogins, l.CreatedAt); err != nil {
		return wrap(err, "prune", "logins")
	}
	_, err := exec(ctx, x.q, sqlInsertLogin, l.ID, l.Hash, l.Person, l.CreatedAt, l.SeenAt, l.ExpiresAt, l.Address, l.Agent)
	return wrap(err, "insert", "login", string(l.Person))
}

const sqlHasLogin = `SELECT EXISTS (SELECT FROM logins WHERE person_id = $1 AND login_id = $2)`

// HasLogin reports whether a person's session has not been ended.
func (x tx) HasLogin(ctx context.Context, p tenant.PersonID, id string) (bool, error) {
	yes, err := one(ctx, x.q, pgx.RowTo[bool], sqlHasLogin, p, id)
	return yes, wrap(err, "look for", "login", string(p), id)
}

const sqlDeleteLogin = `DELETE FROM logins WHERE person_id = $1 AND login_id = $2`

// DeleteLogin ends a session; one that is over is no error.
func (x tx) DeleteLogin(ctx context.Context, p tenant.PersonID, id string) error {
	_, err := exec(ctx, x.q, sqlDeleteLogin, p, id)
	return wrap(err, "delete", "login", string(p), id)
}

const sqlDeleteLogins = `DELETE FROM logins WHERE person_id = $1 AND login_id <> $2`

// DeleteLogins ends all sessions of a person but one.
func (x tx) DeleteLogins(ctx context.Context, p tenant.PersonID, but string) error {
	_, err := exec(ctx, x.q, sqlDeleteLogins, p, but)
	return wrap(err, "delete", "logins", string(p))
}

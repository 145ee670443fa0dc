package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlHasOperator = `SELECT EXISTS (SELECT FROM people WHERE operator)`

// HasOperator reports whether a person is an operator.
func (s *Store) HasOperator(ctx context.Context) (bool, error) {
	yes, err := one(ctx, s.pool, pgx.RowTo[bool], sqlHasOperator)
	return yes, wrap(err, "look for", "operator")
}

const (
	sqlProfile = `
SELECT person_id, email, name, password_hash, operator, founder, created_at FROM people WHERE person_id = $1`

	sqlProfileByEmail = `
SELECT person_id, email, name, password_hash, operator, founder, created_at FROM people WHERE email = $1`

	sqlProfiles = `
SELECT person_id, email, name, password_hash, operator, founder, created_at
FROM people WHERE email > $1 AND (email ILIKE $2 OR name ILIKE $2)
ORDER BY email LIMIT $3`
)

// Profile returns a person.
func (s *Store) Profile(ctx context.Context, p tenant.PersonID) (tenant.Profile, error) {
	row, err := one(ctx, s.pool, scanProfile, sqlProfile, p)
	return row, wrap(err, "read", "person", string(p))
}

// ProfileByEmail returns the person of an address in lower case.
func (s *Store) ProfileByEmail(ctx context.Context, email string) (tenant.Profile, error) {
	row, err := one(ctx, s.pool, scanProfile, sqlProfileByEmail, email)
	return row, wrap(err, "read", "person", "of an address")
}

// Profiles lists people by address.
func (s *Store) Profiles(ctx context.Context, p tenant.Page) ([]tenant.Profile, error) {
	rows, err := list(ctx, s.pool, scanProfile, sqlProfiles, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "people")
}

func scanProfile(row pgx.CollectableRow) (p tenant.Profile, err error) {
	err = row.Scan(&p.ID, &p.Email, &p.Name, &p.PasswordHash, &p.Operator, &p.Founder, &p.CreatedAt)
	p.CreatedAt = p.CreatedAt.UTC()
	return p, err
}

const (
	sqlInsertProfile = `
INSERT INTO people (person_id, email, name, password_hash, operator, founder, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)`

	sqlHoldProfile = `
SELECT person_id, email, name, password_hash, operator, founder, created_at FROM people WHERE person_id = $1 FOR NO KEY UPDATE`

	sqlUpdateProfile = `
UPDATE people SET name = $2, password_hash = $3, operator = $4, founder = $5 WHERE person_id = $1`
)

// InsertProfile adds a person.
func (x tx) InsertProfile(ctx context.Context, p tenant.Profile) error {
	_, err := exec(ctx, x.q, sqlInsertProfile, p.ID, p.Email, p.Name, p.PasswordHash.Reveal(), p.Operator, p.Founder, p.CreatedAt)
	return wrap(err, "insert", "person", string(p.ID))
}

// HoldProfile reads a person, whom nobody else then changes or holds.
func (x tx) HoldProfile(ctx context.Context, p tenant.PersonID) (tenant.Profile, error) {
	row, err := one(ctx, x.q, scanProfile, sqlHoldProfile, p)
	return row, wrap(err, "hold", "person", string(p))
}

// UpdateProfile replaces what may change of a person.
func (x tx) UpdateProfile(ctx context.Context, p tenant.Profile) error {
	err := mustChange(ctx, x.q, sqlUpdateProfile, p.ID, p.Name, p.PasswordHash.Reveal(), p.Operator, p.Founder)
	return wrap(err, "update", "person", string(p.ID))
}

// sqlPrincipal reads all that a request rests on in one round trip.
const sqlPrincipal = `
SELECT l.login_id, l.created_at, l.seen_at, l.expires_at, l.address, l.agent,
  p.person_id, p.email, p.name, p.password_hash, p.operator, p.founder, p.created_at,
  (SELECT coalesce(json_agg(json_build_object('tenant', s.tenant_id, 'name', t.name, 'role', s.role, 'since', s.since) ORDER BY s.tenant_id), '[]')
   FROM seats s JOIN tenants t ON t.tenant_id = s.tenant_id AND t.status <> 'deleting' WHERE s.person_id = p.person_id),
  (SELECT coalesce(json_agg(json_build_object('tenant', v.tenant_id, 'reason', v.reason, 'since', v.since, 'until', v.until) ORDER BY v.tenant_id), '[]')
   FROM visits v JOIN tenants t ON t.tenant_id = v.tenant_id AND t.status <> 'deleting'
   WHERE v.person_id = p.person_id AND v.until > $2 AND p.operator)
FROM logins l JOIN people p ON p.person_id = l.person_id
WHERE l.hash = $1 AND l.expires_at > $2 AND l.seen_at > $3`

// Principal finds the login of a secret's hash and all that its person may do.
func (s *Store) Principal(ctx context.Context, hash []byte, at time.Time) (tenant.Principal, error) {
	row, err := one(ctx, s.pool, scanPrincipal, sqlPrincipal, hash, at, at.Add(-tenant.LoginIdle))
	row.Login.Hash = hash
	return row, wrap(err, "read", "login")
}

func scanPrincipal(row pgx.CollectableRow) (p tenant.Principal, err error) {
	l, who := &p.Login, &p.Profile
	// A seat's JSON has the tenant's name in the place of the person's.
	if err := row.Scan(&l.ID, &l.CreatedAt, &l.SeenAt, &l.ExpiresAt, &l.Address, &l.Agent,
		&who.ID, &who.Email, &who.Name, &who.PasswordHash, &who.Operator, &who.Founder, &who.CreatedAt, &p.Seats, &p.Visits); err != nil {
		return p, err
	}
	l.Person = who.ID
	for i := range p.Seats {
		seat := &p.Seats[i]
		seat.TenantName, seat.Person, seat.Email, seat.Name = seat.Name, who.ID, who.Email, who.Name
	}
	for i := range p.Visits {
		p.Visits[i].Person = who.ID
	}
	return p, nil
}

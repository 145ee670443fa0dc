package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlSeats = `
SELECT s.tenant_id, s.person_id, p.email, p.name, s.role, s.since
FROM seats s JOIN people p ON p.person_id = s.person_id
WHERE s.tenant_id = $1 ORDER BY p.email LIMIT 1000`

// SeatsIn lists the people who work for a tenant.
func (s *Store) SeatsIn(ctx context.Context, t tenant.TenantID) ([]tenant.Seat, error) {
	return seatsIn(ctx, s.pool, t)
}

// SeatsIn lists them in a transaction.
func (x tx) SeatsIn(ctx context.Context, t tenant.TenantID) ([]tenant.Seat, error) {
	return seatsIn(ctx, x.q, t)
}

func seatsIn(ctx context.Context, q querier, t tenant.TenantID) ([]tenant.Seat, error) {
	rows, err := list(ctx, q, scanSeat, sqlSeats, t)
	return rows, wrap(err, "list", "seats", string(t))
}

func scanSeat(row pgx.CollectableRow) (s tenant.Seat, err error) {
	err = row.Scan(&s.Tenant, &s.Person, &s.Email, &s.Name, &s.Role, &s.Since)
	return s, err
}

const sqlPutSeat = `
INSERT INTO seats (tenant_id, person_id, role, since) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, person_id) DO UPDATE SET role = excluded.role`

// PutSeat gives a person a role in a tenant.
func (x tx) PutSeat(ctx context.Context, s tenant.Seat) error {
	_, err := exec(ctx, x.q, sqlPutSeat, s.Tenant, s.Person, s.Role, s.Since)
	return wrap(err, "put", "seat", string(s.Tenant), string(s.Person))
}

const sqlDeleteSeat = `DELETE FROM seats WHERE tenant_id = $1 AND person_id = $2`

// DeleteSeat ends a person's work for a tenant.
func (x tx) DeleteSeat(ctx context.Context, t tenant.TenantID, p tenant.PersonID) error {
	return wrap(mustChange(ctx, x.q, sqlDeleteSeat, t, p), "delete", "seat", string(t), string(p))
}

const sqlVisits = `
SELECT person_id, tenant_id, reason, since, until FROM visits WHERE tenant_id = $1 AND until > $2 ORDER BY since`

// VisitsTo lists the operators who are in a tenant.
func (s *Store) VisitsTo(ctx context.Context, t tenant.TenantID, at time.Time) ([]tenant.Visit, error) {
	rows, err := list(ctx, s.pool, scanVisit, sqlVisits, t, at)
	return rows, wrap(err, "list", "visits", string(t))
}

func scanVisit(row pgx.CollectableRow) (v tenant.Visit, err error) {
	err = row.Scan(&v.Person, &v.Tenant, &v.Reason, &v.Since, &v.Until)
	return v, err
}

const (
	sqlPutVisit = `
INSERT INTO visits (person_id, tenant_id, reason, since, until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (person_id, tenant_id) DO UPDATE SET reason = excluded.reason, since = excluded.since, until = excluded.until`

	sqlDeleteVisit = `DELETE FROM visits WHERE person_id = $1 AND tenant_id = $2`
)

// PutVisit begins an operator's visit.
func (x tx) PutVisit(ctx context.Context, v tenant.Visit) error {
	_, err := exec(ctx, x.q, sqlPutVisit, v.Person, v.Tenant, v.Reason, v.Since, v.Until)
	return wrap(err, "put", "visit", string(v.Tenant), string(v.Person))
}

// DeleteVisit ends it; one that is over is no error.
func (x tx) DeleteVisit(ctx context.Context, p tenant.PersonID, t tenant.TenantID) error {
	_, err := exec(ctx, x.q, sqlDeleteVisit, p, t)
	return wrap(err, "delete", "visit", string(t), string(p))
}

package pgstore

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlRefusals = `
SELECT refusal_id, tenant_id, at, user_id, method, address, code, reason
FROM refusals
WHERE tenant_id = $1 AND (at, refusal_id) < ($2, $3)
  AND at >= coalesce((SELECT created_at FROM tenants WHERE tenant_id = $1), '-infinity')
  AND (user_id ILIKE $4 OR address ILIKE $4 OR code ILIKE $4)
ORDER BY at DESC, refusal_id DESC LIMIT $5`

// Refusals lists the connections of a tenant that were not let in, newest first.
func (s *Store) Refusals(ctx context.Context, t tenant.TenantID, p tenant.Page) ([]tenant.Refusal, error) {
	from, err := parsePlace(p.After)
	if err != nil {
		return nil, err
	}
	rows, err := list(ctx, s.pool, scanRefusal, sqlRefusals, t, from.at, from.id, pattern(p), limit(p))
	return rows, wrap(err, "list", "refusals", string(t), p.After)
}

func scanRefusal(row pgx.CollectableRow) (r tenant.Refusal, err error) {
	var p place
	err = row.Scan(&p.id, &r.Tenant, &p.at, &r.User, &r.Method, &r.Address, &r.Code, &r.Reason)
	r.At, r.Cursor = p.at.Time.UTC(), p.String()
	return r, err
}

// A tenant that does not exist becomes ”: who makes up names fills one bounded list, not many.
const sqlInsertRefusals = `
INSERT INTO refusals (tenant_id, at, user_id, method, address, code, reason)
SELECT coalesce(t.tenant_id, ''), r.at, r.user_id, r.method, r.address, r.code, r.reason
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
  AS r (tenant_id, at, user_id, method, address, code, reason)
LEFT JOIN tenants t ON t.tenant_id = r.tenant_id
RETURNING tenant_id`

// insertRefusals writes a batch and returns the tenant of each row.
func (s *Store) insertRefusals(ctx context.Context, batch []tenant.Refusal) ([]tenant.TenantID, error) {
	n := len(batch)
	tenants, at, users, methods := make([]string, n), make([]time.Time, n), make([]string, n), make([]string, n)
	addresses, codes, reasons := make([]string, n), make([]string, n), make([]string, n)
	for i, r := range batch {
		tenants[i], at[i], users[i], methods[i] = clean(string(r.Tenant)), r.At, clean(r.User), clean(string(r.Method))
		addresses[i], codes[i], reasons[i] = clean(r.Address), clean(r.Code), clean(r.Reason)
	}
	rows, err := list(ctx, s.pool, pgx.RowTo[tenant.TenantID], sqlInsertRefusals, tenants, at, users, methods, addresses, codes, reasons)
	return rows, wrap(err, "insert", "refusals")
}

// maxRefusalText is the longest text of a refusal in bytes; what a client said is cut there.
const maxRefusalText = 500

// clean makes text of what a client sent: one bad byte would lose the whole batch.
func clean(s string) string {
	s = strings.ReplaceAll(s[:min(len(s), maxRefusalText)], "\x00", "")
	return strings.ToValidUTF8(s, "\uFFFD")
}

const (
	refusalsKept = 10_000 // of each tenant
	refusalAge   = 30 * 24 * time.Hour
)

const (
	sqlPruneRefusals = `
DELETE FROM refusals WHERE tenant_id = $1 AND (at, refusal_id) <= (
  SELECT at, refusal_id FROM refusals WHERE tenant_id = $1
  ORDER BY at DESC, refusal_id DESC OFFSET $2 LIMIT 1)`

	sqlPruneOldRefusals = `DELETE FROM refusals WHERE at < $1`
)

// pruneRefusals keeps the newest refusals of a tenant.
func (s *Store) pruneRefusals(ctx context.Context, t tenant.TenantID) error {
	_, err := exec(ctx, s.pool, sqlPruneRefusals, t, refusalsKept)
	return wrap(err, "prune", "refusals", string(t))
}

// pruneOldRefusals removes what is too old, of all tenants.
func (s *Store) pruneOldRefusals(ctx context.Context) error {
	_, err := exec(ctx, s.pool, sqlPruneOldRefusals, now().Add(-refusalAge))
	return wrap(err, "prune", "refusals")
}

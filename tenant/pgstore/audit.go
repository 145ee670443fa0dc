package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// The trail outlives its tenant, and the id may be given again: who has it now sees nothing from before him.
const sqlAudit = `
SELECT audit_id, tenant_id, at, actor, action, object, before, after
FROM audit
WHERE tenant_id = $1 AND (at, audit_id) < ($2, $3)
  AND at >= coalesce((SELECT created_at FROM tenants WHERE tenant_id = $1), '-infinity')
  AND (actor ILIKE $4 OR action ILIKE $4 OR object ILIKE $4)
ORDER BY at DESC, audit_id DESC LIMIT $5`

// AuditTrail lists who changed what, newest first.
func (s *Store) AuditTrail(ctx context.Context, t tenant.TenantID, p tenant.Page) ([]tenant.AuditEntry, error) {
	from, err := parsePlace(p.After)
	if err != nil {
		return nil, err
	}
	rows, err := list(ctx, s.pool, scanAudit, sqlAudit, t, from.at, from.id, pattern(p), limit(p))
	return rows, wrap(err, "list", "audit trail", string(t), p.After)
}

const sqlInsertAudit = `
INSERT INTO audit (tenant_id, at, actor, action, object, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7)`

// Audit adds an entry to the trail.
func (x tx) Audit(ctx context.Context, e tenant.AuditEntry) error {
	_, err := exec(ctx, x.q, sqlInsertAudit, e.Tenant, e.At, e.Actor, e.Action, e.Object, e.Before, e.After)
	return wrap(err, "insert", "audit entry", string(e.Tenant), e.Action)
}

func scanAudit(row pgx.CollectableRow) (e tenant.AuditEntry, err error) {
	var p place
	err = row.Scan(&p.id, &e.Tenant, &p.at, &e.Actor, &e.Action, &e.Object, &e.Before, &e.After)
	e.At, e.Cursor = p.at.Time.UTC(), p.String()
	return e, err
}

// now is a time that Postgres can keep, for what the store itself notes.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

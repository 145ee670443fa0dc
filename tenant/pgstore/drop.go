package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// dropPatience is how long a step of a drop may take where the caller has set no deadline:
// all rows that hang on a tenant go in one statement.
const dropPatience = time.Minute

const (
	sqlTenantStatus = `SELECT status FROM tenants WHERE tenant_id = $1`

	sqlDropMessages = `
DELETE FROM messages WHERE ctid = ANY (ARRAY(
  SELECT m.ctid FROM rooms r JOIN messages m ON m.room_pk = r.room_pk WHERE r.tenant_id = $1 LIMIT 10000))`

	sqlDropTenant = `DELETE FROM tenants WHERE tenant_id = $1 AND status = 'deleting'`

	sqlDropRefusals = `DELETE FROM refusals WHERE tenant_id = $1`
)

// DropTenant removes the records of a tenant that is deleting, but for the audit trail.
// One that is gone already is no error; one that isn't deleting is ErrConflict.
func (s *Store) DropTenant(ctx context.Context, t tenant.TenantID) error {
	status, err := one(ctx, s.pool, pgx.RowTo[tenant.Status], sqlTenantStatus, t)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return wrap(err, "read", "tenant", string(t))
	case status != tenant.Deleting:
		return tenant.Errorf(tenant.CodeConflict, "the tenant is %s; delete it first", status)
	}
	if err := s.dropMessages(ctx, t); err != nil {
		return err
	}
	return s.dropTenant(ctx, t)
}

// dropMessages goes ahead in pieces, so that a history of any length goes within a job's
// time or is gone in part when it runs again.
func (s *Store) dropMessages(ctx context.Context, t tenant.TenantID) error {
	for {
		n, err := exec(ctx, s.pool, sqlDropMessages, t)
		if err != nil || n == 0 {
			return wrap(err, "drop messages of", "tenant", string(t))
		}
	}
}

func (s *Store) dropTenant(ctx context.Context, t tenant.TenantID) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, dropPatience)
		defer cancel()
	}
	return s.inTx(ctx, string(t), func(x tx) error {
		n, err := exec(ctx, x.q, sqlDropTenant, t)
		if err != nil || n == 0 { // another job was faster
			return wrap(err, "drop", "tenant", string(t))
		}
		if _, err := exec(ctx, x.q, sqlDropRefusals, t); err != nil {
			return wrap(err, "drop refusals of", "tenant", string(t))
		}
		return x.Audit(ctx, tenant.AuditEntry{
			At: now(), Tenant: t, Actor: "system", Action: "tenant.dropped", Object: "tenant:" + string(t),
		})
	})
}

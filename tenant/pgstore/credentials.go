package pgstore

import (
	"context"

	"parley/tenant"
)

const sqlInsertCredential = `
INSERT INTO credentials (nkey, tenant_id, user_id, issued_at) VALUES ($1, $2, $3, $4)`

// InsertCredential notes a credential that is about to be handed out.
func (x tx) InsertCredential(ctx context.Context, c tenant.Credential) error {
	_, err := exec(ctx, x.q, sqlInsertCredential, c.NKey, c.Tenant, c.User, c.IssuedAt)
	return wrap(err, "insert", "credential", string(c.Tenant), string(c.User), c.NKey)
}

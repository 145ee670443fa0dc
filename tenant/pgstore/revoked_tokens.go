package pgstore

import (
	"context"
	"time"

	"parley/tenant"
)

// Those that no longer matter go with each that comes.
const sqlRevokeToken = `
WITH over AS (
  DELETE FROM revoked_tokens WHERE tenant_id = $1 AND until < $4 AND (user_id, token_id) <> ($2, $3)
)
INSERT INTO revoked_tokens (tenant_id, user_id, token_id, until) VALUES ($1, $2, $3, $5)
ON CONFLICT (tenant_id, user_id, token_id) DO UPDATE SET until = EXCLUDED.until`

// RevokeToken keeps a token out until the given time.
func (x tx) RevokeToken(ctx context.Context, t tenant.TenantID, u tenant.UserID, token string, now, until time.Time) error {
	_, err := exec(ctx, x.q, sqlRevokeToken, t, u, token, now, until)
	return wrap(err, "revoke", "token", string(t), string(u), token)
}

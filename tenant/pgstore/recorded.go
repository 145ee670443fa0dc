package pgstore

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// recordedActions take something away that lets somebody in, or give it back.
var recordedActions = []string{
	"user.revoke", "user.restore", "user.delete", "creds.revoke", "token.revoke", "key.remove", "tenant.update", "tenant.delete",
}

const (
	// Entries are committed in another order than they are numbered: who asks for what is new begins a little before.
	sqlRecorded = `
SELECT audit_id, at, tenant_id, action, object, after FROM audit
WHERE audit_id > $1 AND action = ANY($2) ORDER BY audit_id LIMIT $3`
	sqlLastRecorded = `SELECT coalesce(max(audit_id), 0) FROM audit WHERE action = ANY($1)`

	sqlForgotten = `
SELECT x.n FROM unnest($1::bigint[], $2::timestamptz[]) WITH ORDINALITY AS x (id, at, n)
WHERE NOT EXISTS (SELECT FROM audit a WHERE a.audit_id = x.id AND a.at = x.at)
  AND NOT EXISTS (SELECT FROM replayed_revocations r WHERE r.audit_id = x.id AND r.at = x.at)
ORDER BY x.n`
	sqlInsertReplayed = `
INSERT INTO replayed_revocations (audit_id, at, tenant_id, action, object, replayed_at) VALUES ($1, $2, $3, $4, $5, $6)`

	// Who was deleted is only shut out, and a tenant suspended: what else goes with them is for people to decide again.
	sqlReplayUser   = `UPDATE users SET status = 'revoked', reason = 'revoked before the database was restored' WHERE tenant_id = $1 AND user_id = $2 AND status = 'active'`
	sqlReplayCreds  = `UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND nkey = $2 AND revoked_at IS NULL`
	sqlReplayKey    = `UPDATE keys SET removed_at = $3 WHERE tenant_id = $1 AND key_id = $2 AND removed_at IS NULL`
	sqlReplayTenant = `UPDATE tenants SET status = 'suspended' WHERE tenant_id = $1 AND status = 'active'`
	sqlReplayToken  = `
INSERT INTO revoked_tokens (tenant_id, user_id, token_id, until)
SELECT tenant_id, $2, $3, $4::timestamptz FROM tenants WHERE tenant_id = $1 ON CONFLICT DO NOTHING`
	// Sessions of people that had ended would be good again.
	sqlEndLogins = `DELETE FROM logins`
)

// Recorded lists entries of the trail that revoke or give back, from behind an id on.
func (s *Store) Recorded(ctx context.Context, after int64, limit int) ([]tenant.Recorded, error) {
	rows, err := list(ctx, s.pool, scanRecorded, sqlRecorded, after, recordedActions, limit)
	return rows, wrap(err, "list", "revocations")
}

// LastRecorded is the greatest id that Recorded could list; 0: there is none.
func (s *Store) LastRecorded(ctx context.Context) (int64, error) {
	id, err := one(ctx, s.pool, pgx.RowTo[int64], sqlLastRecorded, recordedActions)
	return id, wrap(err, "find", "last revocation")
}

func scanRecorded(row pgx.CollectableRow) (r tenant.Recorded, err error) {
	err = row.Scan(&r.ID, &r.At, &r.Tenant, &r.Action, &r.Object, &r.After)
	r.At = r.At.UTC()
	return r, err
}

// Replay carries out again what of the recorded entries the database has forgotten, in one transaction, and returns
// how many it had forgotten. Nothing is given back: of what was given back later the database has the older state.
func (s *Store) Replay(ctx context.Context, all []tenant.Recorded) (forgotten int, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(q pgx.Tx) error {
		ids, times := make([]int64, len(all)), make([]time.Time, len(all))
		for i, r := range all {
			ids[i], times[i] = r.ID, r.At
		}
		missing, err := list(ctx, q, pgx.RowTo[int64], sqlForgotten, ids, times)
		if err != nil || len(missing) == 0 {
			return err
		}
		forgotten = len(missing)
		last := map[string]int64{} // by object; what was given back is not taken away again
		for _, n := range missing {
			last[objectOf(all[n-1])] = n
		}
		at := now()
		for _, n := range missing {
			if err := replay(ctx, q, all[n-1], last[objectOf(all[n-1])] == n, at); err != nil {
				return err
			}
		}
		_, err = exec(ctx, q, sqlEndLogins)
		return err
	})
	return forgotten, wrap(err, "replay", "revocations")
}

// objectOf is what an entry is about: one token and one credential each, where the trail names their user.
func objectOf(r tenant.Recorded) string {
	key := string(r.Tenant) + " " + r.Object
	if r.Action == "creds.revoke" || r.Action == "token.revoke" {
		key += " " + string(r.After)
	}
	return key
}

func replay(ctx context.Context, q pgx.Tx, r tenant.Recorded, last bool, at time.Time) error {
	var done int64
	var err error
	var after struct {
		NKey   string        `json:"nkey"`
		Token  string        `json:"token_id"`
		Status tenant.Status `json:"status"`
	}
	if len(r.After) > 0 {
		if err := json.Unmarshal(r.After, &after); err != nil {
			return err
		}
	}
	_, id, _ := strings.Cut(r.Object, ":")
	switch {
	case !last:
	case r.Action == "user.revoke", r.Action == "user.delete":
		done, err = exec(ctx, q, sqlReplayUser, r.Tenant, id)
	case r.Action == "creds.revoke":
		done, err = exec(ctx, q, sqlReplayCreds, r.Tenant, after.NKey, r.At)
	case r.Action == "token.revoke":
		done, err = exec(ctx, q, sqlReplayToken, r.Tenant, id, after.Token, r.At.Add(2*tenant.MaxTokenLife))
	case r.Action == "key.remove":
		if done, err = exec(ctx, q, sqlReplayKey, r.Tenant, id, r.At); err == nil {
			_, err = exec(ctx, q, sqlRevokeCredentialsOf, r.Tenant, id, r.At)
		}
	case r.Action == "tenant.delete", r.Action == "tenant.update" && after.Status == tenant.Suspended:
		done, err = exec(ctx, q, sqlReplayTenant, r.Tenant)
	}
	if err != nil {
		return err
	}
	if done > 0 {
		text, err := json.Marshal(map[string]time.Time{"first": r.At})
		if err != nil {
			return err
		}
		if _, err := exec(ctx, q, sqlInsertAudit, r.Tenant, at, "system", r.Action+".again", r.Object, nil, text); err != nil {
			return err
		}
	}
	_, err = exec(ctx, q, sqlInsertReplayed, r.ID, r.At, r.Tenant, r.Action, r.Object, at)
	return err
}

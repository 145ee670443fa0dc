package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/jwt/v2"

	"parley/tenant"
)

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// row is one of the table accounts.
type row struct {
	Account   string
	Name      string // of the operator and its accounts
	Tenant    tenant.TenantID
	JWT       string
	Content   []byte
	IAT       int64
	PushedIAT int64
}

const rowColumns = `a.account, coalesce(a.name, ''), coalesce(a.tenant_id, ''), a.jwt, a.content, a.iat, a.pushed_iat`

const (
	selectRow       = `SELECT ` + rowColumns + ` FROM accounts a WHERE a.account = $1`
	lockRow         = `SELECT ` + rowColumns + ` FROM accounts a WHERE a.account = $1 FOR UPDATE`
	selectTenantRow = `SELECT ` + rowColumns + ` FROM accounts a WHERE a.tenant_id = $1`
	// A tenant that is being deleted is no longer to be had anywhere.
	selectSystemRows = `SELECT ` + rowColumns + ` FROM accounts a WHERE a.name <> 'OPERATOR' ORDER BY a.account`
	selectTenantRows = `
SELECT ` + rowColumns + ` FROM accounts a JOIN tenants t ON t.tenant_id = a.tenant_id
WHERE t.status <> 'deleting' AND a.account > $1 ORDER BY a.account LIMIT $2`
)

func queryRows(ctx context.Context, q querier, sql string, args ...any) ([]row, error) {
	found, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(r pgx.CollectableRow) (a row, err error) {
		err = r.Scan(&a.Account, &a.Name, &a.Tenant, &a.JWT, &a.Content, &a.IAT, &a.PushedIAT)
		return a, err
	})
}

// oneRow is ErrNotFound where there is none.
func oneRow(ctx context.Context, q querier, sql, key string) (row, error) {
	rows, err := queryRows(ctx, q, sql, key)
	if err != nil {
		return row{}, err
	}
	if len(rows) == 0 {
		return row{}, tenant.NotFound("account")
	}
	return rows[0], nil
}

const selectFacts = `
SELECT t.tenant_id, t.account, t.limits, t.status,
  array(SELECT k.key_id FROM account_keys k WHERE k.account = t.account AND k.purpose = 'signing' ORDER BY k.key_id),
  coalesce((SELECT jsonb_agg(to_jsonb(c) ORDER BY why = 'blocked', at DESC, room, "user") FROM (
    (SELECT class, kind, room_id AS room, address, '' AS "user", state AS why, changed_at AS at FROM rooms
    WHERE tenant_id = t.tenant_id AND state <> 'active' ORDER BY changed_at DESC, room_id LIMIT $2)
    UNION ALL
    (SELECT coalesce(r.class, ''), coalesce(r.kind, ''), m.room_id, coalesce(r.address, ''), m.user_id, m.why, m.since
    FROM mutes m LEFT JOIN tenant_rooms r ON r.viewer = m.tenant_id AND r.id = m.room_id
    WHERE m.tenant_id = t.tenant_id AND (m.room_id = '' OR r.state = 'active') ORDER BY m.since DESC, m.room_id, m.user_id LIMIT $2)
    UNION ALL
    (SELECT coalesce(r.class, ''), coalesce(r.kind, ''), m.room_id, '', u.nkey, m.why, m.since
    FROM mutes m JOIN users u USING (tenant_id, user_id) LEFT JOIN rooms r USING (tenant_id, room_id)
    WHERE scoped.keys <> '[]' AND m.tenant_id = t.tenant_id AND u.nkey <> '' AND (m.room_id = '' OR r.state = 'active' AND r.kind <> 'shared')
    ORDER BY m.since DESC, m.room_id, u.nkey LIMIT $2)
    UNION ALL
    (SELECT r.class, r.kind, r.room_id, '', u.nkey, 'banned', m.joined_at
    FROM members m JOIN rooms r USING (room_pk, tenant_id) JOIN users u USING (tenant_id, user_id)
    WHERE scoped.keys <> '[]' AND m.tenant_id = t.tenant_id AND m.state = 'banned' AND r.kind IN ('open', 'announce') AND r.state = 'active' AND u.nkey <> ''
    ORDER BY m.joined_at DESC, r.room_id, u.nkey LIMIT $2)
    UNION ALL
    (SELECT '*', 'direct', least(user_id, blocked_id) || '.' || greatest(user_id, blocked_id), '', '', 'blocked', since
    FROM blocks WHERE tenant_id = t.tenant_id ORDER BY since DESC LIMIT $2)) c), '[]'),
  scoped.keys, revoked.nkeys,
  CASE WHEN revoked.all_before IS NULL THEN 0 ELSE extract(epoch FROM least(revoked.all_before,
    (SELECT min(c.issued_at) - interval '2 seconds' FROM credentials c JOIN users u USING (tenant_id, user_id)
    WHERE c.tenant_id = t.tenant_id AND c.kind <> 'creds' AND c.revoked_at IS NULL AND u.status = 'active')))::bigint END,
  coalesce((SELECT jsonb_agg(to_jsonb(s) ORDER BY s.address) FROM (
    SELECT address, extract(epoch FROM created_at)::bigint AS since FROM rooms
    WHERE tenant_id = t.tenant_id AND kind = 'shared' AND state <> 'deleted'
    UNION ALL
    SELECT r.address, extract(epoch FROM s.accepted_at)::bigint FROM shares s JOIN rooms r ON r.room_pk = s.room_pk
    WHERE s.guest = t.tenant_id AND s.status = 'accepted' AND r.state <> 'deleted') s), '[]'),
  coalesce((SELECT jsonb_agg(jsonb_build_object('share', s.share_id, 'service', s.service, 'host', s.host, 'since', extract(epoch FROM s.accepted_at)::bigint,
      'key', jsonb_build_object('Account', k.account, 'KeyID', k.key_id, 'Purpose', k.purpose, 'Sealed', encode(k.sealed, 'base64'), 'Version', k.key_version))
      ORDER BY s.share_id)
    FROM shares s JOIN tenants h ON h.tenant_id = s.host
    CROSS JOIN LATERAL (SELECT * FROM account_keys k WHERE k.account = h.account AND k.purpose = 'signing' ORDER BY k.created_at DESC, k.key_id LIMIT 1) k
    WHERE s.guest = t.tenant_id AND s.status = 'accepted' AND s.service <> ''), '[]')
FROM tenants t
CROSS JOIN LATERAL (SELECT coalesce(jsonb_agg(jsonb_build_object('key', k.details->>'public_key', 'role', k.details->>'role') ORDER BY k.key_id), '[]') AS keys
  FROM keys k WHERE k.tenant_id = t.tenant_id AND k.kind = 'nats-scoped' AND k.removed_at IS NULL) scoped
CROSS JOIN LATERAL (SELECT
    coalesce(array_agg(nkey ORDER BY nkey) FILTER (WHERE n <= $4), '{}') AS nkeys, max(at) FILTER (WHERE n > $4) AS all_before
  FROM (SELECT nkey, max(at) AS at, row_number() OVER (ORDER BY max(at) DESC, nkey) AS n FROM (
    SELECT c.nkey, coalesce(c.revoked_at, u.status_since) AS at FROM credentials c JOIN users u USING (tenant_id, user_id)
    WHERE c.tenant_id = t.tenant_id AND c.kind <> 'creds' AND (c.revoked_at IS NOT NULL OR u.status <> 'active')
    UNION ALL
    SELECT u.nkey, u.status_since FROM users u WHERE scoped.keys <> '[]' AND u.tenant_id = t.tenant_id AND u.nkey <> '' AND u.status <> 'active'
    UNION ALL
    (SELECT l.nkey, l.lost_at FROM lost_nkeys l WHERE scoped.keys <> '[]' AND l.tenant_id = t.tenant_id
      AND NOT EXISTS (SELECT FROM users u WHERE u.nkey = l.nkey AND u.tenant_id = t.tenant_id)
    ORDER BY l.lost_at DESC, l.nkey LIMIT $3)) every GROUP BY nkey) newest) revoked
WHERE t.tenant_id = ANY($1)`

// maxLost is how many nkeys that users lost stand in the claims of a tenant with scoped keys, the newest. What
// comes with an older one is closed when it has come.
const maxLost = 1000

// maxRevoked is how many nkeys the claims of a tenant revoke one by one, the newest: three times as many would be all
// that an account JWT holds. The JWTs of the others are shut out by their age, as far as that touches no credentials of
// backends that are good; what that leaves is closed when it has come.
const maxRevoked = 3000

// readFacts reads what the claims of tenants depend on.
func readFacts(ctx context.Context, q querier, ids []tenant.TenantID) (map[tenant.TenantID]tenantFacts, error) {
	found, err := q.Query(ctx, selectFacts, ids, maxClosed, maxLost, maxRevoked)
	if err != nil {
		return nil, fmt.Errorf("read facts of tenants: %w", err)
	}
	facts := make(map[tenant.TenantID]tenantFacts, len(ids))
	var f tenantFacts
	_, err = pgx.ForEachRow(found, []any{&f.Tenant, &f.Account, &f.Limits, &f.Status, &f.Signing, &f.Closed, &f.Scoped, &f.Revoked, &f.RevokedBefore, &f.Shared, &f.Asked}, func() error {
		facts[f.Tenant] = f
		f = tenantFacts{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read facts of tenants: %w", err)
	}
	return facts, nil
}

var errDeleting = errors.New("the tenant is being deleted")

// wanted are the claims that the database asks for.
func (s *System) wanted(ctx context.Context, q querier, r row) (*jwt.AccountClaims, error) {
	var facts map[tenant.TenantID]tenantFacts
	if r.Tenant != "" {
		var err error
		if facts, err = readFacts(ctx, q, []tenant.TenantID{r.Tenant}); err != nil {
			return nil, err
		}
	}
	return s.claimsOf(r, facts)
}

// claimsOf are the claims that the facts ask for.
func (s *System) claimsOf(r row, facts map[tenant.TenantID]tenantFacts) (*jwt.AccountClaims, error) {
	switch r.Name {
	case nameSYS:
		return sysClaims(s.facts), nil
	case nameAUTH:
		return authClaims(s.facts), nil
	case namePARLEY:
		return parleyClaims(s.facts), nil
	}
	f, ok := facts[r.Tenant]
	if !ok || f.Status == tenant.Deleting {
		return nil, fmt.Errorf("claims of %s: %w", r.Account, errDeleting)
	}
	c := tenantClaims(f, s.facts.parley.id)
	if err := importShared(c, s.facts.parley.id, s.parleySigner, f.Shared); err != nil {
		return nil, err
	}
	return c, importServices(c, f.Tenant, s.keys.Signer, f.Asked)
}

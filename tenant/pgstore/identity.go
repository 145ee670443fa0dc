package pgstore

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// sqlIdentity reads what one decision rests on, in one round trip: a connection waits for it.
// $1 tenant, $2 user, $3 id of the token's key, $4 nkey of the credential, $5 named rooms or
// null, $6 most rooms, $7 nkey of the user; of a foreign token: $8 whether it is one, $9 the user's
// external id, $10 issuer and $11 audience of an ID token, $12 the names of its claims that may
// name the user, with $13 the user's id or else $14 his external id; $15 id of the token;
// $16 ids of the issuers of a client certificate, with $12 to $14 as of an ID token.
//
// The memberships are sorted by their rooms' activity before the rooms themselves are read,
// so that a member of thousands costs an index-only scan and a sort, and some 50 rooms
// instead of all: each OFFSET 0 keeps the planner from merging the step into the next.
// (SELECT $5) hides from it whether rooms are named: one plan does for all claims, where
// planning took three times as long as running it.
const sqlIdentity = `
SELECT t.tenant_id, t.account, t.status, t.limits, c.revoked_at IS NOT NULL,
  coalesce(u.user_id, ''), coalesce(u.kind, ''), coalesce(u.name, ''), coalesce(u.external_id, ''), coalesce(u.status, ''),
  coalesce(u.reason, ''), coalesce(u.password_hash, ''), coalesce(u.nkey, ''), coalesce(u.created_at, t.created_at),
  coalesce(u.tokens_from, u.created_at, t.created_at),
  CASE WHEN (t.limits->>'connections_per_user')::bigint > 0
    THEN (SELECT count(*) FROM sessions x WHERE x.account = t.account AND x.user_id = u.user_id) ELSE 0 END,
  coalesce(s.key_id, ''), s.sealed, coalesce(s.key_version, 0), k.key_id IS NOT NULL, signers.list,
  $15 <> '' AND EXISTS (SELECT FROM revoked_tokens v WHERE v.tenant_id = t.tenant_id AND v.user_id = u.user_id AND v.token_id = $15),
  restricted.yes, rooms.list
FROM (VALUES (0)) claim
LEFT JOIN credentials c ON c.nkey = $4 AND c.kind = 'creds' AND $1 IN ('', c.tenant_id) AND $2 IN ('', c.user_id)
LEFT JOIN users n ON n.nkey = $7 AND n.nkey <> ''
LEFT JOIN LATERAL (
  SELECT key_id, tenant_id, details->>'user_claim' AS user_claim FROM keys
  WHERE $10 <> '' AND kind = 'oidc' AND details->>'issuer' = $10 AND details->>'client_id' = $11
  ORDER BY removed_at DESC NULLS FIRST LIMIT 1
) o ON true
LEFT JOIN LATERAL (
  SELECT key_id, tenant_id, details->>'user_field' AS user_claim FROM keys
  WHERE kind = 'tls-ca' AND (details->>'ca' = ANY($16::text[]) OR details->>'ca_name' = ANY($16))
  ORDER BY removed_at DESC NULLS FIRST, array_position($16, details->>'ca'), created_at LIMIT 1
) a ON true
LEFT JOIN LATERAL (
  SELECT x.user_id, x.external_id FROM unnest($12::text[], $13::text[], $14::text[]) x (claim, user_id, external_id)
  WHERE x.claim = coalesce(o.user_claim, a.user_claim)
) named ON true
CROSS JOIN LATERAL (
  SELECT CASE WHEN $4 <> '' THEN c.tenant_id WHEN $7 <> '' THEN n.tenant_id WHEN $10 <> '' THEN o.tenant_id
      WHEN a.key_id IS NOT NULL THEN a.tenant_id ELSE $1 END AS tenant_id,
    CASE WHEN $4 <> '' THEN c.user_id WHEN $7 <> '' THEN n.user_id WHEN $10 <> '' OR a.key_id IS NOT NULL THEN named.user_id
      ELSE $2 END AS user_id,
    coalesce(named.external_id, $9) AS external_id
) who
JOIN tenants t ON t.tenant_id = who.tenant_id AND t.status <> 'deleting'
LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.status <> 'deleted' AND u.user_id = CASE
  WHEN who.external_id = '' THEN who.user_id
  ELSE (SELECT e.user_id FROM users e WHERE e.tenant_id = t.tenant_id AND e.external_id = who.external_id
    AND e.external_id <> '' AND e.status <> 'deleted')
  END
LEFT JOIN LATERAL (
  SELECT key_id, sealed, key_version FROM account_keys
  WHERE account = t.account AND purpose = 'signing' ORDER BY created_at DESC, key_id LIMIT 1
) s ON true
LEFT JOIN account_keys k ON k.key_id = $3 AND k.account = t.account AND k.purpose = 'token'
CROSS JOIN LATERAL (
  SELECT json_agg(json_build_object('id', f.key_id, 'kind', f.kind, 'name', f.name, 'details', f.details,
    'created_at', f.created_at, 'last_used_at', f.last_used_at, 'removed_at', f.removed_at)) AS list
  FROM keys f
  WHERE ($8 OR a.key_id IS NOT NULL) AND f.tenant_id = t.tenant_id AND CASE
    WHEN a.key_id IS NOT NULL THEN f.key_id = a.key_id
    WHEN $10 <> '' THEN f.key_id = o.key_id
    ELSE f.key_id = $3 AND f.kind = 'user-token' OR f.kind = 'jwks' AND f.removed_at IS NULL
    END
) signers
CROSS JOIN LATERAL (
  SELECT EXISTS (
    SELECT FROM standings m JOIN rooms r ON r.room_pk = m.room_pk AND r.tenant_id = m.tenant_id
    WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id AND (m.state = 'banned' OR m.role = 'reader')
      AND r.state <> 'deleted'
      AND (m.state = 'banned' AND r.kind IN ('open', 'announce') OR m.state = 'joined' AND r.kind = 'open')
  ) AS yes
  OFFSET 0
) restricted
CROSS JOIN LATERAL (
  SELECT coalesce(json_agg(json_build_object('room', l.room_id, 'address', l.address, 'kind', l.kind,
    'class', l.class, 'role', l.role, 'state', l.state)), '[]') AS list
  FROM (
    SELECT CASE WHEN r.tenant_id = t.tenant_id THEN r.room_id ELSE r.address END AS room_id, r.address, r.kind, CASE WHEN r.kind = 'shared' THEN 'std' ELSE r.class END AS class, m.role, m.state
    FROM (
      SELECT a.room_pk, a.role, a.state, a.state = 'banned' AS banned, a.joined_at, h.last_at
      FROM (
        SELECT room_pk, role, state, joined_at FROM standings
        WHERE tenant_id = u.tenant_id AND user_id = u.user_id AND (SELECT $5::text[] IS NULL)
        UNION ALL
        SELECT m.room_pk, m.role, m.state, m.joined_at
        FROM (SELECT DISTINCT n.room_id FROM unnest((SELECT $5::text[])) n (room_id)) named
        CROSS JOIN LATERAL (
          SELECT room_pk FROM rooms WHERE tenant_id = u.tenant_id AND room_id = named.room_id
          UNION ALL
          SELECT room_pk FROM rooms WHERE address = named.room_id AND address <> '' AND tenant_id <> u.tenant_id
        ) r
        CROSS JOIN LATERAL (
          SELECT room_pk, role, state, joined_at FROM standings
          WHERE tenant_id = u.tenant_id AND user_id = u.user_id AND room_pk = r.room_pk OFFSET 0
        ) m
      ) a
      LEFT JOIN room_heads h ON h.room_pk = a.room_pk
      WHERE a.state <> 'invited'
      ORDER BY banned, h.last_at DESC NULLS LAST, a.joined_at DESC, a.room_pk
      OFFSET 0
    ) m
    JOIN rooms r ON r.room_pk = m.room_pk AND (r.tenant_id = t.tenant_id OR r.kind = 'shared') AND r.state <> 'deleted'
    WHERE m.state = 'joined' AND (r.kind IN ('private', 'shared') OR r.kind = 'announce' AND m.role <> 'reader')
      OR restricted.yes AND r.kind IN ('open', 'announce')
    ORDER BY m.banned, m.last_at DESC NULLS LAST, m.joined_at DESC, m.room_pk
    LIMIT $6
  ) l
) rooms`

// Identity reads all that the callout's decision on a claim rests on. An unknown or deleting
// tenant and an unknown credential or nkey are ErrNotFound; an unknown or deleted user is an
// Identity without one. Of a credential that names its tenant and user, both must agree.
// An ID token whose issuer and audience no tenant has is ErrNotFound too.
// The rooms come latest active first, and those that the user is banned from behind all others.
func (s *Store) Identity(ctx context.Context, c tenant.Claim) (tenant.Identity, error) {
	key, isKey := tokenKey(c.TokenID)
	if !isKey && !c.Foreign {
		c.TokenID = ""
	}
	named := c.IDToken.Names
	if len(c.Certificate.Issuers) > 0 {
		named = c.Certificate.Names
	}
	claims, ids, externals := names(named)
	row, err := one(ctx, s.pool, scanIdentity, sqlIdentity, c.Tenant, c.User, c.TokenID, c.Creds, c.Rooms, tenant.MaxListedRooms, c.NKey,
		c.Foreign, c.External, c.IDToken.Issuer, c.IDToken.Audience, claims, ids, externals, c.Token, c.Certificate.Issuers)
	if err != nil {
		return tenant.Identity{}, wrap(err, "read the identity in", "tenant", string(c.Tenant), string(c.User))
	}
	if row.tokenKnown {
		row.TokenKey = key
	}
	return row.Identity, nil
}

// names are the columns of the claims that may name the user; all nil where there are none.
func names(of map[string]tenant.Handle) (claims, ids, externals []string) {
	for claim, h := range of {
		claims, ids, externals = append(claims, claim), append(ids, string(h.ID)), append(externals, h.External)
	}
	return claims, ids, externals
}

// tokenKey decodes the id of a token's key, which is the key itself. The id comes from a
// client: what is no key never reaches the query.
func tokenKey(id string) (ed25519.PublicKey, bool) {
	key, err := base64.RawURLEncoding.Strict().DecodeString(id)
	return key, err == nil && len(key) == ed25519.PublicKeySize
}

type identityRow struct {
	tenant.Identity
	tokenKnown bool
	signers    []signer
}

// A signer is a key that a foreign token may have been signed with, as the query tells it.
type signer struct {
	ID        string            `json:"id"`
	Kind      tenant.KeyKind    `json:"kind"`
	Name      string            `json:"name"`
	Details   tenant.KeyDetails `json:"details"`
	CreatedAt time.Time         `json:"created_at"`
	LastUsed  time.Time         `json:"last_used_at"`
	RemovedAt time.Time         `json:"removed_at"`
}

func (s signer) key(t tenant.TenantID) tenant.Key {
	spec := tenant.KeySpec{Kind: s.Kind, Name: s.Name, KeyDetails: s.Details}
	return tenant.Key{ID: s.ID, Tenant: t, KeySpec: spec, CreatedAt: s.CreatedAt, LastUsed: s.LastUsed, RemovedAt: s.RemovedAt}
}

var errNoSigningKey = errors.New("the account has no signing key")

func scanIdentity(row pgx.CollectableRow) (i identityRow, err error) {
	u, key := &i.User, &i.Signing
	err = row.Scan(&i.Tenant, &i.Account, &i.Status, &i.Limits, &i.CredsRevoked,
		&u.ID, &u.Kind, &u.Name, &u.ExternalID, &u.Status, &u.Reason, &u.PasswordHash, &u.NKey, &u.CreatedAt, &u.TokensFrom,
		&i.Connections, &key.KeyID, &key.Sealed, &key.Version, &i.tokenKnown, &i.signers, &i.TokenRevoked, &i.Restricted, &i.Rooms)
	if err == nil && key.KeyID == "" {
		err = errNoSigningKey
	}
	key.Account, key.Purpose = i.Account, "signing"
	u.Tenant, u.CreatedAt, u.TokensFrom = i.Tenant, u.CreatedAt.UTC(), u.TokensFrom.UTC()
	if u.ID == "" {
		*u = tenant.User{}
	}
	for _, s := range i.signers {
		i.Keys = append(i.Keys, s.key(i.Tenant))
	}
	return i, err
}

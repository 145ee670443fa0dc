PREPARE ident(text,text,text,text,text[],int) AS
WITH who AS (
  SELECT $1 AS tenant_id, $2 AS user_id, false AS revoked WHERE $4 = ''
  UNION ALL
  SELECT tenant_id, user_id, revoked_at IS NOT NULL FROM credentials
  WHERE nkey = $4 AND $1 IN ('', tenant_id) AND $2 IN ('', user_id)
)
SELECT t.tenant_id, t.account, t.status, t.limits, who.revoked,
  u.user_id, u.kind, s.key_id, s.sealed, s.key_version, k.key_id,
  restricted.yes, rooms.list
FROM who
JOIN tenants t ON t.tenant_id = who.tenant_id AND t.status <> 'deleting'
LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.user_id = who.user_id AND u.status <> 'deleted'
LEFT JOIN LATERAL (
  SELECT key_id, sealed, key_version FROM account_keys
  WHERE account = t.account AND purpose = 'signing' ORDER BY created_at DESC, key_id LIMIT 1
) s ON true
LEFT JOIN account_keys k ON k.key_id = $3 AND k.account = t.account AND k.purpose = 'token'
CROSS JOIN LATERAL (
  SELECT EXISTS (
    SELECT FROM members m JOIN rooms r ON r.room_pk = m.room_pk AND r.tenant_id = m.tenant_id
    WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id AND (m.state = 'banned' OR m.role = 'reader')
      AND r.state <> 'deleted'
      AND (m.state = 'banned' AND r.kind IN ('open', 'announce') OR m.state = 'joined' AND r.kind = 'open')
  ) AS yes
) restricted
CROSS JOIN LATERAL (
  SELECT coalesce(json_agg(json_build_object('room', l.room_id, 'address', l.address, 'kind', l.kind,
    'class', l.class, 'role', l.role, 'state', l.state)), '[]') AS list
  FROM (
    SELECT r.room_id, r.address, r.kind, r.class, m.role, m.state
    FROM (
      SELECT room_pk, role, state, joined_at FROM members
      WHERE tenant_id = u.tenant_id AND user_id = u.user_id AND $5 IS NULL
      UNION ALL
      SELECT m.room_pk, m.role, m.state, m.joined_at
      FROM unnest($5) named (room_id)
      JOIN rooms r ON r.tenant_id = u.tenant_id AND r.room_id = named.room_id
      JOIN members m ON m.room_pk = r.room_pk AND m.tenant_id = u.tenant_id AND m.user_id = u.user_id
    ) m
    JOIN rooms r ON r.room_pk = m.room_pk AND r.tenant_id = t.tenant_id AND r.state <> 'deleted'
    LEFT JOIN room_heads h ON h.room_pk = m.room_pk
    WHERE m.state = 'joined' AND (r.kind IN ('private', 'shared') OR r.kind = 'announce' AND m.role <> 'reader')
      OR restricted.yes AND m.state <> 'invited' AND r.kind IN ('open', 'announce')
    ORDER BY m.state = 'banned', h.last_at DESC NULLS LAST, m.joined_at DESC, r.room_id
    LIMIT $6
  ) l
) rooms;
\timing on
\o /dev/null
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u77','token1','',NULL,50);
EXECUTE ident('t1','u77','token1','',NULL,50);
EXECUTE ident('t1','u77','token1','',ARRAY['r2','r3'],50);
EXECUTE ident('t1','u77','token1','',ARRAY['r2','r3'],50);
EXECUTE ident('t1','u1','token1','',ARRAY['r2','r3'],50);
\o
SET plan_cache_mode=force_custom_plan;
EXPLAIN (ANALYZE,BUFFERS) EXECUTE ident('t1','u1','token1','',NULL,50);
SET plan_cache_mode=force_generic_plan;
EXPLAIN (ANALYZE,BUFFERS) EXECUTE ident('t1','u1','token1','',NULL,50);
EXPLAIN (ANALYZE,BUFFERS) EXECUTE ident('t1','u77','token1','',ARRAY['r1','r2'],50);

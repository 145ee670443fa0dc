package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlLink = `
SELECT l.link_id, l.hash, l.kind, coalesce(l.tenant_id, ''), coalesce(t.name, ''), l.role, coalesce(l.person_id, ''), l.made_by, l.created_at, l.expires_at
FROM links l LEFT JOIN tenants t ON t.tenant_id = l.tenant_id
WHERE l.hash = $1 AND l.used_at IS NULL AND l.expires_at > $2 AND t.status IS DISTINCT FROM 'deleting'`

// Link finds a link that can be used.
func (s *Store) Link(ctx context.Context, hash []byte, at time.Time) (tenant.Link, error) {
	row, err := one(ctx, s.pool, scanLink, sqlLink, hash, at)
	return row, wrap(err, "read", "link")
}

const sqlLinks = `
SELECT l.link_id, l.hash, l.kind, coalesce(l.tenant_id, ''), '', l.role, coalesce(l.person_id, ''), l.made_by, l.created_at, l.expires_at
FROM links l
WHERE coalesce(l.tenant_id, '') = $1 AND l.used_at IS NULL AND l.expires_at > $2 AND l.kind <> 'recovery'
ORDER BY l.created_at DESC, l.link_id LIMIT 1000`

// Links lists the links that can be used into a tenant, or into none.
func (s *Store) Links(ctx context.Context, t tenant.TenantID, at time.Time) ([]tenant.Link, error) {
	rows, err := list(ctx, s.pool, scanLink, sqlLinks, t, at)
	return rows, wrap(err, "list", "links", string(t))
}

func scanLink(row pgx.CollectableRow) (l tenant.Link, err error) {
	err = row.Scan(&l.ID, &l.Hash, &l.Kind, &l.Tenant, &l.TenantName, &l.Role, &l.Person, &l.By, &l.CreatedAt, &l.ExpiresAt)
	return l, err
}

const sqlInsertLink = `
INSERT INTO links (link_id, hash, kind, tenant_id, role, person_id, made_by, created_at, expires_at)
VALUES ($1, $2, $3, nullif($4, ''), $5, nullif($6, ''), $7, $8, $9)`

// InsertLink adds a link.
func (x tx) InsertLink(ctx context.Context, l tenant.Link) error {
	_, err := exec(ctx, x.q, sqlInsertLink, l.ID, l.Hash, l.Kind, l.Tenant, l.Role, l.Person, l.By, l.CreatedAt, l.ExpiresAt)
	return wrap(err, "insert", "link", l.ID)
}

const sqlUseLink = `
UPDATE links SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2
RETURNING link_id, hash, kind, coalesce(tenant_id, ''), '', role, coalesce(person_id, ''), made_by, created_at, expires_at`

// UseLink takes a link: of two that ask at once, the second waits for the first's end and finds it used.
func (x tx) UseLink(ctx context.Context, hash []byte, at time.Time) (tenant.Link, error) {
	row, err := one(ctx, x.q, scanLink, sqlUseLink, hash, at)
	return row, wrap(err, "use", "link")
}

const (
	sqlDeleteLink = `
DELETE FROM links WHERE link_id = $2 AND coalesce(tenant_id, '') = $1 AND used_at IS NULL`

	sqlDeleteLinks = `DELETE FROM links WHERE kind = $1 AND used_at IS NULL`
)

// DeleteLink takes a link back.
func (x tx) DeleteLink(ctx context.Context, t tenant.TenantID, id string) error {
	return wrap(mustChange(ctx, x.q, sqlDeleteLink, t, id), "delete", "link", string(t), id)
}

// DeleteLinks takes all links of a kind back.
func (x tx) DeleteLinks(ctx context.Context, k tenant.LinkKind) error {
	_, err := exec(ctx, x.q, sqlDeleteLinks, k)
	return wrap(err, "delete", "links", string(k))
}

package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// A membership is joined by the tenant that asks: it never reaches into a room that isn't the tenant's or shared with it.
const sqlMembership = `
SELECT r.id, r.address, r.kind, r.class, m.role, m.state, m.joined_at, m.by_host
FROM tenant_rooms r JOIN standings m ON m.room_pk = r.room_pk AND m.tenant_id = r.viewer
WHERE r.viewer = $1 AND r.id = $2 AND r.state <> 'deleted' AND m.user_id = $3`

// Membership returns what a user is in a room that isn't deleted.
func (s *Store) Membership(ctx context.Context, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) (tenant.Membership, error) {
	return membership(ctx, s.pool, t, r, u)
}

// Membership returns what a user is in a room that isn't deleted.
func (x tx) Membership(ctx context.Context, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) (tenant.Membership, error) {
	return membership(ctx, x.q, t, r, u)
}

func membership(ctx context.Context, q querier, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) (tenant.Membership, error) {
	row, err := one(ctx, q, scanMembership, sqlMembership, t, r, u)
	return row, wrap(err, "read", "member", string(t), string(r), string(u))
}

// The users of other tenants in a shared room come beside the tenant's own, which an index has in order.
const sqlMembers = `
SELECT * FROM (
  (SELECT r.id, m.user_id AS who, u.name, m.role, m.state, m.joined_at, m.until, m.reason, m.by_host
  FROM tenant_rooms r
  JOIN standings m ON m.room_pk = r.room_pk AND m.tenant_id = r.viewer
  JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id
  WHERE r.viewer = $1 AND r.id = $2 AND r.state <> 'deleted'
    AND m.user_id > $3 AND (m.user_id ILIKE $4 OR u.name ILIKE $4)
  ORDER BY m.user_id LIMIT $5)
  UNION ALL
  (SELECT r.id, m.user_id || '@' || m.tenant_id, u.name, m.role, m.state, m.joined_at, m.until, m.reason, m.by_host
  FROM tenant_rooms r
  JOIN standings m ON m.room_pk = r.room_pk AND m.tenant_id <> r.viewer
  JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id
  WHERE r.viewer = $1 AND r.id = $2 AND r.state <> 'deleted' AND r.kind = 'shared'
    AND m.user_id || '@' || m.tenant_id > $3 AND (m.user_id ILIKE $4 OR u.name ILIKE $4 OR m.tenant_id ILIKE $4)
  ORDER BY 2 LIMIT $5)
) members ORDER BY who LIMIT $5`

// Members lists the members of a room by user id, those who are invited or banned among them.
// A room that does not exist has none.
func (s *Store) Members(ctx context.Context, t tenant.TenantID, r tenant.RoomID, p tenant.Page) ([]tenant.Member, error) {
	rows, err := list(ctx, s.pool, scanMember, sqlMembers, t, r, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "members", string(t), string(r), p.After)
}

const sqlPutMember = `
INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at, until, reason, by_host)
SELECT room_pk, viewer, $3, $4, $5, $6, $7, $8, $9 FROM tenant_rooms
WHERE viewer = $1 AND id = $2 AND state <> 'deleted'
ON CONFLICT (room_pk, user_id, tenant_id) DO UPDATE SET
  role = EXCLUDED.role, state = EXCLUDED.state, joined_at = EXCLUDED.joined_at, until = EXCLUDED.until, reason = EXCLUDED.reason,
  by_host = EXCLUDED.by_host`

// PutMember inserts or replaces a user's standing in a room of his tenant.
func (x tx) PutMember(ctx context.Context, t tenant.TenantID, m tenant.Member) error {
	err := mustChange(ctx, x.q, sqlPutMember, t, m.Room, m.User, m.Role, m.State, m.JoinedAt, timeOrNull(m.Until), m.Reason, m.ByHost)
	return wrap(err, "put a member into", "room", string(t), string(m.Room), string(m.User))
}

const sqlDeleteMember = `
DELETE FROM members m USING tenant_rooms r
WHERE r.room_pk = m.room_pk AND r.viewer = $1 AND r.id = $2 AND m.tenant_id = $1 AND m.user_id = $3`

// DeleteMember makes a user a stranger to a room.
func (x tx) DeleteMember(ctx context.Context, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) error {
	err := mustChange(ctx, x.q, sqlDeleteMember, t, r, u)
	return wrap(err, "delete", "member", string(t), string(r), string(u))
}

const sqlEndMember = `
DELETE FROM members m USING tenant_rooms r
WHERE r.room_pk = m.room_pk AND r.viewer = $1 AND r.id = $2 AND m.tenant_id = $1 AND m.user_id = $3
  AND m.state <> 'joined' AND m.until <= $4
RETURNING r.id, r.address, r.kind, r.class, m.role, m.state, m.joined_at, m.by_host`

// EndMember deletes a ban or an invitation that ends by a time.
func (x tx) EndMember(ctx context.Context, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, until time.Time) (tenant.Membership, error) {
	m, err := one(ctx, x.q, scanMembership, sqlEndMember, t, r, u, until)
	return m, wrap(err, "end", "member", string(t), string(r), string(u))
}

func scanMembership(row pgx.CollectableRow) (m tenant.Membership, err error) {
	err = row.Scan(&m.Room, &m.Address, &m.Kind, &m.Class, &m.Role, &m.State, &m.JoinedAt, &m.ByHost)
	m.JoinedAt = m.JoinedAt.UTC()
	return m, err
}

func scanMember(row pgx.CollectableRow) (m tenant.Member, err error) {
	var until *time.Time
	err = row.Scan(&m.Room, &m.User, &m.Name, &m.Role, &m.State, &m.JoinedAt, &until, &m.Reason, &m.ByHost)
	m.JoinedAt = m.JoinedAt.UTC()
	m.Until = timeOf(until)
	return m, err
}

// timeOrNull makes a zero time null.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

const sqlOtherOwners = `
SELECT count(*) FROM members m JOIN rooms r ON r.room_pk = m.room_pk AND r.tenant_id = m.tenant_id
WHERE r.tenant_id = $1 AND r.room_id = $2 AND m.user_id <> $3 AND m.state = 'joined' AND m.role = 'owner'`

// OtherOwners counts the owners of a room beside a user.
func (x tx) OtherOwners(ctx context.Context, t tenant.TenantID, r tenant.RoomID, u tenant.UserID) (int64, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int64], sqlOtherOwners, t, r, u)
	return n, wrap(err, "count", "owners", string(t), string(r))
}

const sqlSenior = `
SELECT r.room_id, m.user_id, u.name, m.role, m.state, m.joined_at, m.until, m.reason, m.by_host
FROM rooms r
JOIN members m ON m.room_pk = r.room_pk AND m.tenant_id = r.tenant_id
JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id
WHERE r.tenant_id = $1 AND r.room_id = $2 AND m.user_id <> $3 AND m.state = 'joined' AND m.role = 'moderator'
  AND u.status = 'active'
ORDER BY m.joined_at, m.user_id LIMIT 1`

// Senior returns the moderator of a room, other than a user, who is longest in it.
func (x tx) Senior(ctx context.Context, t tenant.TenantID, r tenant.RoomID, but tenant.UserID) (tenant.Member, error) {
	m, err := one(ctx, x.q, scanMember, sqlSenior, t, r, but)
	return m, wrap(err, "read the senior moderator of", "room", string(t), string(r))
}

const sqlOwnedAlone = `
SELECT r.room_id FROM members m JOIN rooms r ON r.room_pk = m.room_pk AND r.tenant_id = m.tenant_id
WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.state = 'joined' AND m.role = 'owner' AND r.state <> 'deleted'
  AND NOT EXISTS (SELECT FROM members o WHERE o.room_pk = m.room_pk AND o.user_id <> m.user_id
    AND o.state = 'joined' AND o.role = 'owner')
ORDER BY r.room_id`

// OwnedAlone lists the rooms whose only owner is a user.
func (x tx) OwnedAlone(ctx context.Context, t tenant.TenantID, u tenant.UserID) ([]tenant.RoomID, error) {
	rooms, err := list(ctx, x.q, pgx.RowTo[tenant.RoomID], sqlOwnedAlone, t, u)
	return rooms, wrap(err, "list the rooms owned by", "user", string(t), string(u))
}

const sqlCountOwned = `
SELECT count(*) FROM members m JOIN rooms r ON r.room_pk = m.room_pk AND r.tenant_id = m.tenant_id
WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.state = 'joined' AND m.role = 'owner' AND r.state <> 'deleted'`

// CountOwned counts the rooms that a user owns.
func (x tx) CountOwned(ctx context.Context, t tenant.TenantID, u tenant.UserID) (int64, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int64], sqlCountOwned, t, u)
	return n, wrap(err, "count the rooms owned by", "user", string(t), string(u))
}

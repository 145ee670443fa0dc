package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlShareColumns = `
SELECT s.share_id, coalesce(r.address, ''), coalesce(r.room_id, ''), s.service, s.host, s.guest,
  CASE WHEN s.title = '' THEN coalesce(r.title, s.service) ELSE s.title END,
  s.post, s.history, s.keep_copy, s.status, s.offered_at, s.offered_by, s.expires_at, s.until, s.accepted_at, s.accepted_by, s.ended_at, s.ended_by
FROM shares s LEFT JOIN rooms r ON r.room_pk = s.room_pk`

const sqlShare = sqlShareColumns + ` WHERE s.share_id = $1`

// Share returns a share, also one that has ended.
func (s *Store) Share(ctx context.Context, id string) (tenant.Share, error) {
	row, err := one(ctx, s.pool, scanShare, sqlShare, id)
	return row, wrap(err, "read", "share", id)
}

const sqlLockShare = sqlShareColumns + ` WHERE s.share_id = $1 FOR NO KEY UPDATE OF s`

// LockShare returns a share and keeps others from changing it.
func (x tx) LockShare(ctx context.Context, id string) (tenant.Share, error) {
	row, err := one(ctx, x.q, scanShare, sqlLockShare, id)
	return row, wrap(err, "lock", "share", id)
}

const sqlLockOpenShares = sqlShareColumns + `
WHERE r.tenant_id = $1 AND r.room_id = $2 AND s.status IN ('offered', 'accepted') ORDER BY s.share_id FOR NO KEY UPDATE OF s`

// LockOpenShares returns a room's offers and shares and keeps others from changing them.
func (x tx) LockOpenShares(ctx context.Context, host tenant.TenantID, r tenant.RoomID) ([]tenant.Share, error) {
	shares, err := list(ctx, x.q, scanShare, sqlLockOpenShares, host, r)
	return shares, wrap(err, "lock the shares of", "room", string(host), string(r))
}

const sqlLockSharesOf = sqlShareColumns + `
WHERE (s.host = $1 OR s.guest = $1) AND s.status IN ('offered', 'accepted') ORDER BY s.share_id FOR NO KEY UPDATE OF s`

// LockSharesOf returns a tenant's offers and shares, as host or guest, and keeps others from changing them.
func (x tx) LockSharesOf(ctx context.Context, t tenant.TenantID) ([]tenant.Share, error) {
	shares, err := list(ctx, x.q, scanShare, sqlLockSharesOf, t)
	return shares, wrap(err, "lock the shares of", "tenant", string(t))
}

const sqlShares = sqlShareColumns + `
WHERE (s.host = $1 OR s.guest = $1) AND s.share_id > $2 AND (s.host ILIKE $3 OR s.guest ILIKE $3 OR s.service ILIKE $3 OR r.title ILIKE $3)
ORDER BY s.share_id LIMIT $4`

// Shares lists a tenant's shares as host or guest, by id.
func (s *Store) Shares(ctx context.Context, t tenant.TenantID, p tenant.Page) ([]tenant.Share, error) {
	rows, err := list(ctx, s.pool, scanShare, sqlShares, t, p.After, pattern(p), limit(p))
	return rows, wrap(err, "list", "shares", string(t), p.After)
}

const sqlInsertShare = `
INSERT INTO shares (share_id, room_pk, service, host, guest, post, history, keep_copy, status, offered_at, offered_by, expires_at, until)
VALUES ($1, (SELECT room_pk FROM rooms WHERE tenant_id = $2 AND room_id = $3), $4, $2, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

// InsertShare adds an offer.
func (x tx) InsertShare(ctx context.Context, s tenant.Share) error {
	err := mustChange(ctx, x.q, sqlInsertShare, s.ID, s.Host, s.HostRoom, s.Service, s.Guest, s.Post, s.History, s.KeepCopy, s.Status,
		s.OfferedAt, s.OfferedBy, timeOrNull(s.ExpiresAt), timeOrNull(s.Until))
	return wrap(err, "insert", "share", string(s.Host), s.ID)
}

const sqlUpdateShare = `
UPDATE shares s SET post = $2, status = $4, expires_at = $5, until = $6, accepted_at = $7, accepted_by = $8, ended_at = $9, ended_by = $10,
  title = CASE WHEN $3 = coalesce((SELECT r.title FROM rooms r WHERE r.room_pk = s.room_pk), s.service) THEN '' ELSE $3 END
WHERE s.share_id = $1`

// UpdateShare changes all of a share that can change.
func (x tx) UpdateShare(ctx context.Context, s tenant.Share) error {
	err := mustChange(ctx, x.q, sqlUpdateShare, s.ID, s.Post, s.Title, s.Status, timeOrNull(s.ExpiresAt), timeOrNull(s.Until),
		timeOrNull(s.AcceptedAt), s.AcceptedBy, timeOrNull(s.EndedAt), s.EndedBy)
	return wrap(err, "update", "share", s.ID)
}

const sqlSharedRoomID = `
SELECT room_id FROM rooms WHERE tenant_id = $1 AND kind = 'shared' AND (room_id = $2 OR address = $2)`

// SharedRoom finds a shared room that a tenant hosts by its id or address.
func (x tx) SharedRoom(ctx context.Context, host tenant.TenantID, r tenant.RoomID) (tenant.Room, error) {
	id, err := one(ctx, x.q, pgx.RowTo[tenant.RoomID], sqlSharedRoomID, host, r)
	if err != nil {
		return tenant.Room{}, wrap(err, "find", "shared room", string(host), string(r))
	}
	return x.RoomRow(ctx, host, id)
}

const sqlStatusOf = `SELECT status FROM tenants WHERE tenant_id = $1 AND status <> 'deleting'`

// TenantStatus reads the status of another tenant than the one whose row is held.
func (x tx) TenantStatus(ctx context.Context, t tenant.TenantID) (tenant.Status, error) {
	status, err := one(ctx, x.q, pgx.RowTo[tenant.Status], sqlStatusOf, t)
	return status, wrap(err, "read the status of", "tenant", string(t))
}

const sqlCountGuests = `
SELECT count(*) FROM shares s JOIN rooms r ON r.room_pk = s.room_pk WHERE r.address = $1 AND s.status IN ('offered', 'accepted')`

// CountGuests counts the open offers and shares of a room.
func (x tx) CountGuests(ctx context.Context, address tenant.RoomID) (int, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int], sqlCountGuests, address)
	return n, wrap(err, "count the guests of", "room", string(address))
}

const sqlCountShared = `
SELECT (SELECT count(*) FROM rooms WHERE tenant_id = $1 AND kind = 'shared' AND state <> 'deleted')
  + (SELECT count(*) FROM shares WHERE guest = $1 AND status = 'accepted')`

// CountShared counts the shared rooms of a tenant, its own and those of others, and the services of others.
func (x tx) CountShared(ctx context.Context, t tenant.TenantID) (int, error) {
	n, err := one(ctx, x.q, pgx.RowTo[int], sqlCountShared, t)
	return n, wrap(err, "count the shared rooms of", "tenant", string(t))
}

const sqlDeleteGuests = `
DELETE FROM members m USING rooms r, users u
WHERE r.tenant_id = $1 AND r.room_id = $2 AND m.room_pk = r.room_pk AND m.tenant_id = $3
  AND u.tenant_id = m.tenant_id AND u.user_id = m.user_id
RETURNING r.address, m.user_id, u.name, m.role, m.state, m.joined_at`

// DeleteGuests removes a guest's users from a host's room and returns who they were.
func (x tx) DeleteGuests(ctx context.Context, host tenant.TenantID, r tenant.RoomID, guest tenant.TenantID) ([]tenant.Member, error) {
	lost, err := list(ctx, x.q, scanGuest, sqlDeleteGuests, host, r, guest)
	return lost, wrap(err, "delete the guests of", "room", string(host), string(r), string(guest))
}

func scanGuest(row pgx.CollectableRow) (m tenant.Member, err error) {
	err = row.Scan(&m.Room, &m.User, &m.Name, &m.Role, &m.State, &m.JoinedAt)
	return m, err
}

// A stream of shared rooms has a subject for each room and participant, and gets slow to
// change beyond some hundreds: a room goes into the newest stream while that is below this.
const fullStream = 250

const sqlSharedClass = `
SELECT coalesce((
  SELECT CASE WHEN n < $2 THEN class ELSE 'shared' || substr(class, 7)::int + 1 END
  FROM (
    SELECT r.class, count(*) + sum((SELECT count(*) FROM shares s WHERE s.room_pk = r.room_pk AND s.status IN ('offered', 'accepted'))) AS n
    FROM rooms r WHERE r.tenant_id = $1 AND r.kind = 'shared' AND r.state <> 'deleted'
    GROUP BY r.class ORDER BY length(r.class) DESC, r.class DESC LIMIT 1
  ) newest
), 'shared1')`

// sharedClass is the class, and so the stream, of the next shared room of a host.
func (x tx) sharedClass(ctx context.Context, host tenant.TenantID) (tenant.Class, error) {
	return one(ctx, x.q, pgx.RowTo[tenant.Class], sqlSharedClass, host, fullStream)
}

func scanShare(row pgx.CollectableRow) (s tenant.Share, err error) {
	var expires, until, accepted, ended *time.Time
	err = row.Scan(&s.ID, &s.Room, &s.HostRoom, &s.Service, &s.Host, &s.Guest, &s.Title, &s.Post, &s.History, &s.KeepCopy, &s.Status,
		&s.OfferedAt, &s.OfferedBy, &expires, &until, &accepted, &s.AcceptedBy, &ended, &s.EndedBy)
	s.OfferedAt = s.OfferedAt.UTC()
	s.ExpiresAt, s.Until, s.AcceptedAt, s.EndedAt = timeOf(expires), timeOf(until), timeOf(accepted), timeOf(ended)
	return s, err
}

// timeOf is timeOrNull the other way round.
func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

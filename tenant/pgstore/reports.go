package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const sqlInsertReport = `
INSERT INTO reports (tenant_id, room_pk, seq, sender, reported_by, reason, at)
SELECT tenant_id, room_pk, $3, $4, $5, $6, $7 FROM rooms WHERE tenant_id = $1 AND room_id = $2
ON CONFLICT (room_pk, seq, reported_by) DO NOTHING`

// InsertReport keeps a report, unless its user has reported the message before.
func (x tx) InsertReport(ctx context.Context, t tenant.TenantID, r tenant.Report) (fresh bool, err error) {
	n, err := exec(ctx, x.q, sqlInsertReport, t, r.Room, r.Seq, r.Sender, r.By, r.Reason, r.At)
	return n > 0, wrap(err, "insert", "report", string(t), string(r.Room))
}

const sqlModerators = `
SELECT m.user_id FROM members m JOIN rooms r ON r.room_pk = m.room_pk AND r.tenant_id = m.tenant_id
WHERE r.tenant_id = $1 AND r.room_id = $2 AND m.state = 'joined' AND m.role IN ('moderator', 'owner')
ORDER BY m.joined_at, m.user_id LIMIT $3`

// Moderators lists the moderators and owners of a room, those who are longest in it first.
func (x tx) Moderators(ctx context.Context, t tenant.TenantID, r tenant.RoomID, most int) ([]tenant.UserID, error) {
	users, err := list(ctx, x.q, pgx.RowTo[tenant.UserID], sqlModerators, t, r, most)
	return users, wrap(err, "list the moderators of", "room", string(t), string(r))
}

const sqlReports = `
SELECT p.report_id, p.at, r.room_id, p.seq, p.sender, p.reported_by, p.reason
FROM reports p JOIN rooms r ON r.room_pk = p.room_pk AND r.tenant_id = p.tenant_id
WHERE p.tenant_id = $1 AND (p.at, p.report_id) < ($2, $3) AND r.state <> 'deleted'
  AND (r.room_id ILIKE $4 OR p.sender ILIKE $4 OR p.reported_by ILIKE $4)
ORDER BY p.at DESC, p.report_id DESC LIMIT $5`

// Reports lists the messages that were reported, newest first.
func (s *Store) Reports(ctx context.Context, t tenant.TenantID, p tenant.Page) ([]tenant.Report, error) {
	from, err := parsePlace(p.After)
	if err != nil {
		return nil, err
	}
	rows, err := list(ctx, s.pool, scanReport, sqlReports, t, from.at, from.id, pattern(p), limit(p))
	return rows, wrap(err, "list", "reports", string(t), p.After)
}

func scanReport(row pgx.CollectableRow) (r tenant.Report, err error) {
	var p place
	err = row.Scan(&p.id, &p.at, &r.Room, &r.Seq, &r.Sender, &r.By, &r.Reason)
	r.At, r.Cursor = p.at.Time.UTC(), p.String()
	return r, err
}

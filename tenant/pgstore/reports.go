package pgstore

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// The sender stands in the row as the host has him.
const sqlInsertReport = `
INSERT INTO reports (tenant_id, room_pk, seq, sender, reported_by, reason, at)
SELECT viewer, room_pk, $3, CASE WHEN viewer = tenant_id THEN $4 WHEN $4 NOT LIKE '%@%' THEN $4 || '@' || viewer
  ELSE regexp_replace($4, '@' || tenant_id || '$', '') END, $5, $6, $7
FROM tenant_rooms WHERE viewer = $1 AND id = $2
ON CONFLICT (room_pk, seq, reported_by) DO NOTHING`

// InsertReport keeps a report, unless its user has reported the message before.
func (x tx) InsertReport(ctx context.Context, t tenant.TenantID, r tenant.Report) (fresh bool, err error) {
	n, err := exec(ctx, x.q, sqlInsertReport, t, r.Room, r.Seq, r.Sender, r.By, r.Reason, r.At)
	return n > 0, wrap(err, "insert", "report", string(t), string(r.Room))
}

const sqlModerators = `
SELECT m.tenant_id, m.user_id, v.id
FROM tenant_rooms r
JOIN members m ON m.room_pk = r.room_pk AND m.tenant_id IN (r.viewer, r.tenant_id)
JOIN tenant_rooms v ON v.room_pk = r.room_pk AND v.viewer = m.tenant_id
WHERE r.viewer = $1 AND r.id = $2 AND m.state = 'joined' AND m.role IN ('moderator', 'owner')
ORDER BY m.joined_at, m.tenant_id, m.user_id LIMIT $3`

// Moderators lists the moderators and owners of a room, of the tenant and of the host, those who are
// longest in it first.
func (x tx) Moderators(ctx context.Context, t tenant.TenantID, r tenant.RoomID, most int) ([]tenant.Moderator, error) {
	users, err := list(ctx, x.q, pgx.RowToStructByPos[tenant.Moderator], sqlModerators, t, r, most)
	return users, wrap(err, "list the moderators of", "room", string(t), string(r))
}

// A tenant sees what its users reported, and what anybody reported in its rooms; what another tenant
// noted when it closed a report stays there. $6 is a state, $7 one report.
const sqlReports = `
SELECT * FROM (
  SELECT p.report_id, p.at, r.id, p.seq,
    CASE WHEN r.viewer = r.tenant_id THEN p.sender WHEN p.sender NOT LIKE '%@%' THEN p.sender || '@' || r.tenant_id
      ELSE regexp_replace(p.sender, '@' || r.viewer || '$', '') END AS sender,
    CASE WHEN p.tenant_id = r.viewer THEN p.reported_by ELSE p.reported_by || '@' || p.tenant_id END AS reporter, p.reason,
    p.closed_at, p.closed_in, p.outcome, CASE WHEN p.closed_in = r.viewer THEN p.note ELSE '' END AS note
  FROM tenant_rooms r JOIN reports p ON p.room_pk = r.room_pk
  WHERE r.viewer = $1 AND (p.tenant_id = $1 OR r.tenant_id = $1) AND (p.at, p.report_id) < ($2, $3) AND r.state <> 'deleted'
    AND ($6 = '' OR ($6 = 'closed') = (p.closed_at IS NOT NULL)) AND ($7 = 0 OR p.report_id = $7)
) reported
WHERE id ILIKE $4 OR sender ILIKE $4 OR reporter ILIKE $4
ORDER BY at DESC, report_id DESC LIMIT $5`

// Reports lists the messages that users of the tenant reported, or anybody in its rooms, newest first.
func (s *Store) Reports(ctx context.Context, t tenant.TenantID, state tenant.ReportState, p tenant.Page) ([]tenant.Report, error) {
	from, err := parsePlace(p.After)
	if err != nil {
		return nil, err
	}
	rows, err := list(ctx, s.pool, scanReport, sqlReports, t, from.at, from.id, pattern(p), limit(p), state, 0)
	return rows, wrap(err, "list", "reports", string(t), p.After)
}

// Report returns a report that the tenant sees.
func (x tx) Report(ctx context.Context, t tenant.TenantID, id int64) (tenant.Report, error) {
	first := tenant.Page{Limit: 1}
	from, err := parsePlace(first.After)
	if err != nil {
		return tenant.Report{}, err
	}
	row, err := one(ctx, x.q, scanReport, sqlReports, t, from.at, from.id, pattern(first), limit(first), tenant.AllReports, id)
	return row, wrap(err, "read", "report", string(t), strconv.FormatInt(id, 10))
}

const sqlCloseReport = `
UPDATE reports SET closed_at = $2, closed_in = $3, outcome = $4, note = $5 WHERE report_id = $1 AND closed_at IS NULL`

// CloseReport notes what became of a report, unless another tenant just did.
func (x tx) CloseReport(ctx context.Context, id int64, c tenant.Closing) (closed bool, err error) {
	n, err := exec(ctx, x.q, sqlCloseReport, id, c.At, c.Tenant, c.Outcome, c.Note)
	return n > 0, wrap(err, "close", "report", strconv.FormatInt(id, 10))
}

func scanReport(row pgx.CollectableRow) (r tenant.Report, err error) {
	var p place
	var c tenant.Closing
	var closed *time.Time
	err = row.Scan(&p.id, &p.at, &r.Room, &r.Seq, &r.Sender, &r.By, &r.Reason, &closed, &c.Tenant, &c.Outcome, &c.Note)
	r.ID, r.At, r.Cursor = p.id, p.at.Time.UTC(), p.String()
	if closed != nil {
		c.At = closed.UTC()
		r.Closed = &c
	}
	return r, err
}

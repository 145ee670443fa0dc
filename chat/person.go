package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// eraseMessages is how many messages of a person one transaction empties; it holds up his tenant's projection.
const eraseMessages = 500

const (
	// What he said is with his own tenant, with the hosts of rooms that were shared with it, and with those who kept copies of
	// rooms that he may have been in; there his name is $2.
	sqlHaveSaid = `WITH shared AS (SELECT room_pk FROM rooms WHERE tenant_id = $1 AND kind = 'shared' UNION SELECT room_pk FROM shares WHERE guest = $1)
		SELECT t.tenant_id, t.account, $2 || CASE WHEN t.tenant_id = $1 THEN '' ELSE '@' || $1 END FROM tenants t WHERE t.tenant_id = $1
			OR t.tenant_id IN (SELECT tenant_id FROM rooms WHERE room_pk IN (SELECT room_pk FROM shared))
			OR t.tenant_id IN (SELECT guest FROM shares WHERE keep_copy AND room_pk IN (SELECT room_pk FROM shared))
		ORDER BY t.tenant_id`
	// The projector folds events into the same rows: its streams' rows are locked first, in one order.
	sqlLockStreams = `SELECT stream FROM streams WHERE tenant_id = $1 ORDER BY stream FOR UPDATE`
	sqlTombstones  = `WITH mine AS (
			SELECT m.room_pk, m.seq, r.class FROM rooms r JOIN messages m USING (room_pk)
			WHERE r.tenant_id = $1 AND m.sender = $2 AND m.deleted_at IS NULL LIMIT $3
		)
		UPDATE messages m SET text = '', mentions = NULL, attachments = NULL, data = NULL, reactions = NULL,
			edited_at = NULL, deleted_at = $4, purged = true
		FROM mine WHERE m.room_pk = mine.room_pk AND m.seq = mine.seq RETURNING m.room_pk, m.seq, coalesce(m.thread, 0), mine.class`
	sqlForgetReplies = `UPDATE messages m SET replies = greatest(0, m.replies - c.replies)
		FROM (SELECT room_pk, thread, count(*) AS replies FROM unnest($1::bigint[], $2::bigint[]) AS r (room_pk, thread) GROUP BY 1, 2) c
		WHERE m.room_pk = c.room_pk AND m.seq = c.thread`
	sqlCountErased   = `UPDATE person_erasures SET messages = messages + $3 WHERE tenant_id = $1 AND user_id = $2`
	sqlErasuresLeft  = `SELECT count(*) FROM streams s JOIN erasures e USING (stream) WHERE s.tenant_id = $1`
	sqlFinishErasure = `UPDATE person_erasures SET finished_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND finished_at IS NULL`
)

// ErasePerson empties the messages of an erased user, with their edits, and has them overwritten in their streams: those in rooms of
// other tenants too. It says when it is not done yet: then it is to be called again. A user who was made anew meanwhile keeps what he says.
func (c *Chat) ErasePerson(ctx context.Context, id tenant.TenantID, u tenant.UserID) (done bool, err error) {
	rows, err := c.pool.Query(ctx, sqlHaveSaid, id, u)
	all, err := collect(rows, err, pgx.RowToStructByPos[haveSaid])
	if err != nil {
		return false, err
	}
	left := int64(0)
	for _, at := range all {
		n, more, err := c.eraseAt(ctx, id, u, at)
		if err != nil {
			return false, fmt.Errorf("erase messages of %s at %s: %w", u, at.Tenant, fromDB(err))
		}
		if more {
			return false, nil
		}
		left += n
	}
	if p := c.leading.Load(); p != nil {
		p.purge.wake()
	}
	if left > 0 {
		return false, nil
	}
	_, err = c.pool.Exec(ctx, sqlFinishErasure, id, u, c.now())
	return err == nil, fromDB(err)
}

// haveSaid is a tenant that may have messages of a person, and how it calls him.
type haveSaid struct {
	Tenant  tenant.TenantID
	Account string
	Name    string
}

// eraseAt empties the messages that one tenant has. It tells how many of its streams' messages are still to be overwritten, or
// that there is more than there was time for.
func (c *Chat) eraseAt(ctx context.Context, id tenant.TenantID, u tenant.UserID, at haveSaid) (left int64, more bool, err error) {
	// What he said before is among the rows.
	if err = c.allCaughtUp(ctx, at.Tenant); err != nil {
		return 0, false, err
	}
	for n := eraseMessages; n == eraseMessages; {
		if n, err = c.eraseSome(ctx, id, u, at); err != nil {
			return 0, false, err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < c.timing.call {
			return 0, true, nil
		}
	}
	err = c.pool.QueryRow(ctx, sqlErasuresLeft, at.Tenant).Scan(&left)
	return left, false, err
}

// emptied are messages that lost their text.
type emptied struct {
	pks, threads []int64
	replyPKs     []int64
	byClass      map[tenant.Class][2][]int64 // room_pk and seq
}

func (c *Chat) eraseSome(ctx context.Context, id tenant.TenantID, u tenant.UserID, at haveSaid) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	tx, err := c.pool.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer rollback(ctx, tx)
	if _, err = tx.Exec(ctx, sqlLockStreams, at.Tenant); err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, sqlTombstones, at.Tenant, at.Name, eraseMessages, c.now())
	if err != nil {
		return 0, err
	}
	e := emptied{byClass: map[tenant.Class][2][]int64{}}
	var pk, seq, thread int64
	var class tenant.Class
	_, err = pgx.ForEachRow(rows, []any{&pk, &seq, &thread, &class}, func() error {
		e.pks = append(e.pks, pk)
		of := e.byClass[class]
		of[0], of[1] = append(of[0], pk), append(of[1], seq)
		e.byClass[class] = of
		if thread > 0 {
			e.replyPKs, e.threads = append(e.replyPKs, pk), append(e.threads, thread)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	var q pgx.Batch
	for class, of := range e.byClass {
		q.Queue(sqlEraseMessages, subject.Stream(at.Account, class), of[0], of[1], slices.Repeat([]int64{maxSequence}, len(of[0])))
	}
	q.Queue(sqlForgetReplies, e.replyPKs, e.threads)
	q.Queue(sqlCountErased, id, u, len(e.pks))
	if err = tx.SendBatch(ctx, &q).Close(); err != nil {
		return 0, err
	}
	return len(e.pks), tx.Commit(ctx)
}

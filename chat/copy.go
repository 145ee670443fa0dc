package chat

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// copyMessages is how many messages one transaction copies.
const copyMessages = 1000

// A kept is a share that has ended, and the room that its guest keeps a copy in.
type kept struct {
	share       string
	from        int64 // the shared room
	to          int64 // the copy
	host, guest tenant.TenantID
	stream      string
	since       *time.Time // from when on the guest could read; nil: all
	until       time.Time
}

const (
	sqlKeptColumns = `SELECT s.share_id, r.room_pk, c.room_pk, s.host, s.guest, t.account, r.class,
			CASE WHEN s.history = 'share' THEN s.accepted_at END, s.ended_at
		FROM shares s JOIN rooms r ON r.room_pk = s.room_pk JOIN tenants t ON t.tenant_id = s.host
		JOIN rooms c ON c.tenant_id = s.guest AND c.room_id = 'copy-' || s.share_id AND c.state <> 'deleted'
		WHERE s.keep_copy AND NOT s.copied`
	sqlKept    = sqlKeptColumns + ` AND s.share_id = $1`
	sqlKeptOf  = sqlKeptColumns + ` AND s.host = $1`
	sqlCopied  = `UPDATE shares SET copied = true WHERE share_id = $1`
	sqlCopyEnd = `SELECT seq, message_id FROM messages WHERE room_pk = $1 ORDER BY seq DESC LIMIT 1`
	sqlCopyOf  = `SELECT ` + sqlMessageColumns + ` FROM messages m WHERE m.room_pk = $1 AND m.seq > $2 AND m.n IS NOT NULL
			AND m.at >= coalesce($3, '-infinity'::timestamptz) AND m.at < $4
		ORDER BY m.seq LIMIT $5`
)

// CopyShare copies what the users of a guest could read of a room into the room that it keeps: messages as they are now, with the names
// that the guest has for their senders, in no stream, like those of an import. It says when it is not done yet: then it is to be called again.
func (c *Chat) CopyShare(ctx context.Context, share string) (done bool, err error) {
	return c.copyAll(ctx, sqlKept, share)
}

// CopyShares is CopyShare for all shares of a host's.
func (c *Chat) CopyShares(ctx context.Context, host tenant.TenantID) (done bool, err error) {
	return c.copyAll(ctx, sqlKeptOf, string(host))
}

func (c *Chat) copyAll(ctx context.Context, sql, key string) (done bool, err error) {
	rows, err := c.pool.Query(ctx, sql, key)
	all, err := collect(rows, err, func(row pgx.CollectableRow) (k kept, err error) {
		var account string
		var class tenant.Class
		err = row.Scan(&k.share, &k.from, &k.to, &k.host, &k.guest, &account, &class, &k.since, &k.until)
		k.stream = subject.Stream(account, class)
		return k, err
	})
	for _, k := range all {
		if err == nil {
			// What was acknowledged before the end is among the rows.
			err = c.caughtUp(ctx, k.stream)
		}
		for n := copyMessages; err == nil && n == copyMessages; {
			if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 2*c.timing.call {
				return false, nil
			}
			n, err = c.copySome(ctx, k)
		}
	}
	return err == nil, fromDB(err)
}

// copySome copies the next messages, and notes the end of them.
func (c *Chat) copySome(ctx context.Context, k kept) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*c.timing.call)
	defer cancel()
	err = pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		last, after, err := copiedUpTo(ctx, tx, k)
		if err != nil {
			return err
		}
		all, err := c.readCopy(ctx, tx, k, after)
		if err != nil {
			return err
		}
		if n = len(all); n > 0 {
			room := seenRoom{pk: k.to}
			roots, err := importRoots(ctx, tx, room, all)
			if err != nil {
				return err
			}
			if err := insertLines(ctx, tx, k.guest, room, all, roots, max(last+1, firstImported)); err != nil {
				return err
			}
		}
		if n == copyMessages {
			return nil
		}
		_, err = tx.Exec(ctx, sqlCopied, k.share)
		return err
	})
	return n, err
}

// copiedUpTo is the last sequence of the copy, and which message of the shared room that is.
func copiedUpTo(ctx context.Context, tx pgx.Tx, k kept) (last, of uint64, err error) {
	var pk int64
	if err = tx.QueryRow(ctx, sqlLockRoom, k.to).Scan(&pk); err != nil {
		return 0, 0, err
	}
	var id string
	err = tx.QueryRow(ctx, sqlCopyEnd, k.to).Scan(&last, &id)
	if isNotFound(fromDB(err)) {
		return 0, 0, nil
	}
	if err == nil {
		of, err = strconv.ParseUint(strings.TrimPrefix(id, importPrefix), 10, 64)
	}
	return last, of, err
}

// readCopy reads what comes behind a message, as the guest sees it.
func (c *Chat) readCopy(ctx context.Context, tx pgx.Tx, k kept, after uint64) ([]importLine, error) {
	as := seenRoom{viewer: k.guest, host: k.host}
	rows, err := tx.Query(ctx, sqlCopyOf, k.from, after, k.since, k.until, copyMessages)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (importLine, error) {
		m, _, err := scanMessage(row)
		as.show(&m)
		return importLine{id: importID(m.Seq), Message: m}, err
	})
}

package chat

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// Users whom their tenant signs post as their nkey. In the rows they are who has it registered, or had
// it when the message was stored: what was acknowledged then counts.
const sqlSigners = `SELECT u.nkey, u.user_id, NULL::timestamptz FROM users u WHERE u.tenant_id = $1 AND u.nkey = ANY ($2)
	UNION ALL
	SELECT l.nkey, l.user_id, l.lost_at FROM lost_nkeys l WHERE l.tenant_id = $1 AND l.nkey = ANY ($2)`

// nameSigned gives the posts of users whom their tenant signs the names that the rows have. An nkey that is
// nobody's stays, and is refused as a sender whom nobody knows.
func nameSigned(ctx context.Context, tx pgx.Tx, l *line, batch []candidate) error {
	var nkeys []string
	for _, c := range batch {
		if c.ok && tenant.ValidUserNKey(c.post.Sender) {
			nkeys = append(nkeys, c.post.Sender)
		}
	}
	if len(nkeys) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, sqlSigners, l.tenant, nkeys)
	if err != nil {
		return err
	}
	now, lost := map[string]string{}, map[string]string{}
	until := map[string]time.Time{}
	var nkey, user string
	var at *time.Time
	_, err = pgx.ForEachRow(rows, []any{&nkey, &user, &at}, func() error {
		if at == nil {
			now[nkey] = user
		} else {
			lost[nkey], until[nkey] = user, *at
		}
		return nil
	})
	for i := range batch {
		c := &batch[i]
		if user, before := lost[c.post.Sender]; before && c.msg.at.Before(until[c.post.Sender]) {
			c.post.Sender = user
		} else if user, known := now[c.post.Sender]; known {
			c.post.Sender = user
		}
	}
	return err
}

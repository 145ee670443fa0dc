package chat

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// Users whom their tenant signs post as their nkey. In the rows they are who has it registered, or had
// it when the message was stored: what was acknowledged then counts.
const sqlSigners = `SELECT nkey, user_id, until FROM (
		SELECT nkey, user_id, NULL::timestamptz AS until FROM users WHERE tenant_id = $1 AND nkey = ANY ($2)
		UNION ALL
		SELECT nkey, user_id, lost_at FROM lost_nkeys WHERE tenant_id = $1 AND nkey = ANY ($2)) AS s
	ORDER BY until NULLS LAST`

// A signer is whose an nkey is, or was until a time.
type signer struct {
	user  string
	until *time.Time
}

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
	signers := map[string][]signer{}
	var nkey string
	var s signer
	if _, err := pgx.ForEachRow(rows, []any{&nkey, &s.user, &s.until}, func() error {
		signers[nkey] = append(signers[nkey], s)
		return nil
	}); err != nil {
		return err
	}
	for i := range batch {
		c := &batch[i]
		had := signers[c.post.Sender]
		if at := slices.IndexFunc(had, func(s signer) bool { return s.until == nil || c.msg.at.Before(*s.until) }); at >= 0 {
			c.post.Sender = had[at].user
		}
	}
	return nil
}

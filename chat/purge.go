package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// A purger takes refused posts out of their streams and tells their senders, and erases what
// was deleted or edited, at least once: a row goes only after that.
type purger struct {
	chat *Chat
	more chan struct{}
}

func newPurger(c *Chat) *purger { return &purger{chat: c, more: make(chan struct{}, 1)} }

// wake says that there may be rows.
func (p *purger) wake() {
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// run purges when it is woken. The checker wakes it too, which is the retry after a fault.
func (p *purger) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.more:
		}
		if err := errors.Join(all(ctx, p.some), all(ctx, p.erase)); err != nil && ctx.Err() == nil {
			p.chat.log.WarnContext(ctx, "refused or deleted messages wait to be purged", "error", err)
		}
	}
}

// purgeBatch is how many rows are read at once.
const purgeBatch = 100

const (
	sqlRefusedPosts = `SELECT stream, seq, account, user_id, room_id, code FROM refused_posts ORDER BY stream, seq LIMIT $1`
	sqlPurged       = `DELETE FROM refused_posts p USING unnest($1::text[], $2::bigint[]) AS d (stream, seq)
		WHERE p.stream = d.stream AND p.seq = d.seq`
)

type refusedPost struct {
	Stream  string
	Seq     uint64
	Account string
	User    string
	Room    string
	Code    string
}

// all purges batch by batch until there is no full one.
func all(ctx context.Context, some func(context.Context) (int, error)) error {
	for {
		n, err := some(ctx)
		if err != nil || n < purgeBatch {
			return err
		}
	}
}

func (p *purger) some(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*p.chat.timing.call)
	defer cancel()
	rows, err := p.chat.pool.Query(ctx, sqlRefusedPosts, purgeBatch)
	if err != nil {
		return 0, err
	}
	posts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[refusedPost])
	if err != nil || len(posts) == 0 {
		return 0, err
	}
	var streams []string
	var seqs []uint64
	var faults []error
	for _, r := range posts {
		if err = p.one(ctx, r); err != nil {
			faults = append(faults, err)
			continue
		}
		streams, seqs = append(streams, r.Stream), append(seqs, r.Seq)
	}
	// The notices must have left before the rows go.
	if err = p.chat.conn.FlushWithContext(ctx); err != nil {
		return 0, err
	}
	if _, err = p.chat.pool.Exec(ctx, sqlPurged, streams, seqs); err != nil {
		return 0, err
	}
	return len(posts), errors.Join(faults...)
}

// refusedNotice is live.user.<user>.refused.
type refusedNotice struct {
	Room string `json:"room"`
	Seq  uint64 `json:"seq"`
	Code string `json:"code"`
}

func (p *purger) one(ctx context.Context, r refusedPost) error {
	if err := p.chat.deleteMessage(ctx, r.Stream, r.Seq, false); err != nil {
		return fmt.Errorf("purge %s %d: %w", r.Stream, r.Seq, err)
	}
	if r.User == "" {
		return nil
	}
	notice, err := json.Marshal(refusedNotice{Room: r.Room, Seq: r.Seq, Code: r.Code})
	if err != nil {
		return err
	}
	return p.chat.conn.Publish(subject.PlatformNotice(r.Account, tenant.UserID(r.User), "refused"), notice)
}

package chat

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
)

// Age works in pieces, so that a class with a million messages to forget holds up neither
// its own projection nor other tenants.
const (
	purgeMessages = 20_000 // of a stream in one request, which stops its posts for milliseconds
	trimMessages  = 5000   // rows of one transaction, which holds the stream's cursor
)

// agedEvery is how often rows are looked for that age alone removes, because their stream does not have
// them any more: deleted and imported messages.
const agedEvery = time.Hour

// An aging is a stream as it was at the last comparison.
type aging struct {
	wantedStream
	state jetstream.StreamState
}

// An ager hands the newest comparison to whoever removes what has become too old.
type ager struct {
	offers chan []aging
	looked map[string]time.Time // by stream: until when rows were looked for by age alone
}

func newAger() *ager { return &ager{offers: make(chan []aging, 1), looked: map[string]time.Time{}} }

// offer replaces a comparison that nobody has taken yet. Only the checker offers.
func (a *ager) offer(all []aging) {
	select {
	case <-a.offers:
	default:
	}
	a.offers <- all
}

// age removes what retention takes, from the streams and from the rows, until ctx ends.
func (p *projector) age(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case all := <-p.ages.offers:
			p.ageAll(ctx, all)
		}
	}
}

// ageAll goes round the streams, a piece of each at a time.
func (p *projector) ageAll(ctx context.Context, all []aging) {
	var left []*removal
	for _, a := range all {
		if r := p.plan(a); r.some() {
			left = append(left, r)
		}
	}
	for len(left) > 0 && ctx.Err() == nil {
		var more []*removal
		for _, r := range left {
			again, err := p.remove(ctx, r)
			if err != nil && ctx.Err() == nil {
				p.chat.log.WarnContext(ctx, "retention waits", "stream", r.name, "error", err)
			}
			if again && err == nil {
				more = append(more, r)
			}
		}
		left = more
	}
}

// A removal is what is to go of a stream and its rows.
type removal struct {
	aging
	before time.Time // what was stored earlier is too old; zero: nothing is by age
	purge  bool      // the stream holds some of it
	trim   bool      // rows are to be looked for
	target uint64    // the first sequence that stays, by the leader's word; 0: not asked yet
	taken  int64     // the newest row that retention took; -1: not looked for yet
}

func (r *removal) some() bool { return r.purge || r.trim }

// plan says what there may be to remove, by the stream's state alone.
func (p *projector) plan(a aging) *removal {
	now := p.chat.now()
	r := &removal{aging: a, taken: -1}
	if age := a.tenant.Retention.Age(a.class); age > 0 {
		r.before = now.Add(-age)
	}
	if a.class == tenant.Day {
		r.before = midnight(now, a.tenant)
		r.purge = a.state.Msgs > 0 && a.state.FirstTime.Before(r.before)
	}
	looked := p.ages.looked[a.name]
	aged := !r.before.IsZero() && (now.Sub(looked) > agedEvery || a.class == tenant.Day && looked.Before(r.before))
	r.trim = aged || r.purge || a.state.FirstSeq > a.firstSeq
	if aged {
		p.ages.looked[a.name] = now
	}
	return r
}

// midnight is the last one by a tenant's clocks. A zone that this machine does not know counts as UTC.
func midnight(now time.Time, t tenant.Tenant) time.Time {
	place, err := time.LoadLocation(t.Timezone)
	if err != nil {
		place = time.UTC
	}
	return tenant.Midnight(now, place)
}

// remove does a piece, and reports whether there is more.
func (p *projector) remove(ctx context.Context, r *removal) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.chat.timing.call)
	defer cancel()
	if r.purge {
		if err = p.purgeSome(ctx, r); err != nil {
			return false, fmt.Errorf("purge %s: %w", r.name, err)
		}
		return true, nil
	}
	n, err := p.trimSome(ctx, r)
	p.chat.metrics.trimmed.Add(float64(n))
	if err != nil {
		return false, fmt.Errorf("trim %s: %w", r.name, err)
	}
	return n == trimMessages, nil
}

// purgeSome takes the oldest messages out of a stream.
func (p *projector) purgeSome(ctx context.Context, r *removal) error {
	if r.target == 0 {
		from, err := p.chat.firstSince(ctx, r.name, r.before)
		if err != nil {
			return err
		}
		r.target = from
	}
	step := min(r.state.FirstSeq+purgeMessages, r.target)
	if err := p.chat.purgeBefore(ctx, r.name, step); err != nil {
		return err
	}
	r.state.FirstSeq = max(r.state.FirstSeq, step)
	r.purge = step < r.target
	return nil
}

const (
	// Retention takes the oldest first. So of what is in no stream any more, all is gone for good up to the newest
	// that nobody took out by hand, as a deletion does.
	sqlTaken = `SELECT coalesce(max(x.seq), 0) FROM rooms r CROSS JOIN LATERAL (
			SELECT m.seq FROM messages m WHERE m.room_pk = r.room_pk AND m.seq < $3 AND NOT m.purged
			ORDER BY m.seq DESC LIMIT 1) x
		WHERE r.tenant_id = $1 AND r.class = $2 AND r.state <> 'deleted'`
	// Below 2^50 are imported messages, which no stream ever had: age alone removes them.
	sqlTrim = `WITH old AS (
			SELECT m.room_pk, m.seq FROM rooms r JOIN messages m USING (room_pk)
			WHERE r.tenant_id = $1 AND r.class = $2 AND m.seq < $3 AND (m.seq <= $4 AND m.seq >= 1::bigint << 50 OR m.at < $5)
			ORDER BY m.room_pk, m.seq LIMIT $6
		), gone AS (
			DELETE FROM messages m USING old WHERE m.room_pk = old.room_pk AND m.seq = old.seq RETURNING m.room_pk, m.n
		), heads AS (
			UPDATE room_heads h SET first_n = greatest(h.first_n, g.n + 1)
			FROM (SELECT room_pk, max(n) AS n FROM gone GROUP BY room_pk) g WHERE h.room_pk = g.room_pk AND g.n IS NOT NULL
		)
		SELECT count(*) FROM gone`
	sqlTrimmed = `UPDATE streams SET first_seq = greatest(first_seq, $2) WHERE stream = $1`
)

// trimSome removes rows of messages that their stream does not keep. It holds the stream's row, so
// that no message below the first sequence is projected beside it.
func (p *projector) trimSome(ctx context.Context, r *removal) (n int, err error) {
	tx, err := p.chat.pool.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer rollback(ctx, tx)
	l := &line{stream: r.name, tenant: r.tenant.ID}
	if _, _, err = p.gather(ctx, tx, l, nil, false); err != nil {
		return 0, err
	}
	if _, err = tx.Exec(ctx, sqlPlanAnew); err != nil {
		return 0, err
	}
	first := r.state.FirstSeq
	if r.taken < 0 {
		if err = tx.QueryRow(ctx, sqlTaken, r.tenant.ID, r.class, first).Scan(&r.taken); err != nil {
			return 0, err
		}
	}
	if err = tx.QueryRow(ctx, sqlTrim, r.tenant.ID, r.class, first, r.taken, timeOrNil(r.before), trimMessages).Scan(&n); err != nil {
		return 0, err
	}
	if n < trimMessages {
		if _, err = tx.Exec(ctx, sqlTrimmed, r.name, first); err != nil {
			return 0, err
		}
	}
	return n, tx.Commit(ctx)
}

// firstSince is the sequence of the first message stored at a time or later, by the leader's word; where
// there is none, the one that the next message gets.
func (c *Chat) firstSince(ctx context.Context, stream string, t time.Time) (uint64, error) {
	last, ok, err := c.lastSeq(ctx, stream)
	if err != nil || !ok {
		return 0, err
	}
	var got msgGot
	err = c.ask(ctx, apiMsgGet+stream, msgGet{Since: &t, Next: ">"}, &got)
	if isJS(err, jsNoMessage) {
		return last + 1, nil
	}
	return got.Message.Seq, err
}

// purgeBefore takes the messages before a sequence out of a stream.
func (c *Chat) purgeBefore(ctx context.Context, stream string, seq uint64) error {
	if seq == 0 {
		return nil // the server would take all of them
	}
	request := struct {
		Seq uint64 `json:"seq"`
	}{seq}
	return ignoreJS(c.ask(ctx, apiPurge+stream, request, &struct{}{}), jsStreamNotFound)
}

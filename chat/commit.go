package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// A run is all that a stream holds from one sequence to another: what is between
// and not among the messages is absent for good.
type run struct {
	from, to uint64
	msgs     []stored
}

func (r run) empty() bool { return r.to < r.from }

// A movedError says that the cursor is not where a run begins.
type movedError struct{ last uint64 }

func (e *movedError) Error() string { return fmt.Sprintf("the stream is projected up to %d", e.last) }

// errDoubt says that a batch was judged without a look at what is there already, and needs it.
var errDoubt = errors.New("a message may be there already")

// commit writes a run. That a message is there already is rare, and the unique index says so (messages_once): it
// is looked for first only where a line had such a message lately, or had one to refuse, since who repeats a
// stored message is not refused.
func (p *projector) commit(ctx context.Context, l *line, r run, doom bool) error {
	ctx, cancel := context.WithTimeout(ctx, p.chat.timing.call)
	defer cancel()
	err := p.attempt(ctx, l, r, doom)
	if !errors.Is(err, errDoubt) {
		return err
	}
	l.look = true
	return p.attempt(ctx, l, r, doom)
}

// attempt writes a run: cursor, numbering, rows and refusals change together or not at all. The
// lock on the stream's row and the cursor in it make each sequence count once,
// whoever else believes to be the leader.
func (p *projector) attempt(ctx context.Context, l *line, r run, doom bool) error {
	tx, err := p.chat.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	batch := candidates(l.stream, r.msgs)
	if subject.IsSharedStream(l.stream) {
		if err = nameShared(ctx, tx, l, batch); err != nil {
			return err
		}
	} else if err = nameSigned(ctx, tx, l, batch); err != nil {
		return err
	}
	look := l.look || slices.ContainsFunc(batch, candidate.system) // an event may be about what is there
	f, last, err := p.gather(ctx, tx, l, batch, look)
	if err != nil {
		return err
	}
	if last != r.from-1 {
		return &movedError{last}
	}
	d := judge(f, batch, doom)
	if !look && len(d.refused) > 0 {
		return errDoubt
	}
	if err = p.write(ctx, tx, l, r, f, d); err != nil {
		if !look && doubled(err) {
			return errDoubt
		}
		return err
	}
	l.look = len(d.doubles)+len(d.refused) > 0
	p.committed(ctx, l, r, d)
	p.tells.heard(d.rows)
	p.flood.passed(l.tenant, f.limits.MessagesPerSecond, batch)
	return nil
}

func (p *projector) write(ctx context.Context, tx pgx.Tx, l *line, r run, f *facts, d ruling) error {
	if err := createRooms(ctx, tx, l.tenant, d); err != nil {
		return err
	}
	var q pgx.Batch
	d.write(&q, l, f)
	q.Queue(sqlMoveCursor, l.stream, r.to)
	if err := tx.SendBatch(ctx, &q).Close(); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (p *projector) committed(ctx context.Context, l *line, r run, d ruling) {
	p.chat.progress.advance(l.stream, r.to)
	p.chat.metrics.projected.Add(float64(len(d.rows)))
	p.chat.metrics.doubles.Add(float64(len(d.doubles)))
	var guests []mentioned
	for _, r := range d.rows {
		for _, to := range r.told {
			if strings.Contains(string(to), "@") {
				guests = append(guests, mentioned{r, to})
				continue
			}
			p.chat.notify(l.account, to, "mention", mentionNotice{Room: r.room.id, Seq: r.msg.seq, By: r.sender})
		}
	}
	p.chat.tellGuests(ctx, l.tenant, guests)
	for _, f := range d.refused {
		p.chat.metrics.refused.WithLabelValues(f.code).Inc()
	}
	if len(d.refused)+len(d.doubles) > 0 || d.erased {
		p.purge.wake()
	}
}

const (
	// The tenant's row is locked before the rows that refer to it, in the order of
	// tenant/pgstore, or the two could wait for each other.
	sqlLockTenant = `SELECT 1 FROM tenants WHERE tenant_id = $1 FOR KEY SHARE`
	sqlNewRoom    = `INSERT INTO rooms (tenant_id, room_id, kind, class, title, state, created_at, changed_at)
		VALUES ($1, $2, 'direct', $3, '', 'active', $4, $4) ON CONFLICT (tenant_id, room_id) DO NOTHING RETURNING room_pk`
	sqlMoveCursor = `UPDATE streams SET last_seq = $2 WHERE stream = $1`
)

// createRooms makes the direct rooms of a ruling. One that somebody made since the
// facts were read comes back as no row; the batch is then judged again.
func createRooms(ctx context.Context, tx pgx.Tx, t tenant.TenantID, d ruling) error {
	if len(d.created)+len(d.joins) == 0 {
		return nil
	}
	var q pgx.Batch
	q.Queue(sqlLockTenant, t)
	for _, room := range d.created {
		q.Queue(sqlNewRoom, t, room.id, room.class, room.changedAt).QueryRow(func(row pgx.Row) error { return row.Scan(&room.pk) })
	}
	return tx.SendBatch(ctx, &q).Close()
}

const (
	sqlInsertMembers = `INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT room_pk, $1, user_id, 'member', 'joined', at FROM unnest($2::bigint[], $3::text[], $4::timestamptz[]) AS m (room_pk, user_id, at)
		ON CONFLICT (room_pk, user_id, tenant_id) DO UPDATE
		SET state = 'joined', joined_at = excluded.joined_at, until = NULL, reason = '', role = CASE
			WHEN members.state = 'invited' AND (members.until IS NULL OR members.until > now()) THEN members.role ELSE excluded.role END
		WHERE members.state = 'invited' OR members.until <= now()`
	// What an edit carries of its message stands in the message's row.
	sqlInsertMessages = `INSERT INTO messages
			(room_pk, seq, n, sender, message_id, at, text, thread, mentions, attachments, data, event, target)
		SELECT room_pk, seq, nullif(n, 0), sender, message_id, at, text, thread, mentions::text[], attachments::jsonb, data::jsonb, event::jsonb - 'message', nullif(target, 0)
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[],
			$7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[])
			AS m (room_pk, seq, n, sender, message_id, at, text, thread, mentions, attachments, data, event, target)`
	// Most batches hold nothing but texts.
	sqlInsertTexts = `INSERT INTO messages (room_pk, seq, n, sender, message_id, at, text)
		SELECT room_pk, seq, n, sender, message_id, at, text
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
			AS m (room_pk, seq, n, sender, message_id, at, text)`
	sqlMoveHeads = `INSERT INTO room_heads (room_pk, last_n, last_seq, last_at)
		SELECT room_pk, last_n, last_seq, last_at
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[]) AS h (room_pk, last_n, last_seq, last_at)
		ON CONFLICT (room_pk) DO UPDATE
		SET last_n = excluded.last_n, last_seq = greatest(room_heads.last_seq, excluded.last_seq),
			last_at = greatest(room_heads.last_at, excluded.last_at)`
	sqlMovePosters = `INSERT INTO read_positions (room_pk, tenant_id, user_id, seq, n)
		SELECT room_pk, tenant_id, user_id, seq, n
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS p (room_pk, tenant_id, user_id, seq, n)
		ON CONFLICT (room_pk, user_id, tenant_id) DO UPDATE SET seq = excluded.seq, n = excluded.n
		WHERE read_positions.seq < excluded.seq`
	sqlInsertRefused = `INSERT INTO refused_posts (stream, seq, account, user_id, room_id, code)
		SELECT $1, seq, account, user_id, room_id, code
		FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[]) AS r (account, seq, user_id, room_id, code)
		ON CONFLICT (stream, seq) DO NOTHING`
	// An edit or a deletion erases the sequence that counts: what is twice in a stream would keep the text.
	sqlEraseDoubles = `INSERT INTO erasures (stream, seq) SELECT $1, unnest($2::bigint[]) ON CONFLICT (stream, seq) DO NOTHING`
)

// write queues what a ruling changes.
func (d ruling) write(q *pgx.Batch, l *line, f *facts) {
	if len(d.joins) > 0 {
		var pks []int64
		var users []tenant.UserID
		var ats []time.Time
		for _, j := range d.joins {
			pks, users, ats = append(pks, f.rooms[j.room].pk), append(users, j.user), append(ats, j.at)
		}
		q.Queue(sqlInsertMembers, l.tenant, pks, users, ats)
	}
	if len(d.rows) > 0 {
		if f.anew {
			q.Queue(sqlPlanOnce)
		}
		d.writeMessages(q)
		d.writeWords(q, l.tenant)
		d.writeHeads(q, f)
		d.writePosters(q, l.tenant, f)
		if len(f.targets) > 0 || slices.ContainsFunc(d.rows, func(r row) bool { return r.again }) {
			q.Queue(sqlPlanAnew)
			f.writeTargets(q, l)
			d.writeAnew(q)
		}
	}
	if len(d.doubles) > 0 {
		q.Queue(sqlEraseDoubles, l.stream, d.doubles)
	}
	if len(d.refused) > 0 {
		var seqs []uint64
		var accounts, users, rooms, codes []string
		for _, r := range d.refused {
			if r.account == "" {
				r.account = l.account
			}
			accounts = append(accounts, r.account)
			seqs, users = append(seqs, r.seq), append(users, r.sender)
			rooms, codes = append(rooms, r.room), append(codes, r.code)
		}
		q.Queue(sqlInsertRefused, l.stream, accounts, seqs, users, rooms, codes)
	}
}

func (d ruling) writeMessages(q *pgx.Batch) {
	n := len(d.rows)
	pks, seqs, ns := make([]int64, n), make([]uint64, n), make([]int64, n)
	senders, ids, ats, texts := make([]tenant.UserID, n), make([]string, n), make([]time.Time, n), make([]string, n)
	for i, r := range d.rows {
		pks[i], seqs[i], ns[i] = r.room.pk, r.msg.seq, r.n
		senders[i], ids[i], ats[i], texts[i] = r.sender, r.id, r.msg.at, r.body.Text
	}
	if !slices.ContainsFunc(d.rows, row.rich) {
		q.Queue(sqlInsertTexts, pks, seqs, ns, senders, ids, ats, texts)
		return
	}
	threads, targets := make([]*uint64, n), make([]uint64, n)
	mentions, attachments, datas, events := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
	for i, r := range d.rows {
		if r.body.Thread > 0 {
			threads[i] = &r.body.Thread
		}
		mentions[i], attachments[i] = mentionsArray(r.body.Mentions), attachmentsJSON(r.body.Attachments)
		if len(r.body.Data) > 0 {
			datas[i] = new(string(r.body.Data))
		}
		if r.n == 0 {
			events[i], targets[i] = new(string(r.msg.data)), min(r.target, maxSequence)
		}
	}
	q.Queue(sqlInsertMessages, pks, seqs, ns, senders, ids, ats, texts, threads, mentions, attachments, datas, events, targets)
}

// rich reports whether a row has more than a text.
func (r row) rich() bool {
	return r.n == 0 || r.body.Thread > 0 || len(r.body.Mentions)+len(r.body.Attachments)+len(r.body.Data) > 0
}

// mentionsArray writes ids, which hold no quotes, as an array's text.
func mentionsArray(users []string) *string {
	if len(users) == 0 {
		return nil
	}
	s := `{"` + strings.Join(users, `","`) + `"}`
	return &s
}

func attachmentsJSON(a []tenant.Attachment) *string {
	if len(a) == 0 {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil // strings and a number, from valid JSON, always encode
	}
	s := string(b)
	return &s
}

func (d ruling) writeHeads(q *pgx.Batch, f *facts) {
	var pks, ns []int64
	var seqs []uint64
	var ats []time.Time
	for _, room := range f.rooms {
		if room.touched {
			pks, ns = append(pks, room.pk), append(ns, room.lastN)
			seqs, ats = append(seqs, room.lastSeq), append(ats, room.lastAt)
		}
	}
	q.Queue(sqlMoveHeads, pks, ns, seqs, ats)
}

// writePosters moves the read positions of those who posted: who answers has read. A deleted
// user keeps no position.
func (d ruling) writePosters(q *pgx.Batch, t tenant.TenantID, f *facts) {
	newest := map[pair]row{}
	for _, r := range d.rows {
		k := pair{r.room.id, r.sender}
		if other, ok := newest[k]; f.active[r.sender] && (!ok || other.msg.seq < r.msg.seq) {
			newest[k] = r
		}
	}
	var pks, ns []int64
	var seqs []uint64
	var tenants []tenant.TenantID
	var users []tenant.UserID
	for k, r := range newest {
		u, of := splitName(k.user)
		if of == "" {
			of = t
		}
		pks, tenants, users = append(pks, r.room.pk), append(tenants, of), append(users, u)
		seqs, ns = append(seqs, r.msg.seq), append(ns, r.n)
	}
	q.Queue(sqlMovePosters, pks, tenants, users, seqs, ns)
}

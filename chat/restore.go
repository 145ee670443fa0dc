package chat

import (
	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// restore makes the row of a message of which the stream has nothing but an edit: the projector is behind what was erased, as
// after Postgres was restored from a backup. Its number is given when it has its place (sqlNumberAnew).
func (d *ruling) restore(f *facts, c candidate, room *roomFact) {
	e, rest := c.event, c.event.Message
	k := targetKey{room.id, e.Seq}
	if rest == nil || f.targets[k] != nil || e.Seq < f.firstSeq || e.Seq >= c.msg.seq {
		return
	}
	once := onceKey{room.id, e.By, rest.ID}
	if f.seen[once] {
		return
	}
	f.seen[once] = true
	room.lastN++
	room.touched, room.lastSeq = true, max(room.lastSeq, e.Seq)
	if room.lastAt.Before(rest.Time) {
		room.lastAt = rest.Time
	}
	d.rows = append(d.rows, row{
		room: room, n: room.lastN, sender: tenant.UserID(e.By), id: rest.ID, again: true,
		msg: &stored{seq: e.Seq, at: rest.Time}, body: bodyOf(e.Text, *rest),
	})
	f.targets[k] = &target{room: room, seq: e.Seq, number: room.lastN, thread: rest.Thread}
	if rest.Thread > 0 {
		f.reply(targetKey{room.id, rest.Thread}, room, 1)
	}
}

// Numbers have no holes, and follow the order of the stream: those from the first restored message on are given anew, and the
// positions there with them.
const (
	sqlNumberAnew = `UPDATE messages m SET n = o.n FROM (
			SELECT c.room_pk, x.seq, row_number() OVER (PARTITION BY c.room_pk ORDER BY x.seq) + coalesce(
				(SELECT b.n FROM messages b WHERE b.room_pk = c.room_pk AND b.seq < c.seq AND b.n IS NOT NULL ORDER BY b.seq DESC LIMIT 1),
				h.first_n - 1) AS n
			FROM unnest($1::bigint[], $2::bigint[]) AS c (room_pk, seq)
			JOIN room_heads h ON h.room_pk = c.room_pk
			JOIN messages x ON x.room_pk = c.room_pk AND x.seq >= c.seq AND x.n IS NOT NULL
		) o WHERE m.room_pk = o.room_pk AND m.seq = o.seq AND m.n <> o.n`
	sqlReadAnew = `UPDATE read_positions p SET n = (SELECT m.n FROM messages m WHERE m.room_pk = p.room_pk AND m.seq <= p.seq AND m.n IS NOT NULL
			ORDER BY m.seq DESC LIMIT 1)
		FROM unnest($1::bigint[], $2::bigint[]) AS c (room_pk, seq) WHERE p.room_pk = c.room_pk AND p.seq >= c.seq`
)

// writeAnew queues the numbers of rooms with restored messages.
func (d ruling) writeAnew(q *pgx.Batch) {
	first := map[int64]uint64{}
	for _, r := range d.rows {
		if r.again && (first[r.room.pk] == 0 || r.msg.seq < first[r.room.pk]) {
			first[r.room.pk] = r.msg.seq
		}
	}
	if len(first) == 0 {
		return
	}
	var pks []int64
	var seqs []uint64
	for pk, seq := range first {
		pks, seqs = append(pks, pk), append(seqs, seq)
	}
	q.Queue(sqlNumberAnew, pks, seqs)
	q.Queue(sqlReadAnew, pks, seqs)
}

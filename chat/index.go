package chat

import (
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

const (
	sqlInsertWords = `INSERT INTO message_words (room_pk, seq, scope, at, words)
		SELECT room_pk, seq, $1, at, array_to_tsvector(string_to_array(words, ' '))
		FROM unnest($2::bigint[], $3::bigint[], $4::timestamptz[], $5::text[]) AS w (room_pk, seq, at, words)`
	sqlChangeWords = `INSERT INTO message_words (room_pk, seq, scope, at, words)
		SELECT w.room_pk, w.seq, $1, m.at, array_to_tsvector(string_to_array(w.words, ' '))
		FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS w (room_pk, seq, words)
		JOIN messages m ON m.room_pk = w.room_pk AND m.seq = w.seq
		ON CONFLICT (room_pk, seq) DO UPDATE SET words = excluded.words`
)

// writeWords queues what search finds the messages by.
func (d ruling) writeWords(q *pgx.Batch, t tenant.TenantID) {
	s := scopeOf(t)
	var pks []int64
	var seqs []uint64
	var ats []time.Time
	var words []string
	for _, r := range d.rows {
		if r.n == 0 || r.body.Text == "" {
			continue
		}
		if w := s.words(r.room.pk, r.body.Text); w != "" {
			pks, seqs, ats, words = append(pks, r.room.pk), append(seqs, r.msg.seq), append(ats, r.msg.at), append(words, w)
		}
	}
	if len(pks) > 0 {
		q.Queue(sqlInsertWords, s.number, pks, seqs, ats, words)
	}
}

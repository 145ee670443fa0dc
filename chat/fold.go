package chat

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// Bounds of the reactions to one message: all of them travel with it in every page of history.
const (
	maxEmoji     = 20   // different ones
	maxReactions = 1000 // of all users together
)

type targetKey struct {
	room tenant.RoomID
	seq  uint64
}

// A target is a message that events or replies of a batch are about, and what becomes of it.
type target struct {
	room      *roomFact
	seq       uint64
	number    int64  // 0: an event
	thread    uint64 // the message that it replies to
	deleted   bool
	reactions map[string][]tenant.UserID

	touched  bool
	replies  int // more than before
	text     *string
	editedAt *time.Time
	editedBy uint64 // sequence of the newest edit
	erasedAt *time.Time
	reacted  bool
}

// fold applies an event to the message that it is about, and says whether the event
// is to be kept: what changes nothing is not, what can't be applied is refused. The
// order of the stream decides, so that all who read it come to the same.
func (f *facts) fold(c candidate) (keep bool, code string) {
	e := c.event
	switch e.Event {
	case tenant.EventEdited, tenant.EventDeleted, tenant.EventReaction:
	default:
		return true, ""
	}
	t := f.targets[targetKey{c.post.Room, e.Seq}]
	switch {
	case t != nil && t.deleted && e.Event == tenant.EventDeleted:
		return false, ""
	case t == nil || t.number == 0 || t.deleted || e.Seq >= c.msg.seq:
		return false, refusedTarget
	}
	switch e.Event {
	case tenant.EventEdited:
		t.text, t.editedAt, t.editedBy = &e.Text, &c.msg.at, c.msg.seq
	case tenant.EventDeleted:
		f.erase(c.post.Room, t, c.msg.at)
	case tenant.EventReaction:
		if !t.react(tenant.UserID(e.By), e.Emoji, e.On != nil && *e.On) {
			return false, ""
		}
	}
	t.touched = true
	return true, ""
}

// erase leaves a tombstone.
func (f *facts) erase(room tenant.RoomID, t *target, at time.Time) {
	t.text, t.editedAt, t.erasedAt = new(""), nil, &at
	t.deleted, t.reactions, t.reacted = true, nil, true
	if t.thread > 0 {
		f.reply(targetKey{room, t.thread}, t.room, -1)
	}
}

// reply counts the replies to a message, which need not be among the targets.
func (f *facts) reply(k targetKey, room *roomFact, more int) {
	t := f.targets[k]
	if t == nil {
		t = &target{room: room, seq: k.seq}
		f.targets[k] = t
	}
	t.replies, t.touched = t.replies+more, true
}

// react adds or takes away one reaction, and says whether that changes anything. Users stand in the
// order in which they reacted.
func (t *target) react(u tenant.UserID, emoji string, on bool) bool {
	users := t.reactions[emoji]
	at := slices.Index(users, u)
	switch {
	case on == (at >= 0), on && !t.mayReact(emoji):
		return false
	case on:
		if t.reactions == nil {
			t.reactions = map[string][]tenant.UserID{}
		}
		t.reactions[emoji] = append(users, u)
	default:
		if t.reactions[emoji] = slices.Delete(users, at, at+1); len(users) == 1 {
			delete(t.reactions, emoji)
		}
	}
	t.reacted = true
	return true
}

// mayReact reports whether the message takes one more reaction.
func (t *target) mayReact(emoji string) bool {
	count := 0
	for _, users := range t.reactions {
		count += len(users)
	}
	return count < maxReactions && (len(t.reactions) < maxEmoji || t.reactions[emoji] != nil)
}

// The subquery is one look into the index each, as in sqlSeen.
const sqlTargets = `SELECT r.room_id, m.seq, coalesce(m.n, 0), coalesce(m.thread, 0), m.deleted_at IS NOT NULL, m.reactions
	FROM unnest($2::text[], $3::bigint[]) AS p (room_id, seq)
	JOIN rooms r ON r.tenant_id = $1 AND r.room_id = p.room_id
	CROSS JOIN LATERAL (SELECT * FROM messages m WHERE m.room_pk = r.room_pk AND m.seq = p.seq OFFSET 0) AS m`

func (f *facts) scanTargets(rows pgx.Rows) error {
	var k targetKey
	var t target
	var reactions []byte
	_, err := pgx.ForEachRow(rows, []any{&k.room, &t.seq, &t.number, &t.thread, &t.deleted, &reactions}, func() error {
		one := t
		k.seq, one.room = t.seq, f.rooms[k.room]
		f.targets[k] = &one
		if reactions == nil {
			return nil
		}
		return json.Unmarshal(reactions, &one.reactions)
	})
	return err
}

const (
	sqlChangeMessages = `UPDATE messages m SET
			replies = m.replies + c.replies,
			text = coalesce(c.text, m.text),
			edited_at = CASE WHEN c.deleted_at IS NULL THEN coalesce(c.edited_at, m.edited_at) END,
			deleted_at = coalesce(m.deleted_at, c.deleted_at),
			reactions = CASE WHEN c.reacted THEN c.reactions::jsonb ELSE m.reactions END,
			mentions = CASE WHEN c.deleted_at IS NULL THEN m.mentions END,
			attachments = CASE WHEN c.deleted_at IS NULL THEN m.attachments END,
			data = CASE WHEN c.deleted_at IS NULL THEN m.data END,
			purged = m.purged OR c.text IS NOT NULL
		FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bool[], $8::text[])
			AS c (room_pk, seq, replies, text, edited_at, deleted_at, reacted, reactions)
		WHERE m.room_pk = c.room_pk AND m.seq = c.seq`
	// An old text is in the message and in its edits before sequence $4: none of them keeps it, in the rows or in the stream.
	sqlEraseMessages = `WITH edits AS (
			UPDATE messages m SET event = m.event - 'text', purged = true
			FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS c (room_pk, seq, before)
			WHERE m.room_pk = c.room_pk AND m.target = c.seq AND m.seq < c.before AND m.event->>'event' = 'edited' AND NOT m.purged
			RETURNING m.seq
		)
		INSERT INTO erasures (stream, seq)
		SELECT $1, seq FROM unnest($3::bigint[]) AS c (seq) UNION SELECT $1, seq FROM edits
		ON CONFLICT DO NOTHING`
)

// writeTargets queues what becomes of older messages, and of those that the batch has just added.
func (f *facts) writeTargets(q *pgx.Batch, l *line) {
	s := scopeOf(l.tenant)
	var pks, editPKs, oldPKs []int64
	var seqs, editSeqs, oldSeqs, before []uint64
	var replies []int
	var words []string
	var texts, reactions []*string
	var edited, deleted []*time.Time
	var reacted []bool
	for _, t := range f.targets {
		if t == nil || !t.touched {
			continue
		}
		pks, seqs, replies = append(pks, t.room.pk), append(seqs, t.seq), append(replies, t.replies)
		texts, edited, deleted = append(texts, t.text), append(edited, t.editedAt), append(deleted, t.erasedAt)
		reacted, reactions = append(reacted, t.reacted), append(reactions, reactionsJSON(t.reactions))
		if t.text == nil {
			continue
		}
		keep := uint64(maxSequence)
		if t.erasedAt == nil {
			keep = t.editedBy
			editPKs, editSeqs, words = append(editPKs, t.room.pk), append(editSeqs, t.seq), append(words, s.words(t.room.pk, *t.text))
		}
		oldPKs, oldSeqs, before = append(oldPKs, t.room.pk), append(oldSeqs, t.seq), append(before, keep)
	}
	if len(pks) > 0 {
		q.Queue(sqlChangeMessages, pks, seqs, replies, texts, edited, deleted, reacted, reactions)
	}
	if len(editPKs) > 0 {
		q.Queue(sqlChangeWords, s.number, editPKs, editSeqs, words)
	}
	if len(oldPKs) > 0 {
		q.Queue(sqlEraseMessages, l.stream, oldPKs, oldSeqs, before)
	}
}

func reactionsJSON(r map[string][]tenant.UserID) *string {
	if len(r) == 0 {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil // strings always encode
	}
	return new(string(b))
}

package chat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// Imported messages are rows alone, in no stream: nobody is told of them, they are never unread, and their sequences, which count
// from 2 in each room, are below those of all streams, which begin with a time in microseconds (ADR 10).
const (
	importedBelow  = 1 << 50
	firstImported  = 2    // 1 stands for the beginning of a room (console, after=0)
	maxImportLines = 2000 // of a batch
	maxLineFaults  = 100  // that are told of a batch
)

const (
	// Imports into one room come one after the other.
	sqlLockRoom  = `SELECT room_pk FROM rooms WHERE room_pk = $1 FOR NO KEY UPDATE`
	sqlImportEnd = `SELECT coalesce((SELECT seq FROM messages WHERE room_pk = $1 AND seq < $2 ORDER BY seq DESC LIMIT 1), 1),
		(SELECT at FROM messages WHERE room_pk = $1 AND seq < $2 ORDER BY seq DESC LIMIT 1),
		(SELECT at FROM messages WHERE room_pk = $1 AND seq >= $2 ORDER BY seq LIMIT 1)`
	sqlImportUsers   = `SELECT user_id FROM users WHERE tenant_id = $1 AND user_id = ANY ($2)`
	sqlImportDoubles = `SELECT m.message_id FROM unnest($2::text[], $3::text[]) AS p (sender, id)
		JOIN messages m ON m.room_pk = $1 AND m.sender = p.sender AND m.message_id = p.id`
	sqlImportRoots = `SELECT message_id, seq FROM messages WHERE room_pk = $1 AND seq < $2 AND message_id = ANY ($3)`
	sqlImport      = `INSERT INTO messages (room_pk, seq, sender, message_id, at, text, thread, mentions, attachments, data, reactions, edited_at, deleted_at, purged)
		SELECT $1, seq, sender, message_id, at, text, nullif(thread, 0), mentions::text[], attachments::jsonb, data::jsonb, reactions::jsonb, edited_at, deleted_at, true
		FROM unnest($2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[],
			$12::timestamptz[], $13::timestamptz[]) AS m (seq, sender, message_id, at, text, thread, mentions, attachments, data, reactions, edited_at, deleted_at)`
	sqlImportReplies = `UPDATE messages m SET replies = m.replies + c.n
		FROM (SELECT thread, count(*) AS n FROM unnest($2::bigint[]) AS r (thread) WHERE thread > 0 GROUP BY 1) c
		WHERE m.room_pk = $1 AND m.seq = c.thread`
	sqlImportTenant = `SELECT timezone, retention FROM tenants WHERE tenant_id = $1`
)

// An importLine is a message of an import, in the form of an export.
type importLine struct {
	number int
	id     string // Message.Seq of its source, as a message id
	tenant.Message
}

const importPrefix = "import-"

func importID(seq uint64) string { return importPrefix + strconv.FormatUint(seq, 10) }

// lineFaults are what is wrong with lines, by "line 7".
type lineFaults map[string]string

func (f lineFaults) add(line int, why string) {
	if len(f) < maxLineFaults {
		f["line "+strconv.Itoa(line)] = why
	}
}

func (f lineFaults) err() error {
	if len(f) == 0 {
		return nil
	}
	more := ""
	if len(f) == maxLineFaults {
		more = " or more"
	}
	return &tenant.Error{Code: tenant.CodeInvalid, Fields: f, Message: fmt.Sprintf("%d lines%s can't be imported; nothing of this batch was", len(f), more)}
}

// ImportRoom puts the messages of NDJSON lines, the first of which has the number from, into the archive part of a room: all or none of them.
// They must be in the order of their times, and older than what people have posted there. A message that is there already is passed
// over, as are events.
func (c *Chat) ImportRoom(ctx context.Context, t tenant.TenantID, r tenant.RoomID, lines []byte, from int) (tenant.Imported, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*c.timing.call)
	defer cancel()
	room, err := c.find(ctx, t, r, "")
	if isNotFound(err) {
		return tenant.Imported{}, tenant.NotFound("room")
	}
	if err != nil {
		return tenant.Imported{}, err
	}
	if room.kind == tenant.Shared {
		return tenant.Imported{}, tenant.Errorf(tenant.CodeForbidden, "a shared room takes no imports")
	}
	// What people posted before is among the rows that are looked at.
	if err = c.caughtUp(ctx, room.stream); err != nil {
		return tenant.Imported{}, err
	}
	done := tenant.Imported{}
	all, err := parseLines(lines, from, &done)
	if err != nil {
		return tenant.Imported{}, err
	}
	err = pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error { return c.importLines(ctx, tx, t, room, all, &done) })
	if err != nil {
		return tenant.Imported{}, fromDB(err)
	}
	return done, nil
}

// parseLines reads lines by themselves.
func parseLines(lines []byte, from int, done *tenant.Imported) ([]importLine, error) {
	var all []importLine
	faults := lineFaults{}
	number := from - 1
	for text := range bytes.SplitSeq(lines, []byte("\n")) {
		number++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if len(all) == maxImportLines {
			return nil, tenant.Errorf(tenant.CodeTooLarge, "a batch has at most %d lines", maxImportLines)
		}
		l := importLine{number: number}
		why := parseLine(text, &l)
		switch {
		case why != "":
			faults.add(number, why)
		case l.Sender == tenant.System || len(l.Event) > 0:
			done.Skipped++
		default:
			all = append(all, l)
		}
	}
	done.Line = number
	return all, faults.err()
}

func parseLine(text []byte, l *importLine) string {
	if err := decodeStrict(text, &l.Message); err != nil {
		var semantic *json.SemanticError
		if errors.As(err, &semantic) && semantic.JSONPointer != "" {
			return "is no message: see " + string(semantic.JSONPointer)
		}
		return "is not the JSON of a message"
	}
	if l.Sender == tenant.System || len(l.Event) > 0 {
		return ""
	}
	l.id = importID(l.Seq)
	l.Time, l.Reactions = postgresTime(l.Time), nil // of users that may not be here
	switch {
	case l.Seq == 0 || l.Seq > maxSequence:
		return "seq: must be the number of the message where it comes from"
	case !tenant.ValidID(l.Sender):
		return "sender: must be the id of a user"
	case l.Time.IsZero():
		return "time: must be when it was said"
	case l.Thread >= l.Seq:
		return "thread: must be the seq of an earlier message"
	}
	if !l.Deleted.IsZero() {
		l.Text, l.Mentions, l.Attachments, l.Data, l.Edited = "", nil, nil, nil, time.Time{}
		return ""
	}
	b := body{Text: l.Text, Attachments: l.Attachments, Data: jsontext.Value(l.Data)}
	for _, u := range l.Mentions {
		b.Mentions = append(b.Mentions, string(u))
	}
	if encoded, err := json.Marshal(b); err != nil || !parses(encoded) {
		return "text, mentions, attachments or data: are not those of a message"
	}
	return ""
}

func parses(encoded []byte) bool {
	_, err := parseBody(encoded)
	return err == nil
}

// importLines judges the lines by what is in the room, and inserts them.
func (c *Chat) importLines(ctx context.Context, tx pgx.Tx, t tenant.TenantID, room seenRoom, all []importLine, done *tenant.Imported) error {
	var pk int64
	if err := tx.QueryRow(ctx, sqlLockRoom, room.pk).Scan(&pk); err != nil {
		return err
	}
	all, err := c.withoutDoubles(ctx, tx, room, all, done)
	if err != nil {
		return err
	}
	last, err := c.judgeLines(ctx, tx, t, room, all)
	if err != nil || len(all) == 0 {
		return err
	}
	roots, err := importRoots(ctx, tx, room, all)
	if err != nil {
		return err
	}
	done.Imported = len(all)
	return insertLines(ctx, tx, t, room, all, roots, max(last+1, firstImported))
}

// withoutDoubles leaves out what an earlier import brought, and what is twice in this one.
func (c *Chat) withoutDoubles(ctx context.Context, tx pgx.Tx, room seenRoom, all []importLine, done *tenant.Imported) ([]importLine, error) {
	var senders, ids []string
	for _, l := range all {
		senders, ids = append(senders, l.Sender), append(ids, l.id)
	}
	rows, err := tx.Query(ctx, sqlImportDoubles, room.pk, senders, ids)
	if err != nil {
		return nil, err
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, id := range there {
		known[id] = true
	}
	var fresh []importLine
	for _, l := range all {
		if known[l.id] {
			done.Doubles++
			continue
		}
		known[l.id] = true
		fresh = append(fresh, l)
	}
	return fresh, nil
}

// judgeLines refuses what does not fit before what is in the room, and returns the last sequence that an import has given.
func (c *Chat) judgeLines(ctx context.Context, tx pgx.Tx, t tenant.TenantID, room seenRoom, all []importLine) (last uint64, err error) {
	var newest, first *time.Time // of those imported, and of those posted
	if err = tx.QueryRow(ctx, sqlImportEnd, room.pk, importedBelow).Scan(&last, &newest, &first); err != nil {
		return 0, err
	}
	users, err := importUsers(ctx, tx, t, all)
	if err != nil {
		return 0, err
	}
	now := c.now()
	oldest, err := c.oldest(ctx, tx, t, room.class, now)
	if err != nil {
		return 0, err
	}
	faults := lineFaults{}
	for _, l := range all {
		switch {
		case !users[l.Sender]:
			faults.add(l.number, "sender: there is no user "+l.Sender+"; make them first")
		case newest != nil && l.Time.Before(*newest):
			faults.add(l.number, "time: is before that of the message above it, or of what was imported already")
		case first != nil && !l.Time.Before(*first):
			faults.add(l.number, "time: must be before the first message that was posted in the room, "+first.UTC().Format(time.RFC3339Nano))
		case l.Time.After(now):
			faults.add(l.number, "time: is in the future")
		case l.Time.Before(oldest):
			faults.add(l.number, "time: is older than the tenant keeps messages of class "+string(room.class)+"; import into a room of class keep")
		default:
			newest = &l.Time
		}
	}
	return last, faults.err()
}

// oldest is the time before which retention takes what is in a class; zero: none.
func (c *Chat) oldest(ctx context.Context, tx pgx.Tx, t tenant.TenantID, class tenant.Class, now time.Time) (time.Time, error) {
	var row tenant.Tenant
	if err := tx.QueryRow(ctx, sqlImportTenant, t).Scan(&row.Timezone, &row.Retention); err != nil {
		return time.Time{}, err
	}
	if class == tenant.Day {
		return midnight(now, row), nil
	}
	if age := row.Retention.Age(class); age > 0 {
		return now.Add(-age), nil
	}
	return time.Time{}, nil
}

func importUsers(ctx context.Context, tx pgx.Tx, t tenant.TenantID, all []importLine) (map[string]bool, error) {
	asked := map[string]bool{}
	for _, l := range all {
		asked[l.Sender] = true
	}
	rows, err := tx.Query(ctx, sqlImportUsers, t, slices.Collect(maps.Keys(asked)))
	if err != nil {
		return nil, err
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[string])
	known := map[string]bool{}
	for _, u := range users {
		known[u] = true
	}
	return known, err
}

// importRoots finds the messages of earlier batches that these reply to.
func importRoots(ctx context.Context, tx pgx.Tx, room seenRoom, all []importLine) (map[string]uint64, error) {
	here, asked := map[string]bool{}, map[string]bool{}
	for _, l := range all {
		here[l.id] = true
		if root := importID(l.Thread); l.Thread > 0 && !here[root] {
			asked[root] = true
		}
	}
	roots := map[string]uint64{}
	if len(asked) == 0 {
		return roots, nil
	}
	rows, err := tx.Query(ctx, sqlImportRoots, room.pk, importedBelow, slices.Collect(maps.Keys(asked)))
	if err != nil {
		return nil, err
	}
	var id string
	var seq uint64
	_, err = pgx.ForEachRow(rows, []any{&id, &seq}, func() error { roots[id] = seq; return nil })
	return roots, err
}

// insertLines gives the lines their sequences and writes them, with what search finds them by. A reply to a message that
// was not imported is a message of its own.
func insertLines(ctx context.Context, tx pgx.Tx, t tenant.TenantID, room seenRoom, all []importLine, roots map[string]uint64, next uint64) error {
	n := len(all)
	seqs, threads := make([]uint64, n), make([]uint64, n)
	senders, ids, texts := make([]string, n), make([]string, n), make([]string, n)
	ats, edited, deleted := make([]time.Time, n), make([]*time.Time, n), make([]*time.Time, n)
	mentions, attachments, datas, reactions := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
	s := scopeOf(t)
	var wordPKs []int64
	var wordSeqs []uint64
	var wordAts []time.Time
	var words []string
	for i, l := range all {
		seqs[i], threads[i] = next, roots[importID(l.Thread)]
		roots[l.id] = next
		next++
		senders[i], ids[i], texts[i], ats[i] = l.Sender, l.id, l.Text, l.Time
		edited[i], deleted[i] = timeOrNil(l.Edited), timeOrNil(l.Deleted)
		users := make([]string, len(l.Mentions))
		for j, u := range l.Mentions {
			users[j] = string(u)
		}
		mentions[i], attachments[i], reactions[i] = mentionsArray(users), attachmentsJSON(l.Attachments), reactionsJSON(l.Reactions)
		if len(l.Data) > 0 {
			data := string(l.Data)
			datas[i] = &data
		}
		if w := s.words(room.pk, l.Text); l.Text != "" && w != "" {
			wordPKs, wordSeqs = append(wordPKs, room.pk), append(wordSeqs, seqs[i])
			wordAts, words = append(wordAts, l.Time), append(words, w)
		}
	}
	var q pgx.Batch
	q.Queue(sqlImport, room.pk, seqs, senders, ids, ats, texts, threads, mentions, attachments, datas, reactions, edited, deleted)
	q.Queue(sqlImportReplies, room.pk, threads)
	q.Queue(sqlInsertWords, s.number, wordPKs, wordSeqs, wordAts, words)
	return tx.SendBatch(ctx, &q).Close()
}

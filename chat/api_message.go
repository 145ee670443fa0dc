package chat

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"parley/tenant"
)

// messageAnswer is the message as the caller reads it next.
type messageAnswer struct {
	okay
	Message tenant.Message `json:"message"`
}

type editRequest struct {
	Room string `json:"room"`
	Seq  uint64 `json:"seq"`
	Text string `json:"text"`
}

// opEdit replaces the text of one of the caller's own messages. What else it carries stays.
func (c *Chat) opEdit(ctx context.Context, who caller, q editRequest) (any, error) {
	room, m, err := c.message(ctx, who, q.Room, q.Seq)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Sender != string(who.user):
		return nil, aboutSeq(tenant.CodeForbidden, "only its author may edit a message")
	case !m.Deleted.IsZero():
		return nil, errDeleted
	}
	if err = room.mayPost(who.user); err != nil {
		return nil, err
	}
	rest, err := c.unedited(ctx, room, q.Seq)
	if err != nil {
		return nil, err
	}
	if err = checkEdit(who, rest, q.Text); err != nil {
		return nil, err
	}
	if q.Text == m.Text {
		return messageAnswer{okay: yes, Message: m}, nil
	}
	return c.say(ctx, room, tenant.Event{Event: tenant.EventEdited, By: string(who.user), Seq: q.Seq, Text: q.Text, Message: &rest})
}

type deleteRequest struct {
	Room string `json:"room"`
	Seq  uint64 `json:"seq"`
}

// opDelete leaves a tombstone of a message: of the caller's own, or as a moderator of anybody's.
func (c *Chat) opDelete(ctx context.Context, who caller, q deleteRequest) (any, error) {
	room, m, err := c.message(ctx, who, q.Room, q.Seq)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Sender != string(who.user) && !room.rights.Moderate:
		return nil, aboutSeq(tenant.CodeForbidden, "only its author or a moderator may delete a message")
	case room.state != tenant.RoomActive && !room.rights.Moderate:
		return nil, errClosed(room)
	case !m.Deleted.IsZero():
		return messageAnswer{okay: yes, Message: m}, nil
	}
	return c.say(ctx, room, tenant.Event{Event: tenant.EventDeleted, By: string(who.user), Seq: q.Seq})
}

type reactRequest struct {
	Room   string `json:"room"`
	Seq    uint64 `json:"seq"`
	Emoji  string `json:"emoji"`
	Remove bool   `json:"remove"`
}

// opReact adds the caller's reaction to a message, or takes it away.
func (c *Chat) opReact(ctx context.Context, who caller, q reactRequest) (any, error) {
	if !isEmoji(q.Emoji) {
		return nil, tenant.Invalid("emoji", "must be exactly one emoji")
	}
	room, m, err := c.message(ctx, who, q.Room, q.Seq)
	if err != nil {
		return nil, err
	}
	t := target{reactions: m.Reactions}
	switch {
	case !room.rights.Signal && room.kind != tenant.Announce: // where everybody is a reader
		return nil, tenant.Errorf(tenant.CodeForbidden, "a reader of this room does not react")
	case room.state != tenant.RoomActive:
		return nil, errClosed(room)
	case !m.Deleted.IsZero():
		return nil, errDeleted
	case slices.Contains(m.Reactions[q.Emoji], who.user) == !q.Remove:
		return messageAnswer{okay: yes, Message: m}, nil
	case !q.Remove && !t.mayReact(q.Emoji):
		return nil, tenant.Errorf(tenant.CodeLimitReached, "the message has %d different emoji or %d reactions, the most that it can have", maxEmoji, maxReactions)
	}
	return c.say(ctx, room, tenant.Event{
		Event: tenant.EventReaction, By: string(who.user), Seq: q.Seq, Emoji: q.Emoji, On: new(!q.Remove),
	})
}

// aboutSeq is the refusal of the message that a request names.
func aboutSeq(code tenant.Code, why string) *tenant.Error {
	return &tenant.Error{Code: code, Message: "seq: " + why, Fields: map[string]string{"seq": why}}
}

var errDeleted = aboutSeq(tenant.CodeInvalid, "the message was deleted")

func errClosed(room seenRoom) error {
	return tenant.Errorf(tenant.CodeForbidden, "the room is %s", room.state)
}

const sqlUnedited = `SELECT message_id, at, coalesce(thread, 0), mentions, attachments, data FROM messages WHERE room_pk = $1 AND seq = $2`

// unedited is what an edit does not change, with the names that the host has for users.
func (c *Chat) unedited(ctx context.Context, room seenRoom, seq uint64) (u tenant.Unedited, err error) {
	err = c.pool.QueryRow(ctx, sqlUnedited, room.pk, seq).Scan(&u.ID, &u.Time, &u.Thread, &u.Mentions, &u.Attachments, &u.Data)
	u.Time = u.Time.UTC()
	return u, fromDB(err)
}

// checkEdit holds a new text to the rules of the body that it comes into.
func checkEdit(who caller, rest tenant.Unedited, text string) error {
	switch {
	case text == "" && len(rest.Attachments) == 0 && len(rest.Data) == 0:
		return tenant.Invalid("text", "must not be empty; delete the message instead")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return tenant.Invalid("text", "must be UTF-8 without NUL")
	}
	data, err := json.Marshal(bodyOf(text, rest))
	if err == nil && int64(len(data)) > who.limits.MessageBytes {
		return tooLarge(len(data), who.limits)
	}
	return err
}

func tooLarge(bytes int, l tenant.Limits) error {
	return tenant.Errorf(tenant.CodeTooLarge, "the message has %d bytes as JSON, more than the tenant's %d", bytes, l.MessageBytes)
}

const sqlMessage = `SELECT ` + sqlMessageColumns + ` FROM messages m WHERE m.room_pk = $1 AND m.seq = $2`

// message finds a message, and no event, in a room that the caller may read.
func (c *Chat) message(ctx context.Context, who caller, r string, seq uint64) (seenRoom, tenant.Message, error) {
	if seq == 0 || seq > maxSequence {
		return seenRoom{}, tenant.Message{}, tenant.Invalid("seq", "must be the sequence of a message")
	}
	room, err := c.readable(ctx, who.tenant, r, who.user)
	if err != nil {
		return seenRoom{}, tenant.Message{}, err
	}
	if err = c.caughtUp(ctx, room.stream); err != nil {
		return seenRoom{}, tenant.Message{}, err
	}
	m, _, err := scanMessage(c.pool.QueryRow(ctx, sqlMessage, room.pk, seq))
	room.show(&m)
	if err = fromDB(err); isNotFound(err) || err == nil && (m.Sender == tenant.System || m.Time.Before(room.since)) {
		return seenRoom{}, tenant.Message{}, aboutSeq(tenant.CodeNotFound, "is no message of this room")
	}
	return room, m, err
}

// say stores an event about a message, and answers with the message when the event is applied.
func (c *Chat) say(ctx context.Context, room seenRoom, e tenant.Event) (any, error) {
	e.By = string(room.name(tenant.UserID(e.By)))
	event, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	seq, err := c.publish(ctx, room, systemDraft(room, rand.Text(), event))
	if err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, c.timing.readWait)
	defer cancel()
	if err = c.projected(wait, room.stream, seq); err != nil {
		return nil, err
	}
	m, _, err := scanMessage(c.pool.QueryRow(ctx, sqlMessage, room.pk, e.Seq))
	if err = fromDB(err); err != nil {
		return nil, err
	}
	room.show(&m)
	if !m.Deleted.IsZero() && e.Event != tenant.EventDeleted {
		return nil, errDeleted // meanwhile
	}
	return messageAnswer{okay: yes, Message: m}, nil
}

package chat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// maxPostID is the length of the longest id of a repeatable post in bytes.
const maxPostID = 200

// Post stores a message in a user's name, by the rules that hold for his own posts,
// and returns its sequence. The same ID and text again return the first sequence.
func (c *Chat) Post(ctx context.Context, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, m tenant.PostRequest) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	if err := checkPost(m); err != nil {
		return 0, err
	}
	who, err := c.caller(ctx, sqlPoster, string(t), as)
	if isNotFound(err) {
		return 0, tenant.Invalid("as", "is no active user of this tenant")
	}
	if err != nil {
		return 0, fmt.Errorf("find user %s: %w", as, err)
	}
	room, err := c.postable(ctx, who, r)
	if err != nil {
		return 0, err
	}
	d, err := newDraft(who, room, m)
	if err != nil {
		return 0, err
	}
	seq, same, err := c.posted(ctx, room, d, m)
	switch {
	case err != nil:
		return 0, fmt.Errorf("look for the post's id in room %s: %w", r, err)
	case seq > 0 && !same:
		return 0, errIDTaken
	case seq > 0:
		return seq, nil
	}
	if err = c.checkThread(ctx, room, m.Thread); err != nil {
		return 0, err
	}
	if err = c.paced(ctx, who, room); err != nil {
		return 0, err
	}
	return c.publish(ctx, room, d)
}

// checkPost names the field of what would be stored in vain: the rules are those of parseBody.
func checkPost(m tenant.PostRequest) error {
	switch {
	case m.Text == "" && len(m.Attachments) == 0 && len(m.Data) == 0:
		return tenant.Invalid("text", "must not be empty without attachments or data")
	case !utf8.ValidString(m.Text) || strings.ContainsRune(m.Text, 0):
		return tenant.Invalid("text", "must be UTF-8 without NUL")
	case m.Thread > maxSequence:
		return tenant.Invalid("thread", "is no sequence")
	case len(m.Mentions) > maxMentions:
		return tenant.Invalid("mentions", fmt.Sprintf("must be at most %d", maxMentions))
	case len(m.Attachments) > maxAttachments:
		return tenant.Invalid("attachments", fmt.Sprintf("must be at most %d", maxAttachments))
	case len(m.Data) > 0 && !validData(jsontext.Value(m.Data)):
		return tenant.Invalid("data", "must be a JSON object without NUL, at most 32 deep, with numbers that a float64 holds")
	case len(m.ID) > maxPostID:
		return tenant.Invalid("id", "must be at most 200 bytes")
	}
	for i, u := range m.Mentions {
		if !tenant.ValidID(string(u)) {
			return tenant.Invalid(fmt.Sprintf("mentions[%d]", i), "is no user id")
		}
	}
	for i, a := range m.Attachments {
		if !validAttachment(a) {
			return tenant.Invalid(fmt.Sprintf("attachments[%d]", i), "must have an http or https url of at most 2048 bytes, a name and a type of at most 200 and no negative size")
		}
	}
	return nil
}

const sqlThreadRoot = `SELECT coalesce(thread, 0) FROM messages WHERE room_pk = $1 AND seq = $2 AND n IS NOT NULL`

// checkThread says beforehand what the projector would refuse.
func (c *Chat) checkThread(ctx context.Context, room seenRoom, thread uint64) error {
	if thread == 0 {
		return nil
	}
	if err := c.caughtUp(ctx, room.stream); err != nil {
		return err
	}
	var above uint64
	err := fromDB(c.pool.QueryRow(ctx, sqlThreadRoot, room.pk, thread).Scan(&above))
	if isNotFound(err) {
		return tenant.Invalid("thread", "is no message of this room")
	}
	if err == nil && above > 0 {
		return tenant.Invalid("thread", "is a reply itself; reply to the message that it replies to")
	}
	return err
}

// postable finds a room in which a user may post. The room of two users need not exist yet:
// their first message makes it.
func (c *Chat) postable(ctx context.Context, who caller, r tenant.RoomID) (seenRoom, error) {
	room, err := c.room(ctx, who.tenant, r, who.user)
	low, high, direct := r.Pair()
	switch {
	case isNotFound(err) && direct:
		return c.newDirect(ctx, who, r, low, high)
	case isNotFound(err) || err == nil && !room.rights.Read:
		return seenRoom{}, tenant.NotFound("room")
	case err != nil:
		return seenRoom{}, fmt.Errorf("find room %s: %w", r, err)
	}
	return room, room.mayPost(who.user)
}

// mayPost says why a user can't say anything in the room now; nil: he can.
func (r seenRoom) mayPost(u tenant.UserID) error {
	switch {
	case !r.rights.Post:
		return tenant.Errorf(tenant.CodeForbidden, "%s may not post in this room", u)
	case r.muted == tenant.OverRate:
		return tenant.Errorf(tenant.CodeRateLimited, "%s posted faster than the tenant allows; wait some seconds", u)
	case r.muted != "":
		return tenant.Errorf(tenant.CodeForbidden, "%s is muted in this room", u)
	case r.state != tenant.RoomActive:
		return errClosed(r)
	}
	return nil
}

const sqlRoomGone = `SELECT EXISTS (SELECT FROM rooms WHERE tenant_id = $1 AND room_id = $2)`

func (c *Chat) newDirect(ctx context.Context, who caller, r tenant.RoomID, low, high tenant.UserID) (seenRoom, error) {
	other := low
	if who.user == low {
		other = high
	}
	if who.user != low && who.user != high {
		return seenRoom{}, tenant.NotFound("room")
	}
	var gone bool
	if err := c.pool.QueryRow(ctx, sqlRoomGone, who.tenant, r).Scan(&gone); err != nil {
		return seenRoom{}, fromDB(err)
	}
	_, err := c.caller(ctx, sqlPoster, string(who.tenant), other)
	if gone || isNotFound(err) {
		return seenRoom{}, tenant.NotFound("room")
	}
	return seenRoom{
		id: r, viewer: who.tenant, host: who.tenant, account: who.account, kind: tenant.Direct, class: tenant.Std, stream: subject.Stream(who.account, tenant.Std), state: tenant.RoomActive,
	}, err
}

// A draft is a message before it is stored.
type draft struct {
	subject string
	sender  tenant.UserID
	id      string // Nats-Msg-Id
	body    []byte
}

func newDraft(who caller, room seenRoom, m tenant.PostRequest) (draft, error) {
	d := draft{id: rand.Text(), sender: room.name(who.user)}
	if m.ID != "" {
		// Ids are the stream's, so the room and the user go in: the same
		// id elsewhere is another message.
		sum := sha256.Sum256([]byte(string(room.id) + "\x00" + string(who.user) + "\x00" + m.ID))
		d.id = "post-" + hex.EncodeToString(sum[:])
	}
	d.subject = room.post(string(who.user)).Stored(who.account)
	var err error
	b := body{Text: m.Text, Thread: m.Thread, Attachments: m.Attachments, Data: jsontext.Value(m.Data)}
	for _, u := range m.Mentions {
		b.Mentions = append(b.Mentions, string(u))
	}
	if d.body, err = json.Marshal(b); err != nil {
		return draft{}, err
	}
	if int64(len(d.body)) > who.limits.MessageBytes {
		return draft{}, tooLarge(len(d.body), who.limits)
	}
	return d, nil
}

// What was edited or deleted since can't be compared.
const sqlPosted = `SELECT seq, text = $4 AND coalesce(thread, 0) = $5 OR edited_at IS NOT NULL OR deleted_at IS NOT NULL
	FROM messages WHERE room_pk = $1 AND sender = $2 AND message_id = $3`

// posted finds a message of the same id, also one that the stream no longer remembers, and says
// whether it is the same. 0: there is none.
func (c *Chat) posted(ctx context.Context, room seenRoom, d draft, m tenant.PostRequest) (seq uint64, same bool, err error) {
	err = c.pool.QueryRow(ctx, sqlPosted, room.pk, d.sender, d.id, m.Text, m.Thread).Scan(&seq, &same)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return seq, same, fromDB(err)
}

var errIDTaken = tenant.Errorf(tenant.CodeConflict, "another message was posted with this id")

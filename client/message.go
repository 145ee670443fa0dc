package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// A Message is one that was stored in a room, from history or live.
type Message struct {
	Seq    uint64    // its place in the order of the room; grows, with gaps
	Sender string    // a user id, <user>@<tenant> of another tenant's user, or tenant.System for events
	Time   time.Time // when it was stored
	Text   string

	Thread      uint64 // sequence of the message that it answers to, 0: none
	Mentions    []string
	Attachments []Attachment
	Data        json.RawMessage // what an application put there
	Event       *Event          // set where Sender is tenant.System

	// ID is what its sender gave it (Draft.ID); only live messages tell it.
	ID string

	// Only history knows these.
	N         int64 // number in the room, 1, 2, 3, …; 0 for events
	Replies   int
	Reactions map[string][]string // user ids by emoji
	Edited    bool
	Deleted   bool // Text is empty

	// Late is set where a message with a greater Seq was delivered before.
	Late bool
}

// An Attachment is a link to a file that is kept elsewhere.
type Attachment struct {
	URL  string `json:"url"`
	Name string `json:"name"`
	Type string `json:"type"`
	Size int64  `json:"size"`
}

// What an Event can be about. Beside each: the fields that it has.
const (
	EventCreated  = "created"  // By
	EventJoined   = "joined"   // User
	EventLeft     = "left"     // User
	EventInvited  = "invited"  // By, User
	EventRemoved  = "removed"  // By, User, Reason
	EventBanned   = "banned"   // By, User, On, Until, Reason
	EventMuted    = "muted"    // By, User, On, Until, Reason
	EventRole     = "role"     // By, User, Role
	EventEdited   = "edited"   // By, Seq, Text
	EventDeleted  = "deleted"  // By, Seq
	EventReaction = "reaction" // By, Seq, Emoji, On
	EventPinned   = "pinned"   // By, Seq, On
	EventFrozen   = "frozen"   // By, On
	EventArchived = "archived" // By, On
	EventSettings = "settings" // By; Raw has the settings that changed
)

// An Event is what the platform says in a room. Type says which fields are set; there may
// be types that this client does not know.
type Event struct {
	Type   string
	User   string // whom it is about
	By     string // who did it; "": the tenant's backend or an admin
	Seq    uint64 // which message it is about
	Text   string
	Emoji  string
	Role   tenant.Role
	On     bool // false where it ended
	Until  time.Time
	Reason string
	Raw    json.RawMessage // all of it
}

// body is the JSON of a live message.
type body struct {
	Text        string          `json:"text"`
	Thread      uint64          `json:"thread"`
	Mentions    []string        `json:"mentions"`
	Attachments []Attachment    `json:"attachments"`
	Data        json.RawMessage `json:"data"`
}

// valid is the part of the projector's rules that does not change with its version: what
// it would leave out of the history for good is not shown live either.
func (b body) valid() bool {
	for _, a := range b.Attachments {
		if !strings.HasPrefix(a.URL, "https://") && !strings.HasPrefix(a.URL, "http://") {
			return false // a reader may make a link of it
		}
	}
	return b.Text != "" || len(b.Attachments) > 0 || len(b.Data) > 0
}

var errJunk = errors.New("not a message")

// parseLive believes a message only if the server's headers are there once each, so
// that neither an answer aimed at a live subject nor a header of the sender's own
// passes for one; who speaks is in the subject that it was delivered on.
func parseLive(r Room, m *nats.Msg) (Message, error) {
	sender, by, err := r.locate(m.Subject)
	if err != nil {
		return Message{}, err
	}
	out, err := parseStoredLive(m, sender)
	if err == nil && r.Shared != nil {
		r.Shared.rename(&out, by)
	}
	return out, err
}

func parseStoredLive(m *nats.Msg, sender string) (Message, error) {
	_, okStream := single(m.Header, "Nats-Stream")
	_, okSubject := single(m.Header, "Nats-Subject")
	seqText, okSeq := single(m.Header, "Nats-Sequence")
	timeText, okTime := single(m.Header, "Nats-Time-Stamp")
	if !okStream || !okSubject || !okSeq || !okTime {
		return Message{}, errJunk
	}
	seq, errSeq := strconv.ParseUint(seqText, 10, 64)
	at, errTime := time.Parse(time.RFC3339Nano, timeText)
	if errSeq != nil || errTime != nil || seq == 0 {
		return Message{}, errJunk
	}
	out := Message{Seq: seq, Sender: sender, Time: at}
	if sender == tenant.System {
		var err error
		out.Event, err = parseEvent(m.Data)
		return out, err
	}
	var b body
	if err := decodeObject(m.Data, &b); err != nil || !b.valid() {
		return Message{}, errJunk
	}
	out.Text, out.Thread, out.Mentions, out.Attachments, out.Data = b.Text, b.Thread, b.Mentions, b.Attachments, b.Data
	out.ID, _ = single(m.Header, nats.MsgIdHdr)
	return out, nil
}

// single is the value of a header that stands there exactly once.
func single(h nats.Header, key string) (string, bool) {
	v := h[key]
	if len(v) != 1 || v[0] == "" {
		return "", false
	}
	return v[0], true
}

// decodeObject decodes one JSON object with nothing behind it.
func decodeObject(raw []byte, into any) error {
	return decodeOne(json.NewDecoder(bytes.NewReader(raw)), raw, into)
}

// decodeStrict is decodeObject without unknown keys.
func decodeStrict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return decodeOne(dec, raw, into)
}

func decodeOne(dec *json.Decoder, raw []byte, into any) error {
	if t := bytes.TrimLeft(raw, " \t\r\n"); len(t) == 0 || t[0] != '{' || !utf8.Valid(raw) {
		return errJunk // null decodes into anything
	}
	if err := dec.Decode(into); err != nil {
		return errJunk
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errJunk
	}
	return nil
}

func parseEvent(raw []byte) (*Event, error) {
	var head struct {
		Event string `json:"event"`
	}
	if err := decodeObject(raw, &head); err != nil || head.Event == "" {
		return nil, errJunk
	}
	e := &Event{Type: head.Event, Raw: bytes.Clone(raw)}
	// The fields differ from event to event; one of another type leaves the rest as it is.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err == nil {
		for name, into := range map[string]any{
			"user": &e.User, "by": &e.By, "seq": &e.Seq, "text": &e.Text, "emoji": &e.Emoji,
			"role": &e.Role, "on": &e.On, "until": &e.Until, "reason": &e.Reason,
		} {
			_ = json.Unmarshal(fields[name], into)
		}
	}
	return e, nil
}

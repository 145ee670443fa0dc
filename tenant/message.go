package tenant

import (
	"encoding/json"
	"time"
)

// A Message is one stored message of a room, as readers see it. What is empty is left out of its JSON.
type Message struct {
	Seq         uint64              `json:"seq"`        // of the stream: the order
	N           int64               `json:"n,omitzero"` // 1, 2, 3, … in the room; 0 for events
	Sender      string              `json:"sender"`     // a user id, or System
	Time        time.Time           `json:"time"`       // when it was stored, to the microsecond
	Text        string              `json:"text"`
	Thread      uint64              `json:"thread,omitzero"` // sequence of the message that it replies to
	Replies     int                 `json:"replies,omitzero"`
	Reactions   map[string][]UserID `json:"reactions,omitzero"` // users by emoji
	Mentions    []UserID            `json:"mentions,omitzero"`
	Attachments []Attachment        `json:"attachments,omitzero"`
	Data        json.RawMessage     `json:"data,omitzero"` // an object of the sender's
	Edited      time.Time           `json:"edited,omitzero"`
	Deleted     time.Time           `json:"deleted,omitzero"`
	Event       json.RawMessage     `json:"event,omitzero"`
}

// An Attachment is a file that a message points to. Parley does not hold the file.
type Attachment struct {
	URL  string `json:"url"` // http or https
	Name string `json:"name,omitzero"`
	Type string `json:"type,omitzero"` // media type
	Size int64  `json:"size,omitzero"` // bytes
}

// Bounds of a page of history.
const (
	DefaultHistory = 50
	MaxHistory     = 1000
)

// A HistoryQuery asks for a page of a room. Before and After are sequences, exclusive; Since
// is the first time that counts and Until the first that does not. Zero leaves a bound out.
// With After the page begins at the oldest message that fits, otherwise it ends at the newest.
type HistoryQuery struct {
	Before, After uint64
	Since, Until  time.Time
	Thread        uint64 // only the replies to this message; 0: all
	Limit         int    // 0: DefaultHistory
}

// A HistoryPage is a part of a room's history, oldest first.
type HistoryPage struct {
	Messages []Message `json:"messages"`
	More     bool      `json:"more"` // there is more in the direction asked
}

// Check reports what is out of range, and fills the default limit.
func (q *HistoryQuery) Check() error {
	f := faults{}
	if q.Limit == 0 {
		q.Limit = DefaultHistory
	}
	f.check(q.Limit > 0 && q.Limit <= MaxHistory, "limit", "must be 1 to 1,000")
	f.check(q.Before <= maxSequence, "before", "is no sequence")
	f.check(q.After <= maxSequence, "after", "is no sequence")
	f.check(q.Thread <= maxSequence, "thread", "is no sequence")
	return f.err()
}

// maxSequence is the greatest that a bigint column and a JetStream sequence have in common.
const maxSequence = 1<<63 - 1

// A PostRequest is a message that a backend posts over HTTP in a user's name.
type PostRequest struct {
	Text        string
	Thread      uint64 // the message that it replies to; 0: none
	Mentions    []UserID
	Attachments []Attachment
	Data        json.RawMessage // an object
	// ID makes the post repeatable: the same id of the same user in the same room is
	// stored once. Empty: each call is a message of its own.
	ID string
}

// A SearchQuery asks for messages that hold all words of a text.
type SearchQuery struct {
	Query string
	Room  RoomID // "": in all rooms
	As    UserID // only what this user may read; "": the tenant itself asks
	Limit int    // 0: DefaultSearch
	After string // FoundPage.Next of the page before; "": the newest
}

// Bounds of a search.
const (
	DefaultSearch = 20
	MaxSearch     = 100
)

// Check reports what is out of range, and fills the default limit.
func (q *SearchQuery) Check() error {
	f := faults{}
	if q.Limit == 0 {
		q.Limit = DefaultSearch
	}
	f.check(q.Limit > 0 && q.Limit <= MaxSearch, "limit", "must be 1 to 100")
	return f.err()
}

// A FoundPage is a part of what a search finds. It may have fewer messages than the limit, or none, though more follow.
type FoundPage struct {
	Messages []FoundMessage `json:"messages"` // newest first
	Next     string         `json:"next,omitempty"`
}

// A FoundMessage is a message with the place of what was looked for.
type FoundMessage struct {
	Room RoomID `json:"room"`
	Message
	Highlights []TextPart `json:"highlights"` // an excerpt of the text
}

// A TextPart is a stretch of plain text, never markup.
type TextPart struct {
	Text string `json:"text"`
	Hit  bool   `json:"hit,omitzero"` // it is what was looked for
}

package client

import (
	"context"
	"encoding/json"
	"time"

	"parley/tenant"
)

// A HistoryQuery says which messages of a room to read: the newest, or those Before or
// After a sequence, or Since a time; at most one of these three. Zero fields say nothing.
type HistoryQuery struct {
	Before, After uint64
	Since, Until  time.Time
	Thread        uint64 // only replies to this message
	Limit         int    // 0: 50; at most 1,000
}

type historyBody struct {
	Room   tenant.RoomID `json:"room"`
	Before uint64        `json:"before,omitempty"`
	After  uint64        `json:"after,omitempty"`
	Since  *time.Time    `json:"since,omitempty"`
	Until  *time.Time    `json:"until,omitempty"`
	Thread uint64        `json:"thread,omitempty"`
	Limit  int           `json:"limit,omitempty"`
}

// History reads stored messages, oldest first. It holds everything that was
// acknowledged before it was asked. more says that there are further ones in the
// direction of the query.
func (c *Client) History(ctx context.Context, r Room, q HistoryQuery) (messages []Message, more bool, err error) {
	var answer struct {
		Messages []stored `json:"messages"`
		More     bool     `json:"more"`
	}
	b := historyBody{Room: r.ID, Before: q.Before, After: q.After, Thread: q.Thread, Limit: q.Limit}
	if !q.Since.IsZero() {
		b.Since = &q.Since
	}
	if !q.Until.IsZero() {
		b.Until = &q.Until
	}
	if err := c.call(ctx, "history", b, &answer); err != nil {
		return nil, false, err
	}
	for _, s := range answer.Messages {
		messages = append(messages, s.message())
	}
	return messages, answer.More, nil
}

// stored is a message as the history answers it.
type stored struct {
	body
	Seq       uint64              `json:"seq"`
	N         int64               `json:"n"`
	Sender    string              `json:"sender"`
	Time      time.Time           `json:"time"`
	Replies   int                 `json:"replies"`
	Reactions map[string][]string `json:"reactions"`
	Edited    flag                `json:"edited"`
	Deleted   flag                `json:"deleted"`
	Event     json.RawMessage     `json:"event"`
}

func (s stored) message() Message {
	m := Message{
		Seq: s.Seq, Sender: s.Sender, Time: s.Time, Text: s.Text,
		Thread: s.Thread, Mentions: s.Mentions, Attachments: s.Attachments, Data: s.Data,
		N: s.N, Replies: s.Replies, Reactions: s.Reactions, Edited: bool(s.Edited), Deleted: bool(s.Deleted),
	}
	if s.Sender != tenant.System {
		return m
	}
	var err error
	if m.Event, err = parseEvent(s.Event); err != nil {
		m.Event = &Event{Raw: s.Event}
		_ = json.Unmarshal(s.Event, &m.Event.Type) // the bare name of an event
	}
	return m
}

// A flag is true for true, and for the time when something became so.
type flag bool

// UnmarshalJSON takes anything.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null", "false", `""`, "0":
		*f = false
	default:
		*f = true
	}
	return nil
}

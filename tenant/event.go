package tenant

import (
	"encoding/json"
	"time"
)

// EventName says what happened in a room.
type EventName string

// The events of DESIGN.md section 3. Beside each: the fields that it carries.
const (
	EventCreated  EventName = "created"  // By
	EventJoined   EventName = "joined"   // User
	EventLeft     EventName = "left"     // User
	EventInvited  EventName = "invited"  // By, User
	EventRemoved  EventName = "removed"  // By, User, Reason
	EventBanned   EventName = "banned"   // By, User, On, Until, Reason
	EventMuted    EventName = "muted"    // By, User, On, Until, Reason
	EventRole     EventName = "role"     // By, User, Role
	EventEdited   EventName = "edited"   // By, Seq, Text, Message
	EventDeleted  EventName = "deleted"  // By, Seq
	EventReaction EventName = "reaction" // By, Seq, Emoji, On
	EventPinned   EventName = "pinned"   // By, Seq, On
	EventFrozen   EventName = "frozen"   // By, On
	EventArchived EventName = "archived" // By, On
	EventSettings EventName = "settings" // By, and the settings that changed
)

// An Event is what the platform tells in a room: a stored message of sender System whose
// body is this JSON. What does not belong to its name is left out.
type Event struct {
	Event       EventName `json:"event"`
	By          string    `json:"by,omitzero"` // the user who did it; "": the tenant's backend or an admin
	User        UserID    `json:"user,omitzero"`
	Seq         uint64    `json:"seq,omitzero"` // of the message that it is about
	Text        string    `json:"text,omitzero"`
	Message     *Unedited `json:"message,omitzero"`
	Emoji       string    `json:"emoji,omitzero"`
	Role        Role      `json:"role,omitzero"`
	On          *bool     `json:"on,omitzero"` // false where it ended
	Until       time.Time `json:"until,omitzero"`
	Reason      string    `json:"reason,omitzero"`
	Title       *string   `json:"title,omitzero"`
	SlowSeconds *int      `json:"slow_seconds,omitzero"`
	History     *Reach    `json:"history,omitzero"`
}

// An Unedited is what an edit leaves of a message. The edit carries it, since the message is erased from its
// stream for the old text, and who reads the stream anew knows the message by the edit alone.
type Unedited struct {
	ID          string          `json:"id"` // unique for its sender in its room
	Time        time.Time       `json:"time"`
	Thread      uint64          `json:"thread,omitzero"`
	Mentions    []string        `json:"mentions,omitzero"`
	Attachments []Attachment    `json:"attachments,omitzero"`
	Data        json.RawMessage `json:"data,omitzero"`
}

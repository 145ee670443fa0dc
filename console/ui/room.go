package ui

import "time"

// Room is one room. What the person may not do is nil.
type Room struct {
	Page
	Base        string
	ID          string
	Kind        string
	Class       string // how long messages are kept
	State       string
	Host        string // the tenant that shares it; empty: it is the tenant's own
	Slow        int64  // seconds of slow mode
	Since       time.Time
	Actions     []Button
	Search      Search
	SearchError string
	Pinned      []MessageRow
	Messages    []MessageRow // newest first
	Older       string
	Newest      string
	Members     []MemberRow
	Mutes       []MemberRow
	Pager       Pager
	Add         *Form
	Edit        *Form
	Sanction    *Form
	Share       string // where it is offered to another tenant
	Delete      *Button
}

// A MemberRow is one member of a room, or one who is muted there.
type MemberRow struct {
	Link, ID, Name, Role, State, Reason string
	Since, Until                        time.Time // Until: when a ban, a mute or an invitation ends
	Change                              *Form
	Button                              *Button
}

// A MessageRow is one message.
type MessageRow struct {
	Seq          uint64
	Sender, Text string
	Parts        []TextPart // of one that was found, instead of Text
	Link         string     // where it stands in the room, of one that was found
	At           time.Time
	Event        string
	Edited       time.Time
	Deleted      bool
	Pinned       bool
	Replies      int64
	Reactions    []string
	Actions      []Button
}

// A TextPart is a piece of a text; a Hit is what was looked for.
type TextPart struct {
	Text string
	Hit  bool
}

// Reports lists the messages that users showed to moderators.
type Reports struct {
	Page
	Base   string
	Closed bool // shows the closed ones
	Tabs   []Tab
	Search Search
	Rows   []ReportRow
	Pager  Pager
}

// A ReportRow is one report.
type ReportRow struct {
	At                                          time.Time
	Room, RoomLink, Message, Sender, By, Reason string
	Outcome, Note                               string
	Closed                                      time.Time
	Actions                                     []Button
}

func (Room) template() string    { return "room" }
func (Reports) template() string { return "reports" }

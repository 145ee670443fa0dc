package ui

import "time"

// A Tile is one number of an overview, with its limit where there is one.
type Tile struct {
	Label, Link string
	Value       int64
	Most        int64 // 0: no limit
	Size        bool  // the numbers are bytes
	Note        string
}

// A Chart is a line over time.
type Chart struct {
	Title  string  `json:"-"`
	Label  string  `json:"label"`
	At     []int64 `json:"at"` // Unix seconds
	Values []int64 `json:"values"`
}

// Overview is the first page of a tenant.
type Overview struct {
	Page
	ID, Account string
	Tiles       []Tile
	Lines       []Chart
	Events      []AuditRow // the newest
	Fresh       bool       // nobody has posted yet
}

// Connect is where a developer gets his first message through.
type Connect struct {
	Page
	ID      string
	Checks  []Check
	Tabs    []Tab
	Snippet Form // asks for the snippet of the tab
	Wait    string
	Room    string
	Pane    *Pane // the chat as the second demo user, for who may chat
}

// A Check is something that was looked at, and is as it should be or not.
type Check struct {
	OK          bool
	What, State string
}

// A Tab is one of several ways.
type Tab struct {
	Label, Link string
	Current     bool
}

// Snippets is what to paste, with a token of the demo user that is good for a while.
type Snippets struct {
	Lead    string
	Parts   []Snippet
	Expires time.Time
	Error   string
}

// FirstMessage is the first message of the tenant; nil: not yet there.
type FirstMessage struct {
	Sender, Text string
	At           time.Time
	Took         time.Duration // from stored to readable; 0: it was there before anybody looked
	Tenant       string
	User         string // to revoke and watch
}

// Waiting is the box that turns green.
type Waiting struct {
	Again string // where to ask on; empty: it is there
	First *FirstMessage
}

// Rooms lists the rooms of a tenant.
type Rooms struct {
	Page
	ID     string
	Search Search
	Rows   []RoomRow
	Pager  Pager
	New    Form
	Open   bool // the form stands open: it came back, or there is no room yet
	May    bool
}

// A RoomRow is one room in a list.
type RoomRow struct {
	Link, ID, Title, Kind, Class, State string
	Members                             int64
}

// Users lists the users of a tenant.
type Users struct {
	Page
	ID     string
	Search Search
	Rows   []UserRow
	Pager  Pager
	New    Form
	Open   bool
	May    bool
}

// A UserRow is one user in a list.
type UserRow struct{ Link, ID, Name, Kind, Status string }

// User is one user.
type User struct {
	Page
	Base, ID, Name, Kind, Status, Reason, ExternalID, NKey string
	Since                                                  time.Time
	Connections                                            Connections
	Rooms                                                  []UserRoomRow
	More                                                   string
	Revoke                                                 *Form
	Restore                                                *Button
	Credentials                                            []CredentialRow
	Token, Creds, EndToken                                 *Form
	Edit, Erase                                            *Form
	Delete                                                 *Button
	Export                                                 string
}

// A CredentialRow is one credential that was issued to a user.
type CredentialRow struct {
	NKey, Kind     string
	Since, Revoked time.Time
	Revoke         *Button
}

// Erasure tells how far the erasure of a person is.
type Erasure struct {
	Page
	Base, ID        string
	Messages        int64
	Begun, Finished time.Time
}

// A UserRoomRow is one membership of a user.
type UserRoomRow struct {
	Link, ID, Title, Kind, Role, State string
}

// Secret shows what is shown once.
type Secret struct {
	Page
	Heading string
	Lead    string
	Name    string // of the file, for who keeps it
	Text    string
	Note    string
	Back    Option
}

// Connections is the list of open connections, a part of pages that looks again by itself.
type Connections struct {
	Base  string
	Again string // where the part comes from
	Rows  []ConnectionRow
	More  int64 // that are not shown
	At    time.Time
	User  bool // all are of one user
}

// A ConnectionRow is one open connection.
type ConnectionRow struct {
	Link, User, Method, Address, Server string
	Since                               time.Time
}

// Live is the page of open connections.
type Live struct {
	Page
	List Connections
}

// Keys lists the keys of a tenant.
type Keys struct {
	Page
	Tabs   []Tab // the kinds, of which New is the current one's
	Lead   string
	Search Search
	Rows   []KeyRow
	Pager  Pager
	New    Form
	May    bool
}

// A KeyRow is one key.
type KeyRow struct {
	ID, Name, Kind, Detail string
	Since, Used, Ends      time.Time
	Rotate                 string // "": it was rotated
	Remove                 Button
}

// KeyRotation asks what takes a key's place.
type KeyRotation struct {
	Page
	Keys, Name, Kind string
	Used, Ends       time.Time
	Form             Form
	Secret           bool // the new key's is shown
	May              bool
}

// Refusals lists the connections that were not let in.
type Refusals struct {
	Page
	Base   string
	Search Search
	Rows   []RefusalRow
	Pager  Pager
}

// A RefusalRow is one connection that was not let in.
type RefusalRow struct {
	At                                  time.Time
	User, Method, Address, Code, Reason string
}

// Audit lists who changed what.
type Audit struct {
	Page
	Lead   string
	Search Search
	Rows   []AuditRow
	Pager  Pager
	CSV    string // where the trail is, as it is searched
	Lines  string // the same as JSON lines
}

// An AuditRow is one change.
type AuditRow struct {
	At                    time.Time
	Actor, Action, Object string
	Before, After         string
}

// People lists who works for a tenant.
type People struct {
	Page
	Seats       []SeatRow
	Invitations []LinkRow
	Visits      []Visit
	Invite      Form
	May         bool
}

// A SeatRow is one person's seat.
type SeatRow struct {
	Email, Name, Role string
	Since             time.Time
	You               bool
	Change            *Form
	Remove            *Button
}

// A LinkRow is one open invitation.
type LinkRow struct {
	Role, By string
	Until    time.Time
	Back     *Button
}

// Settings are a tenant's own.
type Settings struct {
	Page
	ID, Account string
	Since       time.Time
	Form        Form
	Limits      []Tile
	Providers   []Option // issuer and name of the identity providers of users
	Erase       *Form
	Delete      *Form
	May         bool
}

func (Overview) template() string    { return "overview" }
func (Connect) template() string     { return "connect" }
func (Snippets) template() string    { return "snippets" }
func (Waiting) template() string     { return "waiting" }
func (Rooms) template() string       { return "rooms" }
func (Users) template() string       { return "users" }
func (User) template() string        { return "user" }
func (Erasure) template() string     { return "erasure" }
func (Secret) template() string      { return "secret" }
func (Connections) template() string { return "connections" }
func (Live) template() string        { return "live" }
func (Keys) template() string        { return "keys" }
func (KeyRotation) template() string { return "keyrotation" }
func (Refusals) template() string    { return "refusals" }
func (Audit) template() string       { return "audit" }
func (People) template() string      { return "people" }
func (Settings) template() string    { return "settings" }

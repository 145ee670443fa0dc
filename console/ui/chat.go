package ui

// Chat is where a person chats as a user of the tenant.
type Chat struct {
	Page
	Action string // of the choice of the user
	User   string
	Users  string // where users are
	Pane   Pane
	Error  string // why nobody can chat
}

// A Pane is a chat as one user: in its page, or beside the snippets of the onboarding.
type Pane struct {
	User    string
	Token   string // where the page gets tokens
	Servers string // where browsers connect
	Small   bool   // one room, without the list
}

func (Chat) template() string { return "chat" }

package ui

// Chat is where a person chats as a user of the tenant.
type Chat struct {
	Page
	Action  string // of the choice of the user
	User    string
	Users   string // where users are
	Token   string // where the page gets tokens
	Servers string // where browsers connect
	Error   string // why nobody can chat
}

func (Chat) template() string { return "chat" }

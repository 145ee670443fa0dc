package tenant

// Comings is what the roles tell each other about the users of an account who came or went.
type Comings struct {
	Users []UserID `json:"users,omitempty"`
	// Watcher is a user who asked who is there, and By the process that answered: the others forget
	// what they would tell him, so that he is told once.
	Watcher UserID `json:"watcher,omitempty"`
	By      string `json:"by,omitempty"`
}

package app

import (
	"parley/accounts"
	"parley/chat"
)

// platform is what the console shows operators of the machinery.
type platform struct {
	*accounts.Accounts
	*chat.Chat
}

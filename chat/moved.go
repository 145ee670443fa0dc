package chat

import (
	"parley/tenant"
	"parley/tenant/subject"
)

// Moved returns a channel that closes when this process has made more of an account's stream
// readable. Where another process is the projector it never does: who waits looks now and then too.
func (c *Chat) Moved(account string, class tenant.Class) <-chan struct{} {
	_, moved := c.progress.at(subject.Stream(account, class))
	return moved
}

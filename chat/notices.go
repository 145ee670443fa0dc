package chat

import (
	"encoding/json"

	"parley/tenant"
	"parley/tenant/subject"
)

// unreadNotice is live.user.<user>.unread: what one room has unread now, whichever device read.
type unreadNotice struct {
	Room     tenant.RoomID `json:"room"`
	Unread   int64         `json:"unread"`
	Mentions int64         `json:"mentions"`
	Last     uint64        `json:"last"`
	Read     uint64        `json:"read"`
}

// mentionNotice is live.user.<user>.mention.
type mentionNotice struct {
	Room tenant.RoomID `json:"room"`
	Seq  uint64        `json:"seq"`
	By   tenant.UserID `json:"by"`
}

// notify tells one user something at most once; what he misses he reads.
func (c *Chat) notify(account string, u tenant.UserID, what string, notice any) {
	data, err := json.Marshal(notice)
	if err == nil {
		err = c.conn.Publish(subject.PlatformNotice(account, u, what), data)
	}
	if err != nil {
		c.log.Warn("notice was not sent", "what", what, "error", err)
	}
}

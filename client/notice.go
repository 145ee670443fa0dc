package client

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// What a Notice can be about.
const (
	NoticeRights   = "rights"   // Rooms have new rights; the client reconnects by itself
	NoticeRevoked  = "revoked"  // Reason; the client has stopped
	NoticeRefused  = "refused"  // Room, Seq, Code: a post was stored but does not count
	NoticeInvited  = "invited"  // Room, By
	NoticeRemoved  = "removed"  // Room, By, Reason
	NoticeMention  = "mention"  // Room, Seq, By
	NoticeUnread   = "unread"   // Room, Unread, Mentions, Last, Read: also when another device has read
	NoticeRead     = "read"     // Room, Readers: others have read
	NoticePresence = "presence" // Users: who comes and goes, see Presence
	NoticeReported = "reported" // Room, Seq, By, Reason: to moderators
)

// A Notice is what the platform tells the user. What says which fields are set.
type Notice struct {
	What     string            `json:"-"`
	Room     string            `json:"room,omitempty"`
	Rooms    []string          `json:"rooms,omitempty"`
	By       string            `json:"by,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Code     string            `json:"code,omitempty"`
	Seq      uint64            `json:"seq,omitempty"`
	Unread   int64             `json:"unread"`
	Mentions int64             `json:"mentions"`
	Last     uint64            `json:"last,omitempty"`
	Read     uint64            `json:"-"` // up to this sequence
	Readers  map[string]uint64 `json:"-"` // up to which sequence, by user
	Users    []Presence        `json:"users,omitempty"`
}

// needed are the keys without which a notice is none.
var needed = map[string][]string{
	NoticeRights:   {"rooms"},
	NoticeRevoked:  {"reason"},
	NoticeRefused:  {"room", "seq", "code"},
	NoticeInvited:  {"room"},
	NoticeRemoved:  {"room"},
	NoticeMention:  {"room", "seq"},
	NoticeUnread:   {"room", "unread"},
	NoticeRead:     {"room", "read"},
	NoticePresence: {"users"},
	NoticeReported: {"room", "seq", "by"},
}

// answerKeys mark what is no notice but an answer of the stream or of a service, which
// any user can have sent to another's notice subject as the reply to a request.
var answerKeys = []string{"ok", "stream", "error", "type"}

func parseNotice(subj string, raw []byte) (Notice, bool) {
	what := subj[strings.LastIndexByte(subj, '.')+1:]
	keys, known := needed[what]
	n := Notice{What: what}
	var fields map[string]json.RawMessage
	if !known || decodeObject(raw, &fields) != nil || decodeObject(raw, &n) != nil {
		return Notice{}, false
	}
	for _, k := range keys {
		if _, ok := fields[k]; !ok {
			return Notice{}, false
		}
	}
	if raw, ok := fields["read"]; ok {
		var into any = &n.Read
		if what == NoticeRead {
			into = &n.Readers
		}
		if json.Unmarshal(raw, into) != nil {
			return Notice{}, false
		}
	}
	for _, k := range answerKeys {
		if _, ok := fields[k]; ok {
			return Notice{}, false
		}
	}
	return n, true
}

func (c *Client) onNotice(m *nats.Msg) {
	n, ok := parseNotice(m.Subject, m.Data)
	if !ok {
		c.junk.Add(1)
		return
	}
	c.notices.push(n)
	switch n.What {
	case NoticeRights:
		c.rooms.add(n.Rooms, c.listening())
		c.restart()
	case NoticePresence:
		c.tellWatches(n.Users)
	case NoticeRevoked:
		c.revoke(n.Reason)
	}
}

// kickWait is how long a revoked client waits for the server to close its connection.
const kickWait = time.Second

// revoke stops the client for good: at the kick that follows the notice, so that the
// revocation counts it among the connections that it closed, or soon where none follows.
func (c *Client) revoke(reason string) {
	c.log.Info("user revoked", "user", c.user)
	why := &RevokedError{Reason: reason}
	if c.revoked.CompareAndSwap(nil, why) {
		time.AfterFunc(kickWait, func() { c.stop(why) })
	}
}

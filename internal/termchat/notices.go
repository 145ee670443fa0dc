package termchat

import (
	"fmt"
	"time"

	"parley/client"
)

// notice tells what the platform says to the user, outside of rooms.
func (s *session) notice(n client.Notice) {
	room, by := clean(n.Room), orElse(clean(n.By), "somebody")
	switch n.What {
	case client.NoticeInvited:
		s.say(bold, fmt.Sprintf("· %s invites you to %s: /join %s", by, room, room))
	case client.NoticeRemoved:
		text := fmt.Sprintf("· %s took rights in %s away from you", by, room)
		if n.Reason != "" {
			text += ": " + clean(n.Reason)
		}
		if text != s.removed { // it is repeated until no connection has the rights
			s.say(bold, text)
		}
		s.removed = text
	case client.NoticeRefused:
		s.say(red, fmt.Sprintf("✗ a message of yours in %s does not count: %s", room, clean(n.Code)))
	case client.NoticeMention:
		if s.room == nil || n.Room != string(s.room.ID) {
			s.say(bold, fmt.Sprintf("· %s mentioned you in %s: /room %s", by, room, room))
		}
	case client.NoticeUnread:
		s.unread(n)
	}
}

// unread says once that another room has something new.
func (s *session) unread(n client.Notice) {
	if s.room != nil && n.Room == string(s.room.ID) {
		return
	}
	had := s.others[n.Room]
	s.others[n.Room] = n.Unread > 0
	if n.Unread > 0 && !had {
		s.say(dim, fmt.Sprintf("· %d new in %s: /room %s", n.Unread, clean(n.Room), clean(n.Room)))
	}
}

func (s *session) status(st client.Status) {
	switch st.State {
	case client.Reconnecting:
		if !s.down && s.downTime == nil {
			s.downTime = time.After(hurryAfter)
		}
	case client.Refused:
		s.downTime, s.down = nil, true
		s.say(red, "· the server does not let you in any more; still trying")
		s.prompt()
	case client.Connected:
		s.downTime = nil
		if s.down {
			s.down = false
			s.say(dim, "· connected again")
			s.prompt()
		}
	case client.Stopped: // step sees the client's end
	}
}

package chattest

import (
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"parley/tenant"
	"parley/tenant/subject"
)

// Check lets users in by the id that stands as their token, with the rights that the
// callout would give them.
func (s *Server) Check(c server.ClientAuthentication) bool {
	user, set, named := strings.Cut(c.GetOpts().Token, ";rooms=")
	if user == serviceToken {
		c.RegisterUser(&server.User{Username: user})
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins[user] = append(s.logins[user], c.GetOpts().Token)
	if as, ok := s.alias[user]; ok {
		user = as
	}
	if !tenant.ValidID(user) || s.refused[user] {
		return false
	}
	u := tenant.UserID(user)
	pub := []string{
		subject.API(u, "*"), "chat.*.open.*." + user, "sig.*.open.*." + user,
		"chat.*.direct." + user + ".*." + user, "chat.*.direct.*." + user + "." + user,
	}
	sub := []string{
		subject.Inbox(u) + ".>", subject.Notice(u, "*"), "live.*.open.*.*", "sig.*.open.*.*", "live.*.announce.*.*",
		"live.*.direct." + user + ".*.*", "live.*.direct.*." + user + ".*",
	}
	for _, r := range s.rooms {
		listed := !named || slices.Contains(strings.Split(set, ","), r.ID)
		if r.Kind == tenant.Private && listed && slices.Contains(r.Members, user) {
			pub = append(pub, r.place(user).Chat(), r.place(user).Sig())
			sub = append(sub, r.place("*").Live(), r.place("*").Sig())
		}
	}
	c.RegisterUser(&server.User{Username: user, Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: pub},
		Subscribe: &server.SubjectPermission{Allow: sub},
	}})
	return true
}

func (r *Room) place(sender string) subject.Post {
	return subject.Post{Class: tenant.Std, Kind: r.Kind, Room: tenant.RoomID(r.ID), Sender: sender}
}

func (r *Room) has(user string) bool {
	return r.Kind == tenant.Open || r.Kind == tenant.Announce || slices.Contains(r.Members, user)
}

// room finds a room; s.mu is held.
func (s *Server) room(id string) *Room {
	for _, r := range s.rooms {
		if r.ID == id {
			return r
		}
	}
	return nil
}

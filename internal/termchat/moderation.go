package termchat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/tenant"
)

var moderationHelp = []string{
	"  /create ROOM    make a private room of your own; /create ROOM open",
	"  /invite USER    invite somebody to this room; /invite USER ROLE",
	"  /kick USER      take somebody out; /kick USER WHY",
	"  /ban USER       keep somebody out; /ban USER 24h WHY; /unban USER",
	"  /mute USER      let somebody only read; /mute USER 90m WHY; /unmute USER",
	"  /role USER ROLE name a reader, member, poster, moderator or owner",
	"  /topic TITLE    give this room a title",
	"  /freeze         let nobody post here; /unfreeze",
	"  /notify LEVEL   be told of all here, of mentions, or of none",
	"  /block USER     have nothing to do with somebody; /unblock USER",
}

// A moderation is a request of the chat API that answers nothing but yes.
type moderation struct {
	op   string
	body map[string]any
	said string // when it is done
}

var moderations = []string{
	"/ban", "/block", "/create", "/freeze", "/invite", "/kick", "/mute", "/notify", "/role", "/topic", "/unban", "/unblock", "/unfreeze", "/unmute",
}

// roomless moderations are about no room that is open.
var roomless = []string{"/block", "/create", "/unblock"}

// parseModeration reads a command about the room that is open.
func parseModeration(room, command, arg string) (moderation, error) {
	words := strings.Fields(arg)
	if len(words) == 0 && command != "/freeze" && command != "/unfreeze" {
		return moderation{}, fmt.Errorf("%s needs more: /help", command)
	}
	m := moderation{op: strings.TrimPrefix(command, "/"), body: map[string]any{"room": room}}
	if len(words) > 0 {
		m.body["user"] = strings.TrimPrefix(words[0], "@")
		m.said = fmt.Sprintf("%s: done", command[1:]+" "+words[0])
		words = words[1:]
	}
	switch command {
	case "/topic":
		m = moderation{"settings", map[string]any{"room": room, "title": arg}, "the room has a new title"}
	case "/freeze", "/unfreeze":
		m = moderation{"freeze", map[string]any{"room": room, "on": command == "/freeze"}, command[1:] + ": done"}
	case "/notify":
		m.body = map[string]any{"room": room, "level": arg}
	case "/create":
		m.body = map[string]any{"room": strings.Fields(arg)[0]}
		if len(words) > 0 {
			m.body["kind"] = words[0]
		}
		m.said += ", /room " + strings.Fields(arg)[0]
	case "/block", "/unblock":
		m.op, m.body = "block", map[string]any{"user": m.body["user"], "on": command == "/block"}
	case "/invite":
		if len(words) > 0 {
			m.body["role"] = words[0]
		}
	case "/role":
		if len(words) != 1 {
			return moderation{}, fmt.Errorf("/role needs a user and a role, as /role bob %s", tenant.RoleModerator)
		}
		m.body["role"] = words[0]
	case "/ban", "/mute":
		if len(words) > 0 {
			if d, err := time.ParseDuration(words[0]); err == nil {
				m.body["seconds"] = int64(d / time.Second)
				words = words[1:]
			}
		}
		fallthrough
	case "/kick":
		if len(words) > 0 {
			m.body["reason"] = strings.Join(words, " ")
		}
	}
	return m, nil
}

// moderate carries out a command that needs a role in the room, as the service decides.
func (s *session) moderate(command, arg string) {
	room := ""
	if !slices.Contains(roomless, command) {
		room = string(s.room.ID)
	}
	m, err := parseModeration(room, command, arg)
	if err != nil {
		s.say(red, "✗ "+clean(err.Error()))
		return
	}
	s.try(command[1:], func(ctx context.Context) func() error {
		if err := s.c.Call(ctx, m.op, m.body, nil); err != nil {
			return failed(err)
		}
		return func() error {
			s.say(dim, "· "+clean(m.said))
			s.prompt()
			return nil
		}
	})
}

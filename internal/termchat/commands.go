package termchat

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parley/client"
	"parley/tenant"
)

var help = []string{
	"  /rooms [WORD]   your rooms; with a word, all that you could join",
	"  /room ROOM      go to a room",
	"  /join ROOM      join a room, and go there",
	"  /leave          leave this room",
	"  /dm USER        talk with one user",
	"  /who            who is in this room",
	"  /history        what was said before",
	"  /edit TEXT      say your last message otherwise",
	"  /delete         take your last message back",
	"  /reply TEXT     answer the last message of somebody else; /reply @USER TEXT",
	"  /react EMOJI    react to it; /react EMOJI @USER",
	"  /search WORDS   find messages",
	"  /quit           end (^D too)",
	"  //text          a message that begins with a slash",
}

// typed deals with a line of input.
func (s *session) typed(line string) error {
	line = strings.TrimRight(line, "\r\n")
	if strings.TrimSpace(line) == "" {
		return nil
	}
	if text, ok := strings.CutPrefix(line, "//"); ok {
		s.post("/" + text)
		return nil
	}
	if !strings.HasPrefix(line, "/") {
		s.post(line)
		return nil
	}
	command, arg, _ := strings.Cut(line, " ")
	arg = strings.TrimSpace(arg)
	return s.command(command, arg)
}

func (s *session) command(command, arg string) error {
	needsArg := slices.Contains([]string{"/join", "/room", "/dm", "/edit", "/reply", "/react", "/search"}, command)
	needsRoom := slices.Contains([]string{"/leave", "/who", "/history", "/edit", "/delete", "/reply", "/react"}, command)
	switch {
	case needsArg && arg == "":
		s.say(red, "✗ "+command+" needs more: /help")
		return nil
	case (needsRoom || slices.Contains(moderations, command) && !slices.Contains(roomless, command)) && s.room == nil:
		s.say(red, "✗ no room is open: /rooms, /room ROOM")
		return nil
	}
	switch command {
	case "/quit", "/exit":
		return errQuit
	case "/help":
		s.scr.print(help...)
		s.scr.print(moderationHelp...)
	case "/rooms":
		s.try("rooms", s.listRooms(arg))
	case "/room":
		s.turn(arg, s.enterRoom(arg))
	case "/dm":
		s.turn(arg, s.enterRoom("@"+strings.TrimPrefix(arg, "@")))
	case "/join":
		s.turn(arg, s.join(arg))
	case "/leave":
		s.try("leave", s.leave(s.room.Room))
	case "/who":
		s.try("who", s.who(s.room.Room))
	case "/history":
		s.try("history", s.older(s.room))
	case "/edit":
		s.edit(arg)
	case "/delete":
		s.remove()
	case "/reply":
		s.reply(arg)
	case "/react":
		s.react(arg)
	case "/search":
		s.try("search", s.search(arg))
	default:
		if slices.Contains(moderations, command) {
			s.moderate(command, arg)
			return nil
		}
		s.say(red, "✗ there is no "+clean(command)+": /help")
	}
	return nil
}

// try queues a job whose error is only said.
func (s *session) try(what string, j job) {
	s.do(func(ctx context.Context) func() error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		apply := j(ctx)
		return func() error {
			if err := apply(); err != nil {
				return s.complain(clean(what), err)()
			}
			return nil
		}
	})
}

// turn is try for going to another room. Without a terminal its error ends the session:
// a script's next lines are not meant for the room that it is in.
func (s *session) turn(where string, j job) {
	if s.page.style.columns {
		s.try(where, j)
		return
	}
	s.do(func(ctx context.Context) func() error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return j(ctx)
	})
}

func failed(err error) func() error { return func() error { return err } }

// post queues a message for the room that is open when its turn comes.
func (s *session) post(text string) {
	s.typing(false)
	if s.down {
		s.say(dim, "· this waits for the connection: "+clean(text))
	}
	s.do(func(context.Context) func() error {
		return func() error {
			if s.room == nil {
				return s.notSent(&client.Error{Code: tenant.CodeInvalid, Message: "no room is open: /rooms, /room ROOM"})
			}
			room := s.room.Room
			// Ahead of all else: what was typed behind it comes behind it.
			s.waiting = slices.Insert(s.waiting, 0, s.send(room, text))
			return nil
		}
	})
}

func (s *session) send(room client.Room, text string) job {
	return func(ctx context.Context) func() error {
		ctx, cancel := context.WithTimeout(ctx, postTimeout)
		defer cancel()
		ack, err := s.c.Post(ctx, room, draftOf(text))
		return func() error {
			if err != nil {
				return s.notSent(err)
			}
			if s.room != nil && s.room.ID == room.ID {
				s.room.posted = max(s.room.posted, ack.Seq)
			}
			return nil
		}
	}
}

func (s *session) notSent(err error) error {
	if s.postErr == nil && !s.page.style.columns {
		s.postErr = fmt.Errorf("a message was not sent: %w", err)
	}
	return s.complain("not sent", err)()
}

func (s *session) listRooms(word string) job {
	return func(ctx context.Context) func() error {
		all, err := s.c.Rooms(ctx, word)
		if err != nil {
			return failed(err)
		}
		return func() error {
			for _, r := range all {
				s.others[string(r.ID)] = r.Unread > 0 && word == ""
			}
			switch {
			case len(all) > 0:
				s.scr.print(rooms(s.page.style, all)...)
			case word == "":
				s.say(dim, "  You are in no room yet. /rooms WORD finds open ones, /join ROOM joins one.")
			default:
				s.say(dim, "  No room has that in its name.")
			}
			s.prompt()
			return nil
		}
	}
}

func (s *session) join(id string) job {
	return func(ctx context.Context) func() error {
		r, err := s.c.Join(ctx, id)
		if err != nil {
			return failed(err)
		}
		return s.show(ctx, r)
	}
}

func (s *session) leave(r client.Room) job {
	return func(ctx context.Context) func() error {
		if err := s.c.Leave(ctx, r); err != nil {
			return failed(err)
		}
		return func() error {
			if s.room != nil && s.room.ID == r.ID {
				s.closeRoom()
			}
			s.say(dim, "· you left "+label(r, s.me.User))
			s.prompt()
			return nil
		}
	}
}

func (s *session) who(r client.Room) job {
	return func(ctx context.Context) func() error {
		members, err := s.c.Members(ctx, r)
		if err != nil {
			return failed(err)
		}
		return func() error {
			for _, m := range members {
				s.people[m.User] = true
				line := fmt.Sprintf("  %-*s  %-9s  %s", nameCells, clean(m.User), clean(string(m.Role)), clean(m.Name))
				s.scr.print(strings.TrimRight(line, " "))
			}
			if isOpenTo(r.Kind) {
				s.say(dim, "  All users of "+clean(s.me.Tenant)+" can read here.")
			}
			return nil
		}
	}
}

// search shows messages that hold words, oldest first.
func (s *session) search(words string) job {
	return func(ctx context.Context) func() error {
		found, next, err := s.c.Search(ctx, client.SearchQuery{Query: words, Limit: shownAtFirst})
		if err != nil {
			return failed(err)
		}
		return func() error {
			if len(found) == 0 {
				s.say(dim, "  No message has that.")
			}
			for _, m := range slices.Backward(found) {
				s.scr.print(s.page.found(m))
			}
			if next != "" {
				s.say(dim, "  There is more: add words to narrow it down.")
			}
			return nil
		}
	}
}

// older shows the messages before the oldest that was shown.
func (s *session) older(v *view) job {
	return func(ctx context.Context) func() error {
		messages, more, err := s.c.History(ctx, v.Room, client.HistoryQuery{Before: v.oldest, Limit: shownAtFirst})
		if err != nil {
			return failed(err)
		}
		return func() error {
			if s.room != v {
				return nil
			}
			if len(messages) == 0 {
				s.say(dim, "  Nothing was said before that.")
				return nil
			}
			day := s.page.day
			s.page.day = ""
			for _, m := range messages {
				s.put(m)
			}
			end := "older messages end here"
			if more {
				end += ", /history shows more"
			}
			s.scr.print(s.page.style.rule(dim, end, s.page.width))
			s.page.day = day
			return nil
		}
	}
}

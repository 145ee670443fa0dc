package termchat

import (
	"context"
	"regexp"
	"strings"

	"parley/client"
	"parley/tenant"
)

// mentioned are the users that a text speaks to: @alice.
var mentioned = regexp.MustCompile(`(?:^|\s)@([a-z0-9][a-z0-9_-]*)`)

// maxMentions is how many the service takes.
const maxMentions = 100

func draftOf(text string) client.Draft {
	d := client.Draft{Text: text}
	for _, m := range mentioned.FindAllStringSubmatch(text, maxMentions) {
		if tenant.ValidID(m[1]) {
			d.Mentions = append(d.Mentions, m[1])
		}
	}
	return d
}

// mine is the newest message of the user's own.
func (s *session) mine() (client.Message, bool) {
	return s.room.recent.last(func(m client.Message) bool { return m.Sender == s.me.User })
}

// theirs is the newest message of a user, or of anybody else.
func (s *session) theirs(user string) (client.Message, bool) {
	return s.room.recent.last(func(m client.Message) bool {
		return m.Sender == user || user == "" && m.Sender != s.me.User
	})
}

// about queues a job on a message of the open room, or says that there is none.
func (s *session) about(command string, m client.Message, found bool, run func(ctx context.Context, r client.Room, m client.Message) error) {
	if !found {
		s.say(red, "✗ "+command+": there is no such message on the screen")
		return
	}
	room := s.room.Room
	s.try(strings.TrimPrefix(command, "/"), func(ctx context.Context) func() error {
		err := run(ctx, room, m)
		return func() error { return err }
	})
}

func (s *session) edit(text string) {
	m, found := s.mine()
	s.about("/edit", m, found, func(ctx context.Context, r client.Room, m client.Message) error {
		_, err := s.c.Edit(ctx, r, m.Seq, text)
		return err
	})
}

func (s *session) remove() {
	m, found := s.mine()
	s.about("/delete", m, found, func(ctx context.Context, r client.Room, m client.Message) error {
		_, err := s.c.Delete(ctx, r, m.Seq)
		return err
	})
}

// react takes "EMOJI" or "EMOJI @USER".
func (s *session) react(arg string) {
	emoji, user, _ := strings.Cut(arg, " ")
	m, found := s.theirs(strings.TrimPrefix(strings.TrimSpace(user), "@"))
	s.about("/react", m, found, func(ctx context.Context, r client.Room, m client.Message) error {
		_, err := s.c.React(ctx, r, m.Seq, emoji)
		return err
	})
}

// reply takes "TEXT" or "@USER TEXT". An answer to an answer goes into the same thread.
func (s *session) reply(arg string) {
	user, text := "", arg
	if name, ok := strings.CutPrefix(arg, "@"); ok {
		user, text, _ = strings.Cut(name, " ")
	}
	m, found := s.theirs(user)
	s.about("/reply", m, found, func(ctx context.Context, r client.Room, m client.Message) error {
		d := draftOf(text)
		if d.Thread = m.Thread; d.Thread == 0 {
			d.Thread = m.Seq
		}
		_, err := s.c.Post(ctx, r, d)
		return err
	})
}

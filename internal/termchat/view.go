package termchat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/client"
	"parley/tenant"
)

// A view is the room that is open.
type view struct {
	client.Room
	listener *client.Listener
	cancel   context.CancelFunc
	oldest   uint64 // that was shown; 0: none
	shown    uint64 // the newest that was shown
	posted   uint64 // the newest that the user posted here
	marked   uint64 // as read
	marks    <-chan time.Time
	recent   recent
	sigs     <-chan client.Signal // nil without a terminal, where nobody looks at them
	typists  typists
}

// messages is nil, which never delivers, where no room is open.
func (v *view) messages() <-chan client.Message {
	if v == nil {
		return nil
	}
	return v.listener.Messages()
}

func (v *view) signals() <-chan client.Signal {
	if v == nil {
		return nil
	}
	return v.sigs
}

func (v *view) fadeDue() <-chan time.Time {
	if v == nil {
		return nil
	}
	return v.typists.fade
}

func (v *view) markDue() <-chan time.Time {
	if v == nil {
		return nil
	}
	return v.marks
}

// enterRoom opens a room by its id, or @user.
func (s *session) enterRoom(id string) job {
	return func(ctx context.Context) func() error {
		find := s.c.Room
		if user, ok := strings.CutPrefix(id, "@"); ok {
			id, find = user, s.c.Direct
		}
		r, err := find(ctx, id)
		if err != nil {
			return func() error { return err }
		}
		return s.show(ctx, r)
	}
}

// show reads the end of a room's history; what it returns prints that and goes on live from there.
func (s *session) show(ctx context.Context, r client.Room) func() error {
	messages, more, err := s.c.History(ctx, r, client.HistoryQuery{Limit: shownAtFirst})
	if err != nil {
		return func() error { return err }
	}
	after := r.Last
	if len(messages) > 0 {
		after = messages[len(messages)-1].Seq
	}
	return func() error {
		ctx, cancel := context.WithCancel(context.Background()) // ends with closeRoom
		l, err := s.c.Listen(ctx, r, after)
		if err != nil {
			cancel()
			return err
		}
		s.closeRoom()
		s.removed = ""
		s.room = &view{Room: r, listener: l, cancel: cancel, marked: r.Read}
		if s.page.style.columns {
			if s.room.sigs, err = s.c.Signals(ctx, r); err != nil {
				return err
			}
		}
		s.others[string(r.ID)] = false
		s.head(r, more)
		s.first(messages)
		s.prompt()
		return nil
	}
}

func (s *session) head(r client.Room, more bool) {
	s.page.width, s.page.day = s.scr.width(), time.Now().In(s.page.loc).Format(dayFormat)
	title := label(r, s.me.User)
	if r.Title != "" {
		title += " · " + clean(r.Title)
	}
	s.scr.print(s.page.style.rule(bold, title, s.page.width))
	if more {
		s.say(dim, "  /history shows what was said before")
	}
}

// first prints the end of the history, with a line where the unread begins.
func (s *session) first(messages []client.Message) {
	fresh := slices.IndexFunc(messages, func(m client.Message) bool {
		return m.Seq > s.room.Read && m.Sender != s.me.User && m.Sender != tenant.System
	})
	for i, m := range messages {
		if i == fresh && s.room.Unread > 0 {
			s.scr.print(s.page.unread(s.room.Unread, m.Time))
		}
		s.put(m)
	}
}

// put prints a message of the open room.
func (s *session) put(m client.Message) {
	s.page.width = s.scr.width()
	v := s.room
	if m.Event == nil {
		s.scr.print(s.page.message(m, client.Message{})...)
		s.people[m.Sender] = true
		v.recent.add(m)
	} else {
		about, _ := v.recent.apply(*m.Event)
		s.scr.print(s.page.message(m, about)...)
	}
	if v.oldest == 0 || m.Seq < v.oldest {
		v.oldest = m.Seq
	}
	v.shown = max(v.shown, m.Seq)
	if v.shown > v.marked && v.marks == nil {
		v.marks = time.After(markAfter)
	}
}

// mark marks what was shown as read.
func (s *session) mark() {
	v := s.room
	v.marks = nil
	seq := v.shown
	if seq <= v.marked {
		return
	}
	v.marked = seq
	room := v.Room
	s.do(func(ctx context.Context) func() error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		_, err := s.c.Read(ctx, room, seq)
		return func() error {
			if err != nil && s.room == v {
				v.marked = 0 // with the next message it is tried again
			}
			return nil
		}
	})
}

// markLast marks what was shown as read when the session is over, ctx too.
func (s *session) markLast() {
	if v := s.room; v != nil && v.shown > v.marked && s.c.Err() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), lastWords)
		defer cancel()
		_, _ = s.c.Read(ctx, v.Room, v.shown) // what fails is unread next time, which is no harm
	}
}

// lost closes a room that can't be read any more.
func (s *session) lost() {
	r, err := s.room.Room, s.room.listener.Err()
	s.closeRoom()
	if s.c.Err() != nil {
		return // which step sees
	}
	s.say(red, fmt.Sprintf("✗ %s is closed to you: %s", label(r, s.me.User), clean(reason(err))))
	s.prompt()
}

func (s *session) closeRoom() {
	if s.room == nil {
		return
	}
	s.room.cancel()
	for range s.room.listener.Messages() { // until it has ended
	}
	s.room = nil
}

package termchat

import (
	"maps"
	"slices"
	"strings"
	"time"

	"parley/client"
)

const (
	typingEvery = 4 * time.Second  // while the user types
	typingFades = 10 * time.Second // of somebody who does not say that he has stopped
)

// typists are the others who type in the open room.
type typists struct {
	until map[string]time.Time
	fade  <-chan time.Time
}

// note follows a signal.
func (t *typists) note(sig client.Signal, now time.Time) {
	if t.until == nil {
		t.until = map[string]time.Time{}
	}
	delete(t.until, sig.User)
	if sig.Typing {
		t.until[sig.User] = now.Add(typingFades)
		t.fade = time.After(typingFades)
	}
}

// forget lets go of those whose time is over.
func (t *typists) forget(now time.Time) {
	t.fade = nil
	maps.DeleteFunc(t.until, func(_ string, until time.Time) bool { return !until.After(now) })
	if len(t.until) > 0 {
		t.fade = time.After(typingFades)
	}
}

// String is what the prompt says of them.
func (t *typists) String() string {
	names := slices.Sorted(maps.Keys(t.until))
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " · " + clean(names[0]) + " types"
	case 2:
		return " · " + clean(strings.Join(names, " and ")) + " type"
	}
	return " · several type"
}

// signalled follows a signal in the open room.
func (s *session) signalled(sig client.Signal) {
	if sig.User == s.me.User {
		return
	}
	s.room.typists.note(sig, time.Now())
	s.prompt()
}

// key tells the room that the user types. It is called for each key, on the goroutine that reads them.
func (s *session) key() {
	now := time.Now()
	if now.Sub(s.typedAt) < typingEvery {
		return
	}
	s.typedAt = now
	select {
	case s.asks <- func() { s.typing(true) }:
	default: // the session is busy; the next key tells it
	}
}

func (s *session) typing(on bool) {
	if s.room != nil && s.page.style.columns {
		_ = s.c.Typing(s.room.Room, on) // it may get lost
	}
}

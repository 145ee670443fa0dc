package termchat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"parley/client"
)

const (
	shownAtFirst = 50
	askTimeout   = 15 * time.Second
	postTimeout  = time.Minute
	markAfter    = 500 * time.Millisecond // a burst of messages is marked as read once
	hurryAfter   = 500 * time.Millisecond // a reconnection for new rights is over before, and not worth a word
	lingerFor    = 3 * time.Second        // at the end, for what was just typed to be posted and shown
	lastWords    = 2 * time.Second        // for the read position, when all is over
)

var errQuit = errors.New("quit")

// A job talks to the server on the session's worker, one after the other. What it
// returns is run by the session's own goroutine, which alone prints.
type job func(ctx context.Context) func() error

// A session is one run of a chat. Its fields belong to the goroutine of loop.
type session struct {
	c    *client.Client
	cfg  Config
	scr  screen
	page page

	me   client.Me
	room *view
	// others are the rooms that were named: true where something new in them was told.
	others map[string]bool
	people map[string]bool // seen, for completion

	waiting []job
	jobs    chan job
	results chan func() error
	asks    chan func() // from the goroutine that reads the input
	busy    bool

	removed  string // the last of these notices
	down     bool   // was said
	downTime <-chan time.Time
	typedAt  time.Time // when the room was told last; of the goroutine that reads the input
	postErr  error     // the first
	ended    bool      // the input
	linger   <-chan time.Time
}

func newSession(cfg Config, scr screen, st style) *session {
	return &session{
		c: cfg.Client, cfg: cfg, scr: scr, page: page{style: st, me: cfg.Client.User(), loc: cfg.Location},
		others: map[string]bool{}, people: map[string]bool{},
		jobs: make(chan job, 1), results: make(chan func() error, 1), asks: make(chan func()),
	}
}

func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { s.work(ctx) })
	defer s.scr.close()

	if err := s.begin(ctx); err != nil {
		return s.why(err)
	}
	lines, input := make(chan string), make(chan error, 1)
	go func() { // outlives run until In's next input: nothing else ends a read of a terminal
		input <- s.scr.read(func(line string) bool {
			select {
			case lines <- line:
				return true
			case <-ctx.Done():
				return false
			}
		}, s.completer(ctx), s.key)
	}()
	err := s.loop(ctx, lines, input)
	s.markLast()
	s.closeRoom()
	return s.why(err)
}

// why turns the end of loop into what Run returns.
func (s *session) why(err error) error {
	if stopped := s.c.Err(); stopped != nil {
		s.say(red, "✗ "+clean(stopped.Error()))
		return stopped
	}
	if errors.Is(err, errQuit) || errors.Is(err, context.Canceled) {
		return s.postErr
	}
	return err
}

// begin says who and where the user is, and opens the first room.
func (s *session) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var err error
	if s.me, err = s.c.WhoAmI(ctx); err != nil {
		return err
	}
	who := clean(s.me.User)
	if name := clean(s.me.Name); name != "" && name != who {
		who = name + " (" + who + ")"
	}
	s.say(dim, fmt.Sprintf("You are %s at %s. /help lists the commands.", who, clean(s.me.Tenant)))
	if s.cfg.Room == "" {
		return s.listRooms("")(ctx)()
	}
	return s.enterRoom(s.cfg.Room)(ctx)()
}

// work runs the jobs.
func (s *session) work(ctx context.Context) {
	for {
		select {
		case j := <-s.jobs:
			s.results <- j(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (s *session) do(j job) { s.waiting = append(s.waiting, j) }

// next hands the next job to the worker.
func (s *session) next() {
	if !s.busy && len(s.waiting) > 0 {
		s.busy = true
		s.jobs <- s.waiting[0]
		s.waiting = s.waiting[1:]
	}
}

// idle reports whether all that was typed is done.
func (s *session) idle() bool { return !s.busy && len(s.waiting) == 0 }

func (s *session) loop(ctx context.Context, lines <-chan string, input <-chan error) error {
	for {
		s.next()
		if s.ended && s.idle() {
			if s.caughtUp() {
				return errQuit
			}
			s.hurry()
		}
		if err := s.step(ctx, lines, input); err != nil {
			return err
		}
		if s.ended {
			lines, input = nil, nil
		}
	}
}

// caughtUp reports whether what was posted in the open room was shown.
func (s *session) caughtUp() bool { return s.room == nil || s.room.shown >= s.room.posted }

// hurry ends the session soon.
func (s *session) hurry() {
	if s.linger == nil {
		s.linger = time.After(lingerFor)
	}
}

func (s *session) step(ctx context.Context, lines <-chan string, input <-chan error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.c.Done():
		return s.c.Err()
	case line := <-lines:
		return s.typed(line)
	case err := <-input:
		s.ended = true
		if s.page.style.columns {
			s.hurry() // a person has seen what is not sent, and wants to go
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the input: %w", err)
		}
		return nil
	case <-s.linger:
		return errQuit
	case ask := <-s.asks:
		ask()
	case apply := <-s.results:
		s.busy = false
		return apply()
	case m, ok := <-s.room.messages():
		if !ok {
			s.lost()
			return nil
		}
		s.put(m)
	case <-s.room.markDue():
		s.mark()
	case sig, ok := <-s.room.signals():
		if ok {
			s.signalled(sig)
		} else {
			s.room.sigs = nil
		}
	case now := <-s.room.fadeDue():
		s.room.typists.forget(now)
		s.prompt()
	case n, ok := <-s.c.Notices():
		if ok {
			s.notice(n)
		}
	case st, ok := <-s.c.Status():
		if ok {
			s.status(st)
		}
	case <-s.downTime:
		s.downTime, s.down = nil, true
		s.say(dim, "· connection lost, reconnecting…")
		s.prompt()
	}
	return nil
}

// say prints a line that is the chat's own.
func (s *session) say(code, line string) { s.scr.print(s.page.style.paint(code, line)) }

// complain prints why something did not happen. Only the session's end is an error of Run.
func (s *session) complain(what string, err error) func() error {
	return func() error {
		s.say(red, "✗ "+what+": "+clean(reason(err)))
		return nil
	}
}

// reason is an error without its code.
func reason(err error) string {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Message
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}

func (s *session) prompt() {
	where := "no room"
	if s.room != nil {
		where = label(s.room.Room, s.me.User) + s.room.typists.String()
	}
	if s.down {
		where += " · offline"
	}
	s.scr.prompt(s.page.style.paint(bold, "["+where+"] "))
}

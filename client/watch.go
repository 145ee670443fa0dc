package client

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	watchSeconds = 120 // what the service tells a watcher, where it does not say for how long
	watchPause   = 5 * time.Second
)

// WatchPresence calls fn with the members of a room and whether each is there: at once, and whenever somebody comes or goes,
// until ctx ends, the client stops, or the user loses the room; the error says which. It asks again before the service
// forgets, and after each reconnection. Of a room of more than 1,000 members fn is told of those who are there first,
// and of whoever comes or goes of those that the user looks at. fn is called by one goroutine, the caller's.
func (c *Client) WatchPresence(ctx context.Context, r Room, fn func([]Presence)) error {
	w := &watch{c: c, room: r, fn: fn, woken: make(chan struct{}, 1)}
	if !c.attachWatch(w) {
		return c.Err()
	}
	defer c.detachWatch(w)
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(c.life, cancel)()
	defer cancel()
	for {
		over := c.untilReconnection()
		again, err := w.look(ctx)
		if err == nil {
			err = w.tell(ctx, over, c.after(again))
		}
		switch {
		case c.Err() != nil:
			return c.Err()
		case err != nil:
			return err
		}
	}
}

// A watch is one WatchPresence.
type watch struct {
	c     *Client
	room  Room
	fn    func([]Presence)
	woken chan struct{} // holds one

	shown map[string]Presence // the picture that fn has; of the caller's goroutine
	part  bool                // there are members who are not in it

	mu   sync.Mutex
	came map[string]Presence // who came or went since, from the goroutine of the notices
}

// look asks who is there, and returns when to ask again. What can't be answered now is asked again soon.
func (w *watch) look(ctx context.Context) (again time.Duration, err error) {
	w.take() // the answer is newer
	var answer struct {
		Users []Presence `json:"users"`
		More  bool       `json:"more"`
		Watch int        `json:"watch_seconds"`
	}
	err = w.c.call(ctx, "presence", roomBody{w.room.ID}, &answer)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case isFinal(err):
		return 0, err
	case err != nil:
		return watchPause, nil //nolint:nilerr // asked again
	}
	first := w.shown == nil
	before := w.shown
	w.shown, w.part = make(map[string]Presence, len(answer.Users)), answer.More
	for _, p := range answer.Users {
		// Nobody is told of himself, and his connection may not have been written down yet.
		p.Online = p.Online || p.User == w.c.User()
		w.shown[p.User] = p
	}
	if first || !maps.EqualFunc(before, w.shown, sameState) {
		w.show()
	}
	return time.Duration(cmp.Or(answer.Watch, watchSeconds)) * time.Second * 3 / 4, nil
}

func sameState(a, b Presence) bool { return a.Online == b.Online && a.Idle == b.Idle }

// tell passes on who comes and goes until it is time to ask again.
func (w *watch) tell(ctx, over context.Context, again <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.Done():
			return nil
		case <-again:
			return nil
		case <-w.woken:
		}
		changed := false
		for u, p := range w.take() {
			old, known := w.shown[u]
			if known && !sameState(old, p) || !known && w.part {
				w.shown[u], changed = p, true
			}
		}
		if changed {
			w.show()
		}
	}
}

func (w *watch) show() {
	w.fn(slices.SortedFunc(maps.Values(w.shown), func(a, b Presence) int { return cmp.Compare(a.User, b.User) }))
}

func (w *watch) take() map[string]Presence {
	w.mu.Lock()
	defer w.mu.Unlock()
	came := w.came
	w.came = nil
	return came
}

// notice never waits for who watches: of each user the last word counts.
func (w *watch) notice(users []Presence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.came == nil {
		w.came = map[string]Presence{}
	}
	for _, p := range users {
		w.came[p.User] = p
	}
	poke(w.woken)
}

func (c *Client) attachWatch(w *watch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.watches[w] = struct{}{}
	return true
}

func (c *Client) detachWatch(w *watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watches, w)
}

func (c *Client) tellWatches(users []Presence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.watches {
		w.notice(users)
	}
}

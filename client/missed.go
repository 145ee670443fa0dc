package client

import (
	"context"
	"sync"

	"parley/tenant"
)

// maxMissed is how many rooms one request takes.
const maxMissed = 50

// A catchUp reads what listeners missed. They all come back at once: those who ask while a request is under
// way go into the next one together.
type catchUp struct {
	mu      sync.Mutex
	waiting []*missing
	asking  bool
}

// A missing is one listener's question.
type missing struct {
	Room  tenant.RoomID `json:"room"`
	After uint64        `json:"after"`
	found chan missed   // holds one
}

// missed are the oldest messages that a room has behind a sequence.
type missed struct {
	messages []Message
	more     bool
	err      error
}

// missed reads at most a page behind a sequence.
func (c *Client) missed(ctx context.Context, r Room, after uint64) missed {
	m := &missing{Room: r.ID, After: after, found: make(chan missed, 1)}
	if c.catchUp.add(m) {
		c.wg.Go(c.askMissed)
	}
	select {
	case found := <-m.found:
		if found.more && len(found.messages) == 0 { // the other rooms took all of the answer
			found.messages, found.more, found.err = c.History(ctx, r, HistoryQuery{After: max(after, 1), Limit: historyPage})
		}
		return found
	case <-ctx.Done():
		return missed{err: ctx.Err()}
	}
}

// add reports whether nobody asks yet.
func (u *catchUp) add(m *missing) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting = append(u.waiting, m)
	first := !u.asking
	u.asking = true
	return first
}

// take returns the next to ask for, each room once; none: nobody asks any more.
func (u *catchUp) take() (next []*missing) {
	u.mu.Lock()
	defer u.mu.Unlock()
	rooms := map[tenant.RoomID]bool{}
	var later []*missing
	for _, m := range u.waiting {
		if rooms[m.Room] || len(next) == maxMissed {
			later = append(later, m)
			continue
		}
		rooms[m.Room] = true
		next = append(next, m)
	}
	u.waiting, u.asking = later, len(next) > 0
	return next
}

func (c *Client) askMissed() {
	for next := c.catchUp.take(); len(next) > 0; next = c.catchUp.take() {
		found, err := c.missedOf(next)
		for _, m := range next {
			page, told := found[m.Room]
			switch {
			case err != nil:
				page.err = err
			case !told:
				page.err = newError(tenant.CodeInternal, nil, "the answer to missed has no room %s", m.Room)
			}
			m.found <- page
		}
	}
}

func (c *Client) missedOf(places []*missing) (map[tenant.RoomID]missed, error) {
	ctx, cancel := context.WithTimeout(c.life, readTimeout)
	defer cancel()
	request := struct {
		Rooms []*missing `json:"rooms"`
		Limit int        `json:"limit"`
	}{places, historyPage}
	var answer struct {
		Rooms []struct {
			Room     tenant.RoomID `json:"room"`
			Messages []stored      `json:"messages"`
			More     bool          `json:"more"`
			Code     tenant.Code   `json:"code"`
			Message  string        `json:"message"`
		} `json:"rooms"`
	}
	if err := c.call(ctx, "missed", request, &answer); err != nil {
		return nil, err
	}
	found := map[tenant.RoomID]missed{}
	for _, r := range answer.Rooms {
		page := missed{more: r.More}
		if r.Code != "" {
			page.err = &Error{Code: r.Code, Message: r.Message}
		}
		for _, s := range r.Messages {
			page.messages = append(page.messages, s.message())
		}
		found[r.Room] = page
	}
	return found, nil
}

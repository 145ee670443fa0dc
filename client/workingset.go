package client

import (
	"slices"
	"strings"
	"sync"

	"parley/tenant"
)

// A workingSet is the rooms that the connection asks to have listed (DESIGN.md section 4).
type workingSet struct {
	mu       sync.Mutex
	explicit bool
	ids      []string // the latest wanted first
}

func newWorkingSet(rooms []string) *workingSet {
	return &workingSet{explicit: rooms != nil, ids: slices.Clone(rooms)}
}

// suffix is what stands behind the token; "" leaves the choice to the server.
func (w *workingSet) suffix() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.explicit {
		return ""
	}
	return ";rooms=" + strings.Join(w.ids, ",")
}

// holds reports whether the user named the room himself, or the client had to.
func (w *workingSet) holds(room string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.explicit && slices.Contains(w.ids, room)
}

// want puts a room into the set, with those in use behind it. It reports false where
// the set already holds the room, so that a reconnection would change nothing.
func (w *workingSet) want(room string, inUse []string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.explicit && slices.Contains(w.ids, room) {
		return false
	}
	ids := append([]string{room}, inUse...)
	ids = append(ids, w.ids...)
	w.ids = w.ids[:0:0]
	for _, id := range ids {
		if !slices.Contains(w.ids, id) && len(w.ids) < tenant.MaxListedRooms {
			w.ids = append(w.ids, id)
		}
	}
	w.explicit = true
	return true
}

// add puts rooms of a notice into a set that the user named himself; the server's own choice holds them anyway.
func (w *workingSet) add(rooms []string) {
	for _, r := range rooms {
		id, err := tenant.ParseRoomID("room", r)
		if _, _, direct := id.Pair(); err != nil || direct {
			continue // direct rooms need no listing
		}
		w.mu.Lock()
		explicit := w.explicit
		w.mu.Unlock()
		if explicit {
			w.want(r, nil)
		}
	}
}

// open reconnects with the room in the working set; false where it was there already,
// or can't be: direct rooms need no listing.
func (c *Client) open(r Room) bool {
	if r.Kind == tenant.Direct {
		return false
	}
	var inUse []string
	c.eachListener(func(l *Listener) {
		if l.room.Kind != tenant.Direct {
			inUse = append(inUse, string(l.room.ID))
		}
	})
	if !c.rooms.want(string(r.ID), inUse) {
		return false
	}
	c.restart()
	return true
}

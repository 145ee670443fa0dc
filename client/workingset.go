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
// the set already holds the room, so that a reconnection would change nothing, and where those
// in use would be too many: each would take the place of another, one reconnection after the other.
func (w *workingSet) want(room string, inUse listening) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.explicit && slices.Contains(w.ids, room) {
		return false
	}
	needed := distinct([]string{room}, inUse.listed)
	if len(needed) > tenant.MaxListedRooms {
		return false
	}
	ids := distinct(needed, inUse.open, w.ids)
	w.explicit, w.ids = true, ids[:min(len(ids), tenant.MaxListedRooms)]
	return true
}

// distinct joins lists and keeps the first of doubles.
func distinct(lists ...[]string) (all []string) {
	for _, id := range slices.Concat(lists...) {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// listening are the rooms that have listeners: those that a connection lists, and open and
// announce rooms, which only some users' connections do.
type listening struct{ listed, open []string }

func (c *Client) listening() (in listening) {
	c.eachListener(func(l *Listener) {
		id := string(l.room.ID)
		switch l.room.Kind {
		case tenant.Direct:
		case tenant.Open, tenant.Announce:
			in.open = append(in.open, id)
		default:
			in.listed = append(in.listed, id)
		}
	})
	return in
}

// add puts rooms of a notice into a set that the user named himself; the server's own choice holds them anyway.
func (w *workingSet) add(rooms []string, inUse listening) {
	for _, r := range rooms {
		id, err := tenant.ParseRoomID("room", r)
		if _, _, direct := id.Pair(); err != nil || direct {
			continue // direct rooms need no listing
		}
		w.mu.Lock()
		explicit := w.explicit
		w.mu.Unlock()
		if explicit {
			w.want(r, inUse)
		}
	}
}

// open reconnects with the room in the working set; false where it was there already,
// or can't be: direct rooms need no listing, and the rooms in use may fill the set.
func (c *Client) open(r Room) bool {
	if r.Kind == tenant.Direct {
		return false
	}
	if !c.rooms.want(string(r.ID), c.listening()) {
		return false
	}
	c.restart()
	return true
}

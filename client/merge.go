package client

// maxSeen is how many sequences a merge remembers while live delivery is whole;
// maxSeenOpen while history is still owed, after which the oldest gap is given up.
const (
	maxSeen     = 4096
	maxSeenOpen = 1 << 16
)

// A merge decides which messages of two sources, history and live, are new.
type merge struct {
	cursor uint64 // everything up to it was delivered: where history is read on from
	whole  bool   // live delivery has no gap, so the cursor follows it
	last   uint64 // the greatest that was delivered

	floor uint64 // what is not above it counts as seen
	seen  map[uint64]struct{}
	posts map[post]struct{} // of seen, those that tell their id
	order []seen            // as they came
}

// A post is known by its id, however often it is stored: a retry that comes after the stream has forgotten the
// id is stored and delivered again.
type post struct{ sender, id string }

// minID is from which length on the id of a post is unique.
const minID = 16

type seen struct {
	seq  uint64
	post post // its id is "" where it is not unique
}

func newMerge(after uint64) *merge {
	return &merge{cursor: after, last: after, floor: after, seen: map[uint64]struct{}{}, posts: map[post]struct{}{}}
}

// accept reports whether the message is new, and whether a later one went before it.
func (m *merge) accept(msg Message) (ok, late bool) {
	s := seen{seq: msg.Seq}
	if len(msg.ID) >= minID {
		s.post = post{msg.Sender, msg.ID}
	}
	if !m.note(s) {
		return false, false
	}
	seq := msg.Seq
	late = seq < m.last
	m.last = max(m.last, seq)
	if m.whole {
		m.cursor = max(m.cursor, seq)
	}
	return true, late
}

// note remembers what was seen, and reports whether it was not before.
func (m *merge) note(s seen) bool {
	if _, double := m.seen[s.seq]; double || s.seq <= m.floor {
		return false
	}
	if s.post.id != "" {
		if _, double := m.posts[s.post]; double {
			return false
		}
		m.posts[s.post] = struct{}{}
	}
	m.seen[s.seq] = struct{}{}
	m.order = append(m.order, s)
	m.forget()
	return true
}

// forget bounds what is remembered.
func (m *merge) forget() {
	limit := maxSeenOpen
	if m.whole {
		limit = maxSeen
	}
	for len(m.order) > limit {
		oldest := m.order[0]
		m.floor = max(m.floor, oldest.seq)
		delete(m.seen, oldest.seq)
		delete(m.posts, oldest.post)
		m.order = m.order[1:]
	}
}

// read notes that history was read up to a sequence.
func (m *merge) read(seq uint64) { m.cursor = max(m.cursor, seq) }

// broken notes that live delivery may have a gap from here on.
func (m *merge) broken() { m.whole = false }

// mended notes that history was read again after live delivery had begun.
func (m *merge) mended() {
	m.whole = true
	m.cursor = max(m.cursor, m.last)
	m.forget()
}

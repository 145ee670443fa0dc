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
	order []uint64 // of seen, as they came
}

func newMerge(after uint64) *merge {
	return &merge{cursor: after, last: after, floor: after, seen: map[uint64]struct{}{}}
}

// accept reports whether the message is new, and whether a later one went before it.
func (m *merge) accept(seq uint64) (ok, late bool) {
	if _, double := m.seen[seq]; double || seq <= m.floor {
		return false, false
	}
	m.seen[seq] = struct{}{}
	m.order = append(m.order, seq)
	m.forget()
	late = seq < m.last
	m.last = max(m.last, seq)
	if m.whole {
		m.cursor = max(m.cursor, seq)
	}
	return true, late
}

// forget bounds what is remembered.
func (m *merge) forget() {
	limit := maxSeenOpen
	if m.whole {
		limit = maxSeen
	}
	for len(m.order) > limit {
		m.floor = max(m.floor, m.order[0])
		delete(m.seen, m.order[0])
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

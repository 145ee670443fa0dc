package chat

import (
	"time"

	"parley/tenant"
)

// A line is one stream as the projector sees it: its cursor, the live messages
// that wait, and what it is known to hold beyond them. The projector's lock guards it,
// but for what only the worker that has taken it reads and writes.
type line struct {
	stream  string
	account string
	tenant  tenant.TenantID
	loaded  bool   // the row was read
	cursor  uint64 // all up to here is committed
	target  uint64 // the stream holds something up to here, as somebody said
	suspect bool   // the stream may hold something, nobody knows up to where
	queue   []stored
	bytes   int  // of the queue
	busy    bool // a worker has it
	ready   bool // it waits for a worker
	single  int  // so many batches of one message, to find the one that Postgres refuses
	look    bool // its last batch had a message that was there already, or refused one

	committed time.Time // the last batch
	awaited   uint64    // somebody waits to read up to here
	resting   bool      // a timer brings it back
}

// linger is the least time between the batches of a busy line, so that they are few and large: a
// batch is a dozen statements, whatever is in it. What comes to an idle line, or what somebody of
// this process waits to read, is projected at once.
const linger = 50 * time.Millisecond

// A batch is bounded, so that one transaction is short and one answer of a stream fits in memory.
const (
	batchMessages = 1000
	batchBytes    = 4 << 20
)

// offer queues a live message. Out of order or doubled, it is only a sign of what the stream holds.
func (l *line) offer(m stored) (added int) {
	if m.seq <= l.cursor {
		return 0
	}
	l.target = max(l.target, m.seq)
	if n := len(l.queue); n > 0 && m.seq <= l.queue[n-1].seq {
		return 0
	}
	l.queue = append(l.queue, m)
	l.bytes += m.size()
	return m.size()
}

// drop forgets the queue; target remembers that the stream has its messages.
func (l *line) drop() (messages, bytes int) {
	messages, bytes = len(l.queue), l.bytes
	l.queue, l.bytes = nil, 0
	return messages, bytes
}

// next is the run at the head of the queue, if it begins right behind the cursor.
func (l *line) next(limit int) run {
	r := run{from: l.cursor + 1, to: l.cursor}
	size := 0
	for i := range l.queue {
		if l.queue[i].seq != r.to+1 || i == limit || size > batchBytes {
			break
		}
		r.to++
		size += l.queue[i].size()
	}
	r.msgs = l.queue[:r.to-l.cursor]
	return r
}

// advance moves the cursor and lets go of what is behind it.
func (l *line) advance(to uint64) (freed int) {
	l.cursor = to
	n := 0
	for n < len(l.queue) && l.queue[n].seq <= to {
		freed += l.queue[n].size()
		n++
	}
	l.bytes -= freed
	// A new array, so that the old one does not keep what was let go.
	l.queue = append([]stored(nil), l.queue[n:]...)
	return freed
}

// lacks reports whether the stream holds, or may hold, more than is committed.
func (l *line) lacks() bool { return l.suspect || l.target > l.cursor }

// rest is how long the line may let more messages gather: not at all where a batch is full, somebody
// waits to read it, or the stream has what the queue has not.
func (l *line) rest(now time.Time) time.Duration {
	full := len(l.queue) >= batchMessages || l.bytes >= batchBytes
	elsewhere := l.suspect || l.target > l.cursor+uint64(len(l.queue))
	if full || elsewhere || l.single > 0 || l.awaited > l.cursor {
		return 0
	}
	return l.committed.Add(linger).Sub(now)
}

// limit is the size of the next batch.
func (l *line) limit() int {
	if l.single > 0 {
		return 1
	}
	return batchMessages
}

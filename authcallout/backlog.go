package authcallout

import "sync"

// A backlog holds the requests that wait for a worker, and gives the newest first. In a storm it is the oldest
// whose clients are about to give up: served in their order, all would be served when it is too late, and
// come again.
type backlog struct {
	waiting chan struct{} // one for each request

	mu     sync.Mutex
	ring   []pending
	oldest int
	n      int
}

func newBacklog(size int) *backlog {
	return &backlog{waiting: make(chan struct{}, size), ring: make([]pending, size)}
}

// push adds a request; where there is no room, the oldest is dropped for it.
func (b *backlog) push(p pending) (dropped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n == len(b.ring) {
		b.ring[b.oldest] = p // the newest now, with the turn of the one it drops
		b.oldest = (b.oldest + 1) % len(b.ring)
		return true
	}
	b.ring[(b.oldest+b.n)%len(b.ring)] = p
	b.n++
	b.waiting <- struct{}{} // there is room: they are never more than the requests
	return false
}

// pop returns the newest request. Whoever took one from waiting finds one.
func (b *backlog) pop() pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n--
	i := (b.oldest + b.n) % len(b.ring)
	p := b.ring[i]
	b.ring[i] = pending{}
	return p
}

package client

import "sync"

// A ring is a channel that never blocks its writer: the oldest values make room for new ones.
type ring[T any] struct {
	ch     chan T
	mu     sync.Mutex
	closed bool
}

func newRing[T any](size int) *ring[T] { return &ring[T]{ch: make(chan T, size)} }

func (r *ring[T]) push(v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed {
		select {
		case r.ch <- v:
			return
		default:
		}
		select {
		case <-r.ch:
		default:
		}
	}
}

func (r *ring[T]) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.ch)
	}
}

package loadtest

import (
	"context"
	"sync"
	"time"
)

// A pacer gives turns at an even rate to whoever waits.
type pacer struct {
	every time.Duration // 0: at once

	mu   sync.Mutex
	next time.Time
}

func newPacer(perSecond int) *pacer {
	if perSecond == 0 {
		return &pacer{}
	}
	return &pacer{every: time.Second / time.Duration(perSecond)}
}

// wait returns when it is the caller's turn, and false where ctx ends before.
func (p *pacer) wait(ctx context.Context) bool {
	if ctx.Err() != nil || p.every == 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(p.turn())
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// turn takes the next turn, and tells how long it is until then. Turns that nobody took are not made up for.
func (p *pacer) turn() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	left := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	return left
}

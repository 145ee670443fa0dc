package authcallout

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (b *backlog) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

func TestBacklogGivesTheNewestAndDropsTheOldest(t *testing.T) {
	t.Parallel()
	b := newBacklog(3)
	at := func(n int64) pending { return pending{at: time.Unix(n, 0)} }
	for n, want := range []bool{false, false, false, true, true} { // 0 to 4, of which 0 and 1 are dropped
		if got := b.push(at(int64(n))); got != want {
			t.Errorf("request %d: got dropped %t, want %t", n, got, want)
		}
	}
	take := func(n int) (all []int64) {
		for range n {
			<-b.waiting
			all = append(all, b.pop().at.Unix())
		}
		return all
	}
	if got := take(2); !slices.Equal(got, []int64{4, 3}) {
		t.Errorf("got %v, want 4 and 3", got)
	}
	b.push(at(5))
	if got := take(2); !slices.Equal(got, []int64{5, 2}) {
		t.Errorf("got %v, want 5 and 2", got)
	}
	if n := b.len(); n != 0 || len(b.waiting) != 0 {
		t.Errorf("got %d requests and %d turns, want none", n, len(b.waiting))
	}
}

// Whatever is pushed is dropped or popped, once.
func TestBacklogLosesNothing(t *testing.T) {
	t.Parallel()
	const pushers, each = 4, 5000
	b := newBacklog(8)
	var dropped, popped atomic.Int64
	quit := make(chan struct{})
	var in, out sync.WaitGroup
	for range 3 {
		out.Go(func() {
			for {
				select {
				case <-b.waiting:
					b.pop()
					popped.Add(1)
				case <-quit:
					return
				}
			}
		})
	}
	for range pushers {
		in.Go(func() {
			for range each {
				if b.push(pending{}) {
					dropped.Add(1)
				}
			}
		})
	}
	in.Wait()
	waitUntil(t, "the backlog is empty", func() bool { return b.len() == 0 })
	close(quit)
	out.Wait()
	if got := dropped.Load() + popped.Load(); got != pushers*each {
		t.Errorf("got %d dropped and %d popped, want %d together", dropped.Load(), popped.Load(), pushers*each)
	}
}

package authcallout

import (
	"sync"
	"sync/atomic"
	"testing"

	"parley/tenant"
)

func TestConnectionsOfAUserAreBounded(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		most int64
		open []int64 // as the first, second, … decision reads it
		in   bool
	}{
		{"no limit", 0, []int64{500}, true},
		{"below the limit", 3, []int64{2}, true},
		{"at the limit", 3, []int64{3}, false},
		{"above the limit, which was lowered", 3, []int64{9}, false},
		{"at the limit with one that he closed just now", 3, []int64{3, 2}, true},
	}
	for _, c := range cases {
		w := newWorld(t)
		w.set(func() { w.limits.ConnectionsPerUser, w.present = c.most, c.open })
		if c.in {
			w.admitted("alice", withToken(w.token(nil)))
			continue
		}
		if r := w.refused("connections_per_user", withToken(w.token(nil))); r.User != "alice" || r.Tenant != "acme" {
			t.Errorf("%s: got refusal %+v, want it told to acme of alice", c.name, r)
		}
	}
}

// Sessions are written behind the decision: those who come at once must not all find the same places free.
func TestThoseWhoComeAtOnceDoNotShareAPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(func() { w.limits.ConnectionsPerUser = 5 })
	var in atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if w.ask(withToken(w.token(nil))).user != nil {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if n := in.Load(); n != 5 {
		t.Errorf("got %d admitted of 20 at once, want 5", n)
	}
	w.admitted("bob", withToken(w.token(map[string]any{"sub": "bob"})))
}

func TestCrowdForgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCrowd()
	id := &tenant.Identity{Account: "A", User: tenant.User{ID: "alice"}, Limits: tenant.Limits{ConnectionsPerUser: 1}}
	if !c.enter(id, w.clock.now()) || c.enter(id, w.clock.now()) {
		t.Error("want one place and no second")
	}
	w.clock.forward(crowdMemory)
	c.tidy(w.clock.now())
	if len(c.lately) != 0 {
		t.Errorf("got %d users remembered, want none", len(c.lately))
	}
	if !c.enter(id, w.clock.now()) {
		t.Error("a place that is counted by its session alone stays taken")
	}
}

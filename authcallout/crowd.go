package authcallout

import (
	"sync"
	"time"

	"parley/tenant"
)

const (
	// crowdMemory is how long an admission is remembered: longer than its session takes to be written.
	crowdMemory = 250 * time.Millisecond
	// crowdWait is how long somebody waits who would be one too many, before he is looked at
	// once more: longer than the session of the connection that he has just closed takes to go.
	crowdWait = 350 * time.Millisecond
	// maxWaiting bounds those who wait; beyond it the answer comes at once.
	maxWaiting = 1024
)

// A crowd bounds the connections of one user. The sessions that are written are counted by the
// query of the decision; the crowd remembers the admissions whose sessions are on their way. It is
// this process's own: of users who connect through two callouts in the same milliseconds, one
// more each can get in.
type crowd struct {
	mu      sync.Mutex
	lately  map[member][]time.Time // of tenants that bound their users' connections
	tidied  time.Time
	waiting int
}

type member struct {
	account string
	user    tenant.UserID
}

func newCrowd() *crowd { return &crowd{lately: map[member][]time.Time{}} }

// enter takes a place for a connection, or reports that the user has no more.
func (c *crowd) enter(id *tenant.Identity, now time.Time) bool {
	most := id.Limits.ConnectionsPerUser
	if most == 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tidy(now)
	who := member{id.Account, id.User.ID}
	lately := late(c.lately[who], now)
	// Some may be counted twice, written and remembered: they wait and find a place then.
	if id.Connections+int64(len(lately)) >= most {
		return false
	}
	c.lately[who] = append(lately, now)
	return true
}

// wait reports whether there is room for one more who waits.
func (c *crowd) wait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == maxWaiting {
		return false
	}
	c.waiting++
	return true
}

func (c *crowd) waited() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting--
}

// tidy forgets what is old, now and then.
func (c *crowd) tidy(now time.Time) {
	if now.Sub(c.tidied) < crowdMemory {
		return
	}
	c.tidied = now
	for who, times := range c.lately {
		if times = late(times, now); len(times) == 0 {
			delete(c.lately, who)
		}
	}
}

// late are the times that are still remembered; they are in order.
func late(times []time.Time, now time.Time) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) >= crowdMemory {
		times = times[1:]
	}
	return times
}

// crowded deals with a connection that would be one too many: it is decided on anew a little
// later, when what the user closed just now is no longer counted, and refused then.
func (c *Callout) crowded(a *attempt) {
	if c.stopping() || a.again || !c.crowd.wait() {
		c.refuse(a, refuseCrowd)
		return
	}
	c.late.Go(func() {
		defer c.crowd.waited()
		timer := time.NewTimer(crowdWait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.quit:
		}
		c.serve(pending{msg: a.msg, at: a.at, again: true})
	})
}

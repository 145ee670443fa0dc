package chat

import (
	"context"
	"sync"
	"time"

	"parley/tenant"
)

// A user may save up floodBurst of his rate: a client that comes back posts what it held.
const floodBurst = 10 * time.Second

const (
	// maxPosters bounds each generation of a floodgate, at about 150 bytes a user.
	maxPosters = 1 << 16
	// maxFlooders is how many wait to be muted. Who finds no room is found again with his next post.
	maxFlooders = 256
)

// A floodgate finds those who post faster than their tenant allows: a token bucket for each
// user, filled by the clock of the stored messages (ADR 6). A bucket that nobody took from
// for floodBurst is full and need not be remembered, so that two maps that take turns do for
// all users who ever post.
type floodgate struct {
	chat     *Chat
	flooders chan flooder

	mu       sync.Mutex
	now, old map[poster]bucket
	turned   time.Time
}

type poster struct {
	tenant tenant.TenantID
	user   tenant.UserID
}

// A bucket is what is left to a user at a time, in messages.
type bucket struct {
	left  float64
	at    time.Time
	muted time.Time // until then he is not looked at
}

// A flooder is a user with the post that was too much.
type flooder struct {
	poster
	room tenant.RoomID
	seq  uint64
}

func newFloodgate(c *Chat) *floodgate {
	return &floodgate{chat: c, flooders: make(chan flooder, maxFlooders), now: map[poster]bucket{}}
}

// passed takes the posts of a batch out of their senders' buckets. It never waits.
func (g *floodgate) passed(t tenant.TenantID, perSecond int64, batch []candidate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	clock := time.Now()
	g.turn(clock)
	for _, c := range batch {
		// What comes late, from a stream that was away, floods nobody any more.
		if !c.ok || c.system() || clock.Sub(c.msg.at) > floodBurst {
			continue
		}
		u, guest := splitName(tenant.UserID(c.post.Sender))
		who := poster{t, u}
		if guest != "" {
			who.tenant = guest
		}
		if !g.take(who, c.msg.at, float64(perSecond)) {
			continue
		}
		select {
		case g.flooders <- flooder{who, c.post.Room, c.msg.seq}:
			g.now[who] = bucket{muted: c.msg.at.Add(tenant.FloodMute)}
		default:
		}
	}
}

// turn forgets the buckets that are full, or the older half where there are too many.
func (g *floodgate) turn(clock time.Time) {
	if clock.Sub(g.turned) > floodBurst || len(g.now) >= maxPosters {
		g.old, g.now, g.turned = g.now, make(map[poster]bucket, len(g.now)/2), clock
	}
}

// take takes one message and reports whether there was none left.
func (g *floodgate) take(who poster, at time.Time, perSecond float64) bool {
	full := perSecond * floodBurst.Seconds()
	b, ok := g.now[who]
	if !ok {
		b, ok = g.old[who]
	}
	switch passed := at.Sub(b.at); {
	case ok && at.Before(b.muted):
		return false
	case !ok || b.at.IsZero():
		b = bucket{left: full, at: at}
	case passed > 0: // streams are not in step with each other
		b.left, b.at = min(full, b.left+passed.Seconds()*perSecond), at
	}
	if b.left < 1 {
		g.now[who] = b
		return true
	}
	b.left--
	g.now[who] = b
	return false
}

// forget lets the next post of a user be looked at again.
func (g *floodgate) forget(who poster) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.now, who)
	delete(g.old, who)
}

// run mutes those who were found, one after the other, until ctx ends.
func (g *floodgate) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-g.flooders:
			if err := g.mute(ctx, f); err != nil && ctx.Err() == nil {
				g.forget(f.poster)
				g.chat.log.WarnContext(ctx, "flooding user not muted", "tenant", string(f.tenant), "user", string(f.user), "error", err)
			}
		}
	}
}

func (g *floodgate) mute(ctx context.Context, f flooder) error {
	ctx, cancel := context.WithTimeout(ctx, g.chat.timing.call)
	defer cancel()
	if err := g.chat.rooms.MuteFlooder(ctx, f.tenant, f.user, f.room, f.seq); err != nil {
		return err
	}
	g.chat.metrics.muted.Inc()
	return nil
}

package client

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"parley/tenant"
)

const (
	historyPage = 200
	// secondRead follows a first read: on a cluster the first milliseconds of a
	// subscription can be missed (NATS.md).
	secondRead   = time.Second
	readTimeout  = 4 * time.Second        // how long live messages wait for history at most
	readPauseMin = 250 * time.Millisecond // between reads that fail
	readPauseMax = 10 * time.Second
)

// A joiner is the one goroutine of a Listener that puts history and live together.
// After each break (the start, a reconnection, messages lost) it holds back what comes
// live until history is read up to the break, and reads once more a second later.
// Where history can't be read it holds nothing back: live delivery does not need Postgres.
type joiner struct {
	l     *Listener
	merge *merge
	queue []heldMessage

	conn    uint64 // the connection that history is read for
	breaks  int
	holding bool
	second  bool // the next read that ends is the second

	reading bool
	pages   chan page // holds one
	reads   sync.WaitGroup
	timer   *time.Timer // of the next read
	pause   time.Duration

	opened bool // the connection was made again to get the room listed
}

// page is the outcome of one read of history.
type page struct {
	breaks int // when it was asked
	missed
}

// run delivers until it can't, and says why.
func (l *Listener) run(ctx context.Context, after uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(l.c.life, cancel)()
	j := &joiner{l: l, merge: newMerge(after), pages: make(chan page, 1), timer: time.NewTimer(time.Hour), pause: readPauseMin}
	j.timer.Stop()
	defer func() {
		cancel()
		j.timer.Stop()
		j.reads.Wait()
	}()
	j.breakUp(ctx, l.c.nc.Stats().Reconnects)
	for {
		err := j.step(ctx)
		switch {
		case l.c.Err() != nil:
			return l.c.Err()
		case err != nil:
			return err
		}
	}
}

// step waits for one thing to happen and deals with it.
func (j *joiner) step(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-j.l.woken:
		return j.drain(ctx)
	case <-j.l.reconnected:
		if conn := j.l.c.nc.Stats().Reconnects; conn > j.conn {
			j.breakUp(ctx, conn)
		}
		return nil
	case <-j.l.denied:
		if j.opened || !j.l.c.open(j.l.room) {
			return newError(tenant.CodeForbidden, nil, "you may not read room %q", j.l.room.ID)
		}
		j.opened = true
		return nil
	case p := <-j.pages:
		j.reading = false
		return j.apply(ctx, p)
	case <-j.timer.C:
		j.read(ctx)
		return nil
	}
}

// breakUp notes that live delivery has, or may have, a gap before this moment.
func (j *joiner) breakUp(ctx context.Context, conn uint64) {
	j.conn = conn
	j.breaks++
	j.holding, j.second = true, false
	j.merge.broken()
	j.read(ctx)
}

// read asks for the history behind the cursor, one page at a time. The request goes
// over the connection after the subscription, so the server has that before it.
func (j *joiner) read(ctx context.Context) {
	if j.reading {
		return // its answer is of an older break, and is followed by another
	}
	j.reading = true
	j.timer.Stop()
	p := page{breaks: j.breaks}
	after := j.merge.cursor
	j.reads.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		if p.err = j.l.acquaint(ctx); p.err == nil {
			p.missed = j.l.c.missed(ctx, j.l.room, after)
		}
		if isCode(p.err, tenant.CodeForbidden) {
			// A revoked user is refused before he is told why: the notice is on its way.
			wait(ctx, 2*kickWait)
		}
		j.pages <- p
	})
}

func (j *joiner) apply(ctx context.Context, p page) error {
	if p.err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if isFinal(p.err) {
			return p.err
		}
		j.holding = false
		j.timer.Reset(j.pause/2 + rand.N(j.pause)) //nolint:gosec // G404: jitter, no secret
		j.pause = min(2*j.pause, readPauseMax)
		return j.drain(ctx)
	}
	j.pause = readPauseMin
	for _, m := range p.messages {
		j.l.signers.learn(m)
		if err := j.deliver(ctx, m); err != nil {
			return err
		}
		j.merge.read(m.Seq)
	}
	if p.more && len(p.messages) > 0 || p.breaks < j.breaks {
		j.read(ctx)
		return nil
	}
	j.holding = false
	if err := j.drain(ctx); err != nil || j.holding {
		return err
	}
	if !j.second {
		j.second = true
		j.timer.Reset(secondRead + rand.N(secondRead/4)) //nolint:gosec // G404: jitter, no secret
		return nil
	}
	j.merge.mended()
	j.opened = false
	return nil
}

// drain delivers what came live, up to a break that it finds.
func (j *joiner) drain(ctx context.Context) error {
	if j.holding {
		return nil
	}
	held, lost := j.l.take()
	if lost {
		j.queue = nil
		j.breakUp(ctx, j.conn)
		return nil
	}
	j.queue = append(j.queue, held...)
	for len(j.queue) > 0 {
		next := j.queue[0]
		if next.conn > j.conn {
			j.breakUp(ctx, next.conn)
			return nil
		}
		j.queue = j.queue[1:]
		if err := j.deliver(ctx, next.Message); err != nil {
			return err
		}
	}
	return nil
}

func (j *joiner) deliver(ctx context.Context, m Message) error {
	ok, late := j.merge.accept(m)
	if !ok {
		j.l.c.doubles.Add(1)
		return nil
	}
	m.Late = late
	select {
	case j.l.out <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

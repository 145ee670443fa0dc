package chat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// workers project different streams at the same time. A stream has one worker at a time.
const workers = 8

// maxQueued bounds the live messages that wait, in bytes. Beyond it they are dropped
// and later read from the streams.
const maxQueued = 64 << 20

// A projector is one term of leadership.
type projector struct {
	chat  *Chat
	epoch int64
	purge *purger
	ages  *ager
	flood *floodgate
	tells *herald
	end   context.CancelCauseFunc // ends the term

	mu     sync.Mutex
	lines  map[string]*line
	ready  []*line
	later  []*line // after a fault, until the next retry
	queued int     // bytes
	wake   chan struct{}

	sized time.Time // when check wrote last what the streams hold
}

func newProjector(c *Chat, epoch int64, end context.CancelCauseFunc) *projector {
	return &projector{
		chat: c, epoch: epoch, end: end, purge: newPurger(c), ages: newAger(), flood: newFloodgate(c), tells: newHerald(c),
		lines: map[string]*line{}, wake: make(chan struct{}, workers),
	}
}

// run projects until ctx ends. It subscribes before it reads a cursor, so that
// nothing falls between.
func (p *projector) run(ctx context.Context) error {
	live := []string{subject.SharedLive}
	for _, class := range tenant.Classes {
		live = append(live, subject.LiveOf(class))
	}
	for _, all := range live {
		// No queue group: they merge across accounts (NATS.md).
		sub, err := p.chat.conn.Subscribe(all, p.live)
		if err != nil {
			return fmt.Errorf("follow %s: %w", all, err)
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	p.chat.leading.Store(p)
	defer p.chat.leading.Store(nil)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { p.work(ctx) })
	}
	wg.Go(func() { p.purge.run(ctx) })
	wg.Go(func() { p.flood.run(ctx) })
	wg.Go(func() { p.tells.run(ctx) })
	wg.Go(func() { p.check(ctx) })
	wg.Go(func() { p.age(ctx) })
	wg.Go(func() { p.recordUsage(ctx) })
	wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chat.metrics.queued.Set(0)
	return nil
}

// live takes a delivery. What is not the server's own is never believed, but shows
// that its stream may hold something: the stream is then asked.
func (p *projector) live(msg *nats.Msg) {
	stream, m, ok := fromLive(msg)
	if !ok {
		p.chat.metrics.junk.Inc()
		if stream = streamOf(msg.Subject); stream != "" {
			p.suspect(stream)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.line(stream)
	p.grow(l.offer(m))
	if p.queued > maxQueued {
		n, bytes := l.drop()
		p.grow(-bytes)
		p.chat.metrics.dropped.Add(float64(n))
	}
	p.schedule(l)
}

func (p *projector) grow(bytes int) {
	p.queued += bytes
	p.chat.metrics.queued.Set(float64(p.queued))
}

// suspect lets a worker ask a stream what it holds behind the cursor.
func (p *projector) suspect(stream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.line(stream)
	l.suspect = true
	p.schedule(l)
}

// behind says that a stream holds messages up to a sequence.
func (p *projector) behind(stream string, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.line(stream)
	if l.target = max(l.target, seq); l.lacks() {
		p.schedule(l)
	}
}

func (p *projector) line(stream string) *line {
	l := p.lines[stream]
	if l == nil {
		l = &line{stream: stream}
		p.lines[stream] = l
	}
	return l
}

func (p *projector) schedule(l *line) {
	if l.busy || l.ready {
		return // its worker looks again before it lets go
	}
	if pause := l.rest(time.Now()); pause > 0 {
		p.rest(l, pause)
		return
	}
	l.ready = true
	p.ready = append(p.ready, l)
	select {
	case p.wake <- struct{}{}:
	default: // every worker has been woken and will look
	}
}

// rest schedules a line after a pause.
func (p *projector) rest(l *line, pause time.Duration) {
	if l.resting {
		return
	}
	l.resting = true
	time.AfterFunc(pause, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		l.resting = false
		if l.lacks() {
			p.schedule(l)
		}
	})
}

// hasten lets a line rest no more before it is projected up to a sequence.
func (p *projector) hasten(stream string, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.lines[stream]; l != nil && seq > l.cursor {
		l.awaited = max(l.awaited, seq)
		if l.lacks() {
			p.schedule(l)
		}
	}
}

func (p *projector) take() *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready) == 0 {
		return nil
	}
	l := p.ready[0]
	p.ready = p.ready[1:]
	l.ready, l.busy = false, true
	return l
}

func (p *projector) work(ctx context.Context) {
	for {
		for l := p.take(); l != nil && ctx.Err() == nil; l = p.take() {
			p.release(l, p.step(ctx, l))
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
	}
}

// release puts a line back: at once where there is more, later after a fault.
func (p *projector) release(l *line, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.busy = false
	switch {
	case errors.Is(err, errFenced):
		p.end(err)
	case errors.Is(err, errGone):
		_, bytes := l.drop()
		p.grow(-bytes)
		delete(p.lines, l.stream)
	case err != nil:
		l.ready = true // keeps it out of the ready list until the retry
		p.later = append(p.later, l)
	case l.lacks():
		p.schedule(l)
	}
}

// retry gives the lines that met a fault back to the workers.
func (p *projector) retry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.later
	p.later = nil
	for _, l := range lines {
		l.ready = false
		p.schedule(l)
	}
}

// step commits the next run of a line, from its queue or, where that has a gap, from its stream.
func (p *projector) step(ctx context.Context, l *line) error {
	if !l.loaded {
		if err := p.load(ctx, l); err != nil {
			return p.fault(ctx, l, err)
		}
	}
	r, ask, limit, target := p.next(l)
	if ask {
		var err error
		if r, err = p.chat.fetch(ctx, l.stream, l.cursor+1, limit); err != nil {
			p.suspect(l.stream)
			return p.fault(ctx, l, err)
		}
		if r.empty() {
			return p.fault(ctx, l, p.content(l, target))
		}
	}
	if r.empty() {
		return nil
	}
	return p.fault(ctx, l, p.project(ctx, l, r))
}

// next is the run in the queue, or says that the stream is to be asked.
func (p *projector) next(l *line) (r run, ask bool, limit int, target uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit = l.limit()
	r = l.next(limit)
	if ask = r.empty() && l.lacks(); ask {
		// Whoever suspects from here on may know more than the answer will.
		l.suspect = false
	}
	return r, ask, limit, l.target
}

// errHole is met where live messages came that the stream's leader does not have: its stream
// vanished, and is made again with later sequences, or a new leader has yet to catch up.
var errHole = errors.New("the stream does not hold what came live")

// content believes the stream's leader that there is nothing behind the cursor.
func (p *projector) content(l *line, target uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(l.queue) > 0 {
		return errHole
	}
	if l.target == target {
		l.target = l.cursor
	}
	return nil
}

func (p *projector) project(ctx context.Context, l *line, r run) error {
	err := p.commit(ctx, l, r, false)
	if poison(err) {
		if len(r.msgs) > 1 {
			p.mu.Lock()
			l.single = len(r.msgs)
			p.mu.Unlock()
			return nil // comes again, one by one
		}
		p.chat.log.ErrorContext(ctx, "postgres refused a message", "stream", l.stream, "seq", r.to, "error", err)
		err = p.commit(ctx, l, r, true)
	}
	var moved *movedError
	if errors.As(err, &moved) {
		p.advance(l, moved.last)
		return nil
	}
	if err != nil {
		return err
	}
	p.advance(l, r.to)
	return nil
}

func (p *projector) advance(l *line, to uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grow(-l.advance(to))
	l.single = max(l.single-1, 0)
	l.committed = time.Now()
}

// fault logs what went wrong with a line, unless the term is over.
func (p *projector) fault(ctx context.Context, l *line, err error) error {
	if err != nil && ctx.Err() == nil && !errors.Is(err, errGone) && !errors.Is(err, errFenced) {
		p.chat.log.WarnContext(ctx, "projection waits", "stream", l.stream, "error", err)
	}
	return err
}

const sqlLoadStream = `SELECT tenant_id, account, last_seq FROM streams WHERE stream = $1`

// load reads a line's row.
func (p *projector) load(ctx context.Context, l *line) error {
	ctx, cancel := context.WithTimeout(ctx, p.chat.timing.call)
	defer cancel()
	var last uint64
	err := p.chat.pool.QueryRow(ctx, sqlLoadStream, l.stream).Scan(&l.tenant, &l.account, &last)
	if errors.Is(err, pgx.ErrNoRows) {
		return errGone
	}
	if err != nil {
		return err
	}
	p.loaded(l, last)
	return nil
}

func (p *projector) loaded(l *line, last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.loaded = true
	p.grow(-l.advance(last))
	p.chat.progress.advance(l.stream, last)
}

// ticker calls fn at an interval until ctx ends.
func ticker(ctx context.Context, every time.Duration, fn func()) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			fn()
		}
	}
}

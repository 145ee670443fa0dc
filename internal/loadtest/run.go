package loadtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"parley/client"
)

// run is one run: its connections, and what they saw.
type run struct {
	Config
	book    *ledger
	room    client.Room
	senders []*client.Client
	all     []*client.Client
	listen  context.CancelFunc
	ended   sync.WaitGroup // of the listeners
}

func (r *run) close() {
	r.endListening()
	for _, c := range r.all {
		c.Close()
	}
}

func (r *run) endListening() {
	if r.listen != nil {
		r.listen()
	}
	r.ended.Wait()
}

// open connects everybody, the listeners first, and lets them listen from now on.
func (r *run) open(ctx context.Context) error {
	for i := range r.Listeners + r.Senders {
		c, err := r.Connect(ctx)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
		r.all = append(r.all, c)
	}
	r.senders = r.all[r.Listeners:]
	var err error
	if r.room, err = r.senders[0].Room(ctx, r.Room); err != nil {
		return fmt.Errorf("room %s: %w", r.Room, err)
	}
	r.book.after = r.room.Last
	// Listening goes on when ctx ends, until the last deliveries came.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.listen = stop
	for i, c := range r.all[:r.Listeners] {
		l, err := c.Listen(life, r.room, r.room.Last)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		r.ended.Go(func() {
			for m := range l.Messages() {
				if n, ok := r.book.number(m); ok {
					r.book.delivered(i, n, m.Seq, time.Now())
				}
			}
		})
	}
	return nil
}

// post lets the senders post until a bound is reached, and tells how long that took.
func (r *run) post(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.For, errBound)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	turns := newPacer(r.Rate)
	begun := time.Now()
	var wg sync.WaitGroup
	for _, c := range r.senders {
		wg.Go(func() { r.sendAll(ctx, c, turns, fail) })
	}
	wg.Wait()
	var broken *brokenError
	if errors.As(context.Cause(ctx), &broken) {
		return 0, broken.error
	}
	return time.Since(begun), nil
}

// errBound ends the posting when its time is over.
var errBound = errors.New("the time is over")

// A brokenError ends a run that can't go on.
type brokenError struct{ error }

func (r *run) sendAll(ctx context.Context, c *client.Client, turns *pacer, fail context.CancelCauseFunc) {
	for turns.wait(ctx) {
		if why := refusal(c, 0); why != nil {
			fail(&brokenError{why})
			return
		}
		n, ok := r.book.begin(r.Messages)
		if !ok {
			return
		}
		// A post that has begun may end behind the bound.
		err := r.postOne(context.WithoutCancel(ctx), c, n)
		var final *client.Error
		if errors.As(err, &final) || c.Err() != nil {
			// Where the servers refuse a post, the platform may have said why.
			if why := refusal(c, noticeTime); why != nil {
				err = why
			}
			fail(&brokenError{fmt.Errorf("post: %w", err)})
			return
		}
	}
}

func (r *run) postOne(ctx context.Context, c *client.Client, n int) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	text := r.book.text(n, r.Size)
	begun := time.Now()
	r.book.posting(n, begun)
	ack, err := c.Post(ctx, r.room, client.Draft{Text: text})
	if err != nil {
		r.book.failed()
		return err
	}
	r.book.acknowledged(n, ack.Seq, time.Since(begun))
	return nil
}

// refusal is why the platform does not count the user's posts, where it told so or does within a time.
func refusal(c *client.Client, within time.Duration) error {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		select {
		case n, ok := <-c.Notices():
			switch {
			case !ok:
				return nil
			case n.What != client.NoticeRefused:
				continue
			case n.Code == "over_rate":
				return errors.New("the user is muted for a while, since he posted faster than the tenant's limit messages_per_second: give a lower rate, or raise the limit")
			}
			return fmt.Errorf("posts are stored and not counted: %s", n.Code)
		case <-late.C:
			return nil
		}
	}
}

// readBack reads what the room has behind its last message from before.
func (r *run) readBack(ctx context.Context) error {
	after := r.room.Last
	for more := true; more; {
		page, next, err := r.senders[0].History(ctx, r.room, client.HistoryQuery{After: max(after, 1), Limit: 1000})
		if err != nil {
			return err
		}
		for _, m := range page {
			after = m.Seq
			if n, ok := r.book.number(m); ok {
				r.book.read(n, m.Seq)
			}
		}
		more = next && len(page) > 0
	}
	return nil
}

// watch tells how far the run is, from now until stop is called.
func (r *run) watch() (stop func()) {
	if r.Progress == nil {
		return func() {}
	}
	begun, done := time.Now(), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(between)
		defer t.Stop()
		before := 0
		for {
			select {
			case <-done:
				return
			case <-t.C:
			}
			p := Progress{Elapsed: time.Since(begun)}
			p.Posted, p.Awaited = r.book.counts()
			p.PerSecond = float64(p.Posted-before) / between.Seconds()
			before = p.Posted
			r.Progress(p)
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

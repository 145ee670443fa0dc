package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
)

// check compares all streams with their rows: at once, at an interval, and when the connection to
// NATS is back. It finds what no live message tells: the last message of a stream that was
// missed, streams that vanished, and what retention took.
func (p *projector) check(ctx context.Context) {
	back := p.chat.conn.StatusChanged(nats.CONNECTED)
	defer p.chat.conn.RemoveStatusListener(back)
	every := time.NewTicker(p.chat.timing.check)
	defer every.Stop()
	retry := time.NewTicker(p.chat.timing.retry)
	defer retry.Stop()
	for {
		if err := p.compare(ctx); err != nil && ctx.Err() == nil {
			p.chat.log.WarnContext(ctx, "streams are not all as wanted", "error", err)
		}
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return
			case <-retry.C:
				p.retry()
			case <-every.C:
				again = true
			case <-back:
				again = true
			}
		}
	}
}

// compare reads the rows before the streams, so that a stream that ends before its cursor has lost messages.
func (p *projector) compare(ctx context.Context) error {
	p.purge.wake()
	wanted, err := p.chat.wantedStreams(ctx, "")
	if err != nil {
		return err
	}
	have, err := p.chat.listStreams(ctx)
	if err != nil {
		return err
	}
	var faults []error
	var ages []aging
	for _, w := range wanted {
		if info := have[w.name]; info != nil {
			p.behind(w.name, info.State.LastSeq)
			faults = append(faults, p.compareOne(ctx, w, info))
			ages = append(ages, aging{wantedStream: w, state: info.State})
		}
	}
	p.ages.offer(ages)
	return errors.Join(append(faults, p.writeSizes(ctx, have), p.chat.heal(ctx, wanted, have))...)
}

func (p *projector) compareOne(ctx context.Context, w wantedStream, info *jetstream.StreamInfo) error {
	if info.State.LastSeq < w.lastSeq {
		p.chat.log.ErrorContext(ctx, "a stream lost messages that were projected",
			"stream", w.name, "last", info.State.LastSeq, "projected", w.lastSeq)
		if err := p.chat.skip(ctx, w, info.State.LastSeq); err != nil {
			return fmt.Errorf("skip lost sequences of %s: %w", w.name, err)
		}
	}
	return nil
}

var _ tenant.Streams = (*Chat)(nil)

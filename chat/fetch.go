package chat

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// fetch reads a run from a stream. A sequence counts as absent only when the leader says so: direct
// gets are fast, but answered by replicas that may lag. An empty run says that the leader
// has nothing there, or that there is no such stream at the moment.
func (c *Chat) fetch(ctx context.Context, stream string, from uint64, limit int) (run, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	r := run{from: from, to: from - 1}
	msgs, err := c.directBatch(ctx, stream, from, limit, batchBytes)
	if err == nil {
		err = c.fill(ctx, stream, &r, msgs)
	}
	if isJS(err, jsStreamNotFound) {
		return run{from: from, to: from - 1}, nil
	}
	if errors.Is(err, nats.ErrNoResponders) {
		// No stream, or none that answers: the leader tells which.
		if _, ok, errInfo := c.lastSeq(ctx, stream); errInfo == nil && !ok {
			return run{from: from, to: from - 1}, nil
		}
	}
	if err != nil {
		return run{}, fmt.Errorf("fetch %s from %d: %w", stream, from, err)
	}
	c.metrics.fetched.Add(float64(len(r.msgs)))
	return r, nil
}

// fill appends what came, and asks the leader wherever it does not follow on what is there.
func (c *Chat) fill(ctx context.Context, stream string, r *run, msgs []*nats.Msg) error {
	for _, msg := range msgs {
		name, m, ok := fromServer(msg.Header, msg.Data)
		switch {
		case ok && name == stream && m.seq <= r.to:
		case ok && name == stream && m.seq == r.to+1:
			r.add(m)
		default:
			// A gap, or a sender's own Nats-* headers, which hide the sequence.
			followed, err := c.fillFromLeader(ctx, stream, r)
			if err != nil || !followed || ok && r.to < m.seq {
				return err
			}
		}
	}
	if r.empty() {
		_, err := c.fillFromLeader(ctx, stream, r)
		return err
	}
	return nil
}

// fillFromLeader appends the next message by the leader's word, or what it says is absent for good.
func (c *Chat) fillFromLeader(ctx context.Context, stream string, r *run) (found bool, err error) {
	raw, found, last, err := c.leaderNext(ctx, stream, r.to+1)
	switch {
	case err != nil:
		return false, err
	case found:
		r.add(fromLeader(raw))
	default:
		r.to = max(r.to, last)
	}
	return found, nil
}

func (r *run) add(m stored) {
	r.msgs = append(r.msgs, m)
	r.to = m.seq
}

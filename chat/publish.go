package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// pubAck is the stream's answer to a stored message, or to one that it refused.
type pubAck struct {
	Stream    string   `json:"stream"`
	Seq       uint64   `json:"seq"`
	Duplicate bool     `json:"duplicate"`
	Error     *jsError `json:"error"`
}

// publish stores a message. A stream that is missing is made first.
func (c *Chat) publish(ctx context.Context, room seenRoom, d draft) (uint64, error) {
	ack, err := c.store(ctx, d)
	if errors.Is(err, nats.ErrNoResponders) && room.kind == tenant.Shared {
		return 0, tenant.Errorf(tenant.CodeForbidden, "the room is closed, or shared for reading only")
	}
	if errors.Is(err, nats.ErrNoResponders) {
		if err = c.ensureOf(ctx, room.host, room.class); err != nil {
			return 0, fmt.Errorf("%w (%w)", unavailable("the message store"), err)
		}
		ack, err = c.store(ctx, d)
	}
	if err != nil {
		return 0, fmt.Errorf("%w (%w)", unavailable("the message store"), err)
	}
	switch {
	case ack.Error != nil:
		return 0, fromStore(ack.Error)
	case ack.Stream != room.stream || ack.Seq == 0:
		return 0, fmt.Errorf("stream %s acknowledged a message for %s", ack.Stream, room.stream)
	case ack.Duplicate:
		return ack.Seq, c.compareDouble(ctx, room.stream, ack.Seq, d)
	}
	return ack.Seq, nil
}

func (c *Chat) store(ctx context.Context, d draft) (ack pubAck, err error) {
	msg := nats.NewMsg(d.subject)
	msg.Header.Set(nats.MsgIdHdr, d.id)
	msg.Data = d.body
	answer, err := c.conn.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return pubAck{}, err
	}
	return ack, json.Unmarshal(answer.Data, &ack)
}

// fromStore turns a stream's refusal into what callers may see.
func fromStore(e *jsError) error {
	switch e.Code {
	case jsTooLarge:
		return tenant.Errorf(tenant.CodeTooLarge, "the message is larger than the tenant's limit")
	case jsStreamFull, jsNoStorage, jsNoMemory, jsAccountFull:
		return tenant.Errorf(tenant.CodeLimitReached, "the tenant's message storage is full")
	}
	return fmt.Errorf("store a message: %w", e)
}

// compareDouble looks at what is stored under the same id before it is believed to be
// the same message: ids are the stream's, and anybody in it may have used this one.
func (c *Chat) compareDouble(ctx context.Context, stream string, seq uint64, d draft) error {
	have, err := c.leaderGet(ctx, stream, seq)
	if isJS(err, jsNoMessage) {
		return errIDTaken // it was refused, or retention took it
	}
	if err != nil {
		return fmt.Errorf("%w (%w)", unavailable("the message store"), err)
	}
	if have.Subject != d.subject || !bytes.Equal(have.Data, d.body) {
		return errIDTaken
	}
	return nil
}

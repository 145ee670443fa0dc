package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

const (
	callTimeout    = 10 * time.Second // of a call whose ctx has no deadline
	repeatPause    = 5 * time.Millisecond
	attemptTimeout = 4 * time.Second // the service itself answers within about 2 s, "unavailable" at worst
)

// Call asks the chat service for any operation, as one that this package has no method
// for. The request is encoded as JSON; the answer, where it is not nil, is decoded from it.
// Refusals are *Error.
func (c *Client) Call(ctx context.Context, op string, request, answer any) error {
	return c.call(ctx, op, request, answer)
}

// call asks the chat service for an operation and decodes the answer into out, which
// may be nil. A reconnection in the middle is no failure: all operations may be repeated.
func (c *Client) call(ctx context.Context, op string, body, out any) error {
	_, err := c.repeat(ctx, op, body, out)
	return err
}

// repeat is call, and tells whether it asked more than once: an answer may then be about
// what an earlier attempt did.
func (c *Client) repeat(ctx context.Context, op string, body, out any) (repeated bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	raw, err := json.Marshal(body)
	if err != nil {
		return false, fmt.Errorf("%s: encode: %w", op, err)
	}
	for {
		answer, err := c.ask(ctx, op, raw)
		switch {
		case err == nil:
			return repeated, decodeAnswer(op, answer, out)
		case errors.Is(err, nats.ErrNoResponders):
			return repeated, newError(tenant.CodeUnavailable, err, "the chat service is not there")
		case c.Err() != nil:
			return repeated, c.Err()
		case ctx.Err() != nil:
			return repeated, newError(tenant.CodeUnavailable, ctx.Err(), "no answer to %s in time", op)
		case errors.Is(err, nats.ErrMaxPayload):
			return repeated, newError(tenant.CodeTooLarge, err, "the request is too large")
		}
		// Cut off by a reconnection, or lost: once more on a connection that is up.
		if err := c.waitConnected(ctx); err != nil {
			return repeated, newError(tenant.CodeUnavailable, err, "no connection for %s", op)
		}
		repeated = true
		wait(ctx, repeatPause) // nats.go may say that it is connected a moment longer than it is
	}
}

func (c *Client) ask(ctx context.Context, op string, raw []byte) ([]byte, error) {
	ctx, cancel := c.attempt(ctx, attemptTimeout)
	defer cancel()
	m, err := c.nc.RequestWithContext(ctx, subject.API(c.user, op), raw)
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

func decodeAnswer(op string, raw []byte, out any) error {
	var head struct {
		OK *bool `json:"ok"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.OK == nil {
		return newError(tenant.CodeInternal, err, "the answer to %s has another form than the chat service's", op)
	}
	if !*head.OK {
		return decodeRefusal(op, raw)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return newError(tenant.CodeInternal, err, "the answer to %s has another form than this client knows", op)
	}
	return nil
}

func decodeRefusal(op string, raw []byte) error {
	var r struct {
		Code    tenant.Code       `json:"code"`
		Message string            `json:"message"`
		Fields  map[string]string `json:"fields"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return newError(tenant.CodeInternal, err, "the refusal of %s has another form than the chat service's", op)
	}
	return &Error{Code: r.Code, Message: r.Message, Fields: r.Fields}
}

package client

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// Service asks a service, which a backend of the tenant answers: name is its own, or <name>@<tenant> of one that
// another tenant shares. What body and answer are is the service's affair. The request is sent once: whether one that
// was cut off did something only the service knows. The error is *Error, with Code unavailable where nobody answers.
func (c *Client) Service(ctx context.Context, name string, body []byte) ([]byte, error) {
	own, host, shared := strings.Cut(name, "@")
	if !tenant.ValidID(own) || shared && !tenant.ValidID(host) {
		return nil, newError(tenant.CodeInvalid, nil, "%q names no service, as helper or helper@acme", name)
	}
	me, err := c.myself(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.waitConnected(ctx); err != nil {
		return nil, newError(tenant.CodeUnavailable, err, "no connection for service %s", name)
	}
	attempt, done := c.attempt(ctx, callTimeout)
	defer done()
	m, err := c.nc.RequestWithContext(attempt, subject.Ask(name, tenant.TenantID(me.Tenant), c.user), body)
	switch {
	case err == nil:
		return m.Data, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, newError(tenant.CodeUnavailable, err, "service %s is not there", name)
	case c.Err() != nil:
		return nil, c.Err()
	case errors.Is(err, nats.ErrMaxPayload):
		return nil, newError(tenant.CodeTooLarge, err, "the request is too large")
	}
	return nil, newError(tenant.CodeUnavailable, err, "no answer of service %s in time", name)
}

// myself asks once who the user is.
func (c *Client) myself(ctx context.Context) (Me, error) {
	if me := c.me.Load(); me != nil {
		return *me, nil
	}
	me, err := c.WhoAmI(ctx)
	if err == nil {
		c.me.Store(&me)
	}
	return me, err
}

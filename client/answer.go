package client

import (
	"context"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// A Question is what a user asks a service.
type Question struct {
	User string
	// Share is the id of the share by which another tenant's user asks; "": he is of the service's own tenant.
	Share string
	Body  []byte
}

// Answer answers what users ask the service of that name, whose credentials the client has, until ctx ends or the client
// stops; it returns when the server knows. shares are the ids of the shares by which other tenants ask. handle is called for
// one question at a time; call Answer several times, in as many programs as you like, to have them share the questions.
//
// What cannot be believed is counted as junk and not answered: everybody may ask for an answer to be sent where he may not
// speak himself, so that a question counts only where its answer goes to an inbox of the user who asks, or where a
// server has made its subject.
func (c *Client) Answer(ctx context.Context, name string, shares []string, handle func(ctx context.Context, q Question) []byte) error {
	if !tenant.ValidID(name) {
		return newError(tenant.CodeInvalid, nil, "%q names no service", name)
	}
	me, err := c.myself(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	sub, err := c.nc.QueueSubscribe(subject.Questions(name), "parley-"+name, func(m *nats.Msg) {
		q, ok := parseQuestion(m, name, me.Tenant, shares)
		if !ok {
			c.junk.Add(1)
			return
		}
		if err := m.Respond(handle(ctx, q)); err != nil {
			c.log.Warn("answer not sent", "service", name, "error", err)
		}
	})
	if err == nil {
		err = c.nc.FlushTimeout(callTimeout)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || err != nil {
		cancel()
		if c.err != nil {
			return c.err
		}
		return newError(tenant.CodeUnavailable, err, "the service can't be answered for")
	}
	c.wg.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
		case <-c.life.Done():
		}
		_ = sub.Unsubscribe() // fails only where there is none, or the connection is closed, which unsubscribes too
	})
	return nil
}

// parseQuestion believes what docs/PROTOCOL.md says that a service may believe.
func parseQuestion(m *nats.Msg, name, own string, shares []string) (Question, bool) {
	from, user, ok := subject.ParseQuestion(name, m.Subject)
	switch {
	case !ok || !tenant.ValidID(user) && !tenant.ValidUserNKey(user):
		return Question{}, false
	case from == own:
		return Question{User: user, Body: m.Data}, strings.HasPrefix(m.Reply, subject.Inbox(tenant.UserID(user))+".")
	}
	return Question{User: user, Share: from, Body: m.Data}, slices.Contains(shares, from) && subject.ServersAnswer(m.Reply)
}

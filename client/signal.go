package client

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// Typing tells the others in a room that the user types, or has stopped. It may get lost;
// in rooms that tenants share nobody is told, since signals never leave a tenant.
func (c *Client) Typing(r Room, typing bool) error {
	place, err := r.place(string(c.user))
	if err != nil || r.Kind == tenant.Shared {
		return err
	}
	raw, err := json.Marshal(signal{Typing: &typing})
	if err != nil {
		return err
	}
	return c.nc.Publish(place.Sig(), raw)
}

// A Signal is something fleeting that a user does in a room.
type Signal struct {
	User   string
	Typing bool
}

type signal struct {
	Typing *bool `json:"typing"`
}

// parseSignal is strict, since a service's answer can be aimed at a sig subject.
func parseSignal(r Room, m *nats.Msg) (Signal, bool) {
	p, ok := subject.ParseSig(m.Subject)
	if !ok || !r.holds(p) || p.Sender == tenant.System || len(m.Header) > 0 {
		return Signal{}, false
	}
	var s signal
	if decodeStrict(m.Data, &s) != nil || s.Typing == nil {
		return Signal{}, false
	}
	return Signal{User: p.Sender, Typing: *s.Typing}, true
}

// Signals are the signals in a room, the user's own among them, until ctx ends or the
// client stops; the channel is closed then. What nobody reads in time is dropped. Rooms
// that tenants share have none.
func (c *Client) Signals(ctx context.Context, r Room) (<-chan Signal, error) {
	place, err := r.place(subject.Any)
	if err != nil {
		return nil, err
	}
	out := newRing[Signal](64)
	var sub *nats.Subscription
	if r.Kind != tenant.Shared {
		sub, err = c.nc.Subscribe(place.Sig(), func(m *nats.Msg) {
			if s, ok := parseSignal(r, m); ok {
				out.push(s)
				return
			}
			c.junk.Add(1)
		})
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		out.close()
		return out.ch, nil
	}
	c.wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-c.life.Done():
		}
		_ = sub.Unsubscribe() // fails only where there is none, or the connection is closed, which unsubscribes too
		out.close()
	})
	return out.ch, nil
}

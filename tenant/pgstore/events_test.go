package pgstore

import (
	"context"
	"errors"
	"testing"

	"parley/tenant"
)

func TestAnnounceKeepsTheEventAndItsJobOrNeither(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addRoom(t, s, roomOf("acme", "town", tenant.Open))
	announce := func(ctx context.Context, x tenant.Tx) error {
		return errors.Join(
			x.Announce(ctx, "acme", "town", tenant.Event{Event: tenant.EventJoined, User: "alice"}),
			x.Announce(ctx, "acme", "town", tenant.Event{Event: tenant.EventFrozen, By: "bob", On: new(false)}))
	}
	own := errors.New("changed my mind")
	if err := try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return errors.Join(announce(ctx, x), own) }); !errors.Is(err, own) {
		t.Fatalf("got %v, want the error of the change", err)
	}
	want(t, "events of a change that was taken back", count(t, s, `SELECT count(*) FROM pending_events`), 0)
	write(t, s, "acme", announce)
	want(t, "the first event", count(t, s, `SELECT count(*) FROM pending_events WHERE event::text = '{"event":"joined","user":"alice"}'`), 1)
	want(t, "events in order", count(t, s, `SELECT count(*) FROM pending_events a JOIN pending_events b ON a.event_id < b.event_id
		WHERE a.event->>'event' = 'joined' AND b.event::text = '{"event":"frozen","by":"bob","on":false}' AND length(a.message_id) >= 26`), 1)
	want(t, "jobs", count(t, s, `SELECT count(*) FROM river_job WHERE kind = 'publish_events' AND args = '{"tenant": "acme", "room": "town"}'`), 2)
}

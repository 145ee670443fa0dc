package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"parley/tenant"
)

// announce keeps an event as tenant/pgstore does.
func (s *site) announce(r tenant.RoomID, event string) {
	s.t.Helper()
	s.exec(`INSERT INTO pending_events (tenant_id, room_id, message_id, event) VALUES ('acme', $1, $2, $3)`, r, s.newID(), event)
}

// events are a room's events as the read model has them, without the messages between.
func (s *site) events(r tenant.RoomID) []string {
	s.t.Helper()
	page, err := s.chat.History(s.ctx(), "acme", r, tenant.HistoryQuery{Limit: tenant.MaxHistory})
	if err != nil {
		s.t.Fatalf("History of %s: %v", r, err)
	}
	var all []string
	for _, m := range page.Messages {
		if m.Sender != tenant.System {
			continue
		}
		var e tenant.Event
		if err := json.Unmarshal(m.Event, &e); err != nil || m.N != 0 || m.Text != "" {
			s.t.Errorf("event %d: got %+v, %v, want JSON without number and text", m.Seq, m, err)
		}
		all = append(all, string(e.Event)+" "+string(e.User))
	}
	return all
}

func TestAnnouncedEventsAreStoredOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.room("first", tenant.Open, tenant.Keep) // its stream is not made yet
	s.room("gone", tenant.Open, tenant.Std)
	s.exec(`UPDATE rooms SET state = 'deleted' WHERE room_id = 'gone'`)
	s.run(s.chat)
	s.post(town.by("alice"), "m1")
	var want []string
	for i := range 2*eventBatch + 1 {
		s.announce("town", fmt.Sprintf(`{"event":"joined","user":"u%d"}`, i))
		want = append(want, fmt.Sprintf("joined u%d", i))
	}
	s.announce("first", `{"event":"created","user":"alice"}`)
	s.announce("gone", `{"event":"joined","user":"alice"}`)
	stored := query[string](s, `SELECT message_id FROM pending_events WHERE event->>'user' = 'u7'`)
	// Jobs of one room may run at the same time, and again.
	done := make(chan error)
	for range 3 {
		for _, r := range []tenant.RoomID{"town", "first", "gone", "nowhere"} {
			go func() { done <- s.chat.PublishEvents(s.ctx(), tenant.PublishEvents{Tenant: "acme", Room: r}) }()
		}
	}
	for range 12 {
		if err := <-done; err != nil {
			t.Errorf("PublishEvents: got %v, want nil", err)
		}
	}
	if got := s.events("town"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := s.events("first"); !slices.Equal(got, []string{"created alice"}) {
		t.Errorf("a room whose stream was missing: got %q, want its event", got)
	}
	if n := query[int](s, `SELECT count(*) FROM pending_events`); n != 0 {
		t.Errorf("got %d pending events, want none", n)
	}
	if n := query[int](s, `SELECT count(*) FROM messages m JOIN rooms r USING (room_pk) WHERE room_id = 'gone'`); n != 0 {
		t.Errorf("got %d events in a deleted room, want none", n)
	}

	// Events have no number and are never unread.
	s.post(town.by("alice"), "m2")
	if got := s.unread("bob", "town"); got.Unread != 2 {
		t.Errorf("got %d unread, want the 2 messages", got.Unread)
	}

	// A job that was cut off stores its event again: the projection knows it.
	s.exec(`INSERT INTO pending_events (tenant_id, room_id, message_id, event) VALUES ('acme', 'town', $1, '{"event":"joined","user":"u7"}')`, stored)
	if err := s.chat.PublishEvents(s.ctx(), tenant.PublishEvents{Tenant: "acme", Room: "town"}); err != nil {
		t.Errorf("PublishEvents again: got %v, want nil", err)
	}
	if got := len(s.events("town")); got != len(want) {
		t.Errorf("got %d events, want %d", got, len(want))
	}
}

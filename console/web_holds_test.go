package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestHoldsArePlacedAndLifted(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.who["admin"]
	holds := func() int { return w.count("SELECT count(*) FROM holds WHERE tenant_id = 'acme'") }
	lift := b.goes("lift", b.post("/t/acme/holds/lift", "room", "ours", "confirm", "ours"), "/t/acme/holds")
	b.shows("an empty page", lift, http.StatusOK, "Lifted.", "Nothing is on hold", `href="#place"`, "Place the first hold")
	b.shows("settings", b.get("/t/acme/settings"), http.StatusOK, "Legal holds", "/t/acme/holds")
	for _, c := range []struct {
		room, reason string
		want         []string
	}{
		{"lobby", "", []string{"e-reason", "Must not be empty", `value="lobby"`}},
		{"nowhere", "file 7", []string{"e-room", "There was never a room of this id.", `value="nowhere"`, `value="file 7"`}},
		{"no room!", "file 7", []string{"e-room", `value="file 7"`}},
	} {
		b.shows("a hold on "+c.room, b.post("/t/acme/holds", "room", c.room, "reason", c.reason), http.StatusUnprocessableEntity, c.want...)
	}
	if n := holds(); n != 0 {
		t.Errorf("got %d holds, want none", n)
	}
	b.shows("a room", b.goes("a room", b.post("/t/acme/holds", "room", "lobby", "reason", "file 7"), "/t/acme/holds"), http.StatusOK, "On hold", "file 7", "/t/acme/holds/lift?room=lobby")
	page := b.goes("all rooms", b.post("/t/acme/holds", "reason", "file 8"), "/t/acme/holds")
	b.shows("all rooms", page, http.StatusOK, "all rooms", "file 8", "/t/acme/holds/lift?room=")
	b.shows("confirmation", b.get("/t/acme/holds/lift?room="), http.StatusOK, "Lift the hold on all rooms", "file 8", "Type acme to confirm", "no way back")
	b.shows("the room's id for the tenant's hold", b.post("/t/acme/holds/lift", "room", "", "confirm", "lobby"), http.StatusUnprocessableEntity, "e-confirm", "Type acme exactly, or leave it.")
	b.shows("one that is not there", b.post("/t/acme/holds/lift", "room", "ours", "confirm", "ours"), http.StatusNotFound)
	if n := holds(); n != 2 {
		t.Errorf("got %d holds, want both", n)
	}
	b.goes("lift", b.post("/t/acme/holds/lift", "room", "", "confirm", "acme"), "/t/acme/holds")
	if n := w.count("SELECT count(*) FROM holds WHERE tenant_id = 'acme' AND room_id = 'lobby'"); n != 1 || holds() != 1 {
		t.Errorf("got %d of %d holds, want the room's alone", n, holds())
	}
	if n := w.count("SELECT count(*) FROM audit WHERE action = 'hold.lift' AND object = 'tenant:acme' AND actor = 'person:admin@example.com'"); n != 1 {
		t.Errorf("got %d entries, want who lifted it", n)
	}
	for _, role := range []string{"viewer", "moderator"} {
		for _, path := range []string{"/t/acme/settings", "/t/acme/rooms/lobby"} {
			if got := w.who[role].get(path); got.status != http.StatusOK || strings.Contains(got.body, "/holds") {
				t.Errorf("%s as %s: got %d, want a page without holds", path, role, got.status)
			}
		}
	}
}

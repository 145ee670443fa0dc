package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestAModeratorKeepsOrderOnTheRoomsPage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b, room := w.who["moderator"], "/t/acme/rooms/lobby"
	b.shows("the room", b.get(room), http.StatusOK, "the pinned one", "Unpin", "Freeze", "End the ban", "Let them post", "Mute or ban")
	b.shows("what was found", b.get(room+"?q=hello"), http.StatusOK, "<mark>hello lobby", "?before=2", `href="/t/acme/rooms/lobby?after=end&amp;q=hello" rel="next">Older`)
	b.shows("the end of it", b.get(room+"?q=hello&after=end"), http.StatusOK, "No message has")
	b.shows("the frozen room", b.goes("freeze", b.post(room+"/freeze", "on", "yes"), room), http.StatusOK, "The room is frozen", "Unfreeze")
	b.shows("the open room", b.goes("unfreeze", b.post(room+"/freeze"), room), http.StatusOK, "The room is open again")
	b.shows("the ban", b.goes("ban", b.post(room+"/sanctions", "whom", "alice", "what", "ban", "seconds", "86400", "why", "spam"), room), http.StatusOK, "alice is banned", "until <time", ": spam")
	b.shows("the muted", b.goes("mute", b.post(room+"/sanctions", "whom", "bob", "what", "mute", "seconds", "0"), room), http.StatusOK, "bob is muted", "until it is lifted")
	b.goes("unban", b.post(room+"/members/alice/unban"), room)
	if n := w.count("SELECT count(*) FROM members m JOIN rooms r USING (room_pk) WHERE r.room_id = 'lobby' AND m.user_id = 'alice' AND m.state = 'banned'"); n != 0 {
		t.Errorf("got alice banned, want the ban over")
	}
	b.last = room + "?before=8"
	b.goes("delete", b.post(room+"/messages/7/delete"), room+"?before=8")
	viewer := w.who["viewer"].get(room)
	for _, button := range []string{"Unpin", "Freeze", "Mute or ban", "/delete", "/remove"} {
		if viewer.status != http.StatusOK || strings.Contains(viewer.body, button) {
			t.Errorf("the room for a viewer: got %d with %q, want a page without it", viewer.status, button)
		}
	}
}

package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

// TestARoomIsSharedThroughPages goes the way of both sides, from the offer to the end.
func TestARoomIsSharedThroughPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	host, guest := s.owner("acme"), s.owner("other")
	host.goes("make the room", host.post("/t/acme/rooms", "id", "deal", "title", "The deal", "kind", "shared"), "/t/acme/rooms/deal")
	last := time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
	offered := host.post("/t/acme/shares", "room", "deal", "guest", "other", "history", "all", "until", last)
	id := strings.TrimPrefix(offered.header.Get("Location"), "/t/acme/shares/")
	ours, theirs := "/t/acme/shares/"+id, "/t/other/shares/"+id
	host.shows("the offer", host.goes("offer", offered, ours), http.StatusOK, "offered", "Take the offer back", "everything, from the beginning", `value="`+last+`"`)
	guest.shows("the list of the guest", guest.get("/t/other/shares"), http.StatusOK, "waits for your answer", "The deal", "acme")
	guest.shows("the offer at the guest", guest.get(theirs), http.StatusOK, "Accept", "Decline")
	guest.shows("the guest's change of the host's terms", guest.post(theirs+"/change", "post", "yes"), http.StatusForbidden, "You may not do this")

	guest.shows("the share at the guest", guest.goes("accept", guest.post(theirs+"/accept", "title", "Acme and us"), theirs), http.StatusOK,
		"Acme and us", "accepted", "End the share", "other-owner@example.com")
	guest.shows("the guest's rooms", guest.get("/t/other/rooms"), http.StatusOK, "Acme and us", "shared")
	host.shows("the share at the host", host.goes("change", host.post(ours+"/change", "post", "yes"), ours), http.StatusOK, "read and post", "<h1>deal</h1>", "other-owner@example.com")
	if n := s.count("SELECT count(*) FROM shares WHERE status = 'accepted' AND post AND until IS NULL"); n != 1 {
		t.Errorf("got %d accepted shares that allow posting without an end, want 1", n)
	}
	host.goes("end", host.post(ours+"/end"), "/t/acme/shares")
	guest.shows("the share that is over", guest.get(theirs), http.StatusOK, "ended", "acme-owner@example.com", "gives nobody anything")
	guest.shows("a change of what is over", guest.post(theirs+"/title", "title", "x"), http.StatusConflict, "The share has ended")
	if got := s.surfer().get(theirs); got.status != http.StatusSeeOther {
		t.Errorf("nobody at the share: got %d, want a redirect to the login", got.status)
	}

	host.shows("an offer of no service", host.post("/t/acme/shares", "service", "", "guest", "other"), http.StatusUnprocessableEntity, "Must be given", "Offer the service")
	offered = host.post("/t/acme/shares", "service", "helper", "guest", "other")
	host.shows("the offer of a service", host.goes("offer", offered, offered.header.Get("Location")), http.StatusOK, "<h1>helper</h1>", "Your service")
	guest.shows("the list of the guest", guest.get("/t/other/shares"), http.StatusOK, "helper", "service", "waits for your answer")
	again := host.post("/t/acme/shares", "room", "deal", "guest", "other", "keep_copy", "yes")
	host.shows("an offer with a copy", host.goes("offer again", again, again.header.Get("Location")), http.StatusOK, "they keep a frozen copy")
	kept := strings.Replace(again.header.Get("Location"), "acme", "other", 1)
	guest.goes("accept again", guest.post(kept+"/accept", "title", "The deal"), kept)
	host.goes("end again", host.post(again.header.Get("Location")+"/end"), "/t/acme/shares")
	guest.shows("the share that left a copy", guest.get(kept), http.StatusOK, "The copy of what your users could read")
	third := s.owner("third")
	if got := third.get("/t/third/shares/" + id); got.status != http.StatusNotFound {
		t.Errorf("a third tenant at the share: got %d, want 404", got.status)
	}
}

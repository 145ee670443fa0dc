package console

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"parley/tenant"
)

// noOnce are the POSTs of pages that count as often as they are sent.
var noOnce = map[string]string{
	"/t/{tenant}/chat/token":           "a script asks for a token whenever it needs one",
	"/t/{tenant}/connect/snippet":      "a part of a page asks again whenever another language is chosen",
	"/logout":                          "there is nothing to be done twice",
	"/operator/tenants/{tenant}/leave": "likewise",
}

// body is what a form sends from one page.
func (s step) body() string {
	sent := url.Values{onceField: {rand.Text()}}
	for i := 0; i < len(s.fields); i += 2 {
		sent.Set(s.fields[i], s.fields[i+1])
	}
	return sent.Encode()
}

// clicks sends a form several times at once.
func (b *surfer) clicks(n int, path, body string) []reply {
	b.t.Helper()
	all := make([]reply, n)
	var sent sync.WaitGroup
	for i := range all {
		one := &surfer{site: b.site, cookies: maps.Clone(b.cookies), last: b.last}
		sent.Go(func() { all[i] = one.send(http.MethodPost, path, body) })
	}
	sent.Wait()
	return all
}

func TestEveryFormCountsOnce(t *testing.T) {
	t.Parallel()
	for key, f := range newTown(t).forms() {
		if _, often := noOnce[f.route]; f.once == often {
			t.Errorf("%s: got a form that counts once: %t, want %t", key, f.once, !often)
		}
	}
}

// Of a double click one makes the thing, and the other waits and is led to it.
func TestADoubleClickWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	b := s.owner("acme")
	for _, c := range []struct{ path, body, count, shown string }{
		{"/t/acme/keys", "name=backend&scopes=read", "SELECT count(*) FROM keys WHERE name = 'backend'", "This is shown once"},
		{"/t/acme/rooms", "id=hall&kind=open", "SELECT count(*) FROM rooms WHERE room_id = 'hall'", ""},
		{"/t/acme/people/invite", "role=viewer", "SELECT count(*) FROM links WHERE kind = 'seat'", "This is shown once"},
	} {
		shown := 0
		for _, got := range b.clicks(5, c.path, c.body+"&once="+rand.Text()) {
			if got.status != http.StatusSeeOther && got.status != http.StatusOK {
				t.Errorf("%s: got %d %s", c.path, got.status, complaints(got.body))
			}
			if c.shown != "" && strings.Contains(got.body, c.shown) {
				shown++
			}
		}
		if n := s.count(c.count); n != 1 {
			t.Errorf("%s: got %d, want one of five clicks", c.path, n)
		}
		if c.shown != "" && shown != 1 {
			t.Errorf("%s: got the secret %d times, want once", c.path, shown)
		}
	}
}

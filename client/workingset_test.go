package client

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/tenant"
)

func ids(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint(prefix, i))
	}
	return all
}

func TestWorkingSetKeepsRoomsInUse(t *testing.T) {
	t.Parallel()
	const most = tenant.MaxListedRooms
	cases := []struct {
		name  string
		rooms []string // of the client; nil: the server chooses
		inUse listening
		want  bool
		first []string // of the set afterwards
	}{
		{"the first that the client names", nil, listening{}, true, []string{"new"}},
		{"one more", []string{"a", "b"}, listening{listed: []string{"b"}}, true, []string{"new", "b", "a"}},
		{"one that is there", []string{"a", "new"}, listening{}, false, []string{"a", "new"}},
		{"beyond the most, an idle one goes", ids("old", most), listening{listed: ids("old", 3)}, true, []string{"new", "old0"}},
		{"beyond the most, those in use stay", ids("old", most), listening{listed: []string{fmt.Sprint("old", most-1)}}, true, []string{"new", fmt.Sprint("old", most-1)}},
		{"all are in use", ids("old", most), listening{listed: ids("old", most)}, false, []string{"old0"}},
		{"it is itself among those in use", ids("old", most), listening{listed: append(ids("old", most-1), "new")}, true, []string{"new"}},
		{"open rooms give way", nil, listening{listed: ids("old", most-1), open: ids("open", 9)}, true, []string{"new"}},
	}
	for _, c := range cases {
		w := newWorkingSet(c.rooms)
		if got := w.want("new", c.inUse); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if len(w.ids) > most || !slices.Equal(w.ids[:len(c.first)], c.first) {
			t.Errorf("%s: got set %s, want it to begin with %s", c.name, w.ids, c.first)
		}
		for _, id := range c.inUse.listed {
			if c.want && !slices.Contains(w.ids, id) {
				t.Errorf("%s: %s is in use and not in the set", c.name, id)
			}
		}
	}
	w := newWorkingSet(nil)
	w.add([]string{"a"}, listening{})
	if got := w.suffix(); got != "" {
		t.Errorf("a notice where the server chooses: got %q, want nothing named", got)
	}
	w = newWorkingSet([]string{})
	w.add([]string{"a", "b", "x.y", "*"}, listening{})
	if got := w.suffix(); !strings.HasSuffix(got, "=b,a") {
		t.Errorf("a notice: got %q, want its rooms named, and none that is no listed room", got)
	}
}

package accounts

import (
	"slices"
	"testing"
	"time"

	"parley/tenant"
)

func TestServersThatFellSilentAreRemembered(t *testing.T) {
	t.Parallel()
	clock := time.Unix(1_000_000, 0)
	n := &nodes{now: func() time.Time { return clock }, seen: map[string]time.Time{}, told: map[string]tenant.Server{}}
	answers := func(ids ...string) (all []tenant.Server) {
		for _, id := range ids {
			all = append(all, tenant.Server{ID: id, Name: "name of " + id[:1], Answers: true, Heard: clock, Connections: 7})
		}
		return all
	}
	silent := func(when string, now []tenant.Server, want ...string) {
		t.Helper()
		var got []string
		for _, s := range n.silent(now) {
			if s.Answers || s.Connections != 0 || s.Name == "" || s.Heard.IsZero() {
				t.Errorf("%s: got %+v, want one that is marked silent, with its name and when it was heard", when, s)
			}
			got = append(got, s.ID)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: got %v silent, want %v", when, got, want)
		}
	}
	silent("all answer", answers("a1", "b1", "c1"))
	silent("two don't", answers("a1"), "b1", "c1")
	silent("one is back, as another process", answers("a1", "b2"), "c1")
	n.gone("c1")
	silent("one had said that it goes", answers("a1", "b2"))
	silent("one falls silent", answers("a1"), "b2")
	clock = clock.Add(remembered + time.Second)
	silent("long ago", answers("a1"))
}

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
	n := newNodes(func() time.Time { return clock })
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

// A server that is silent while others are heard was cut off; when all are silent it was us.
func TestServersThatWereCutOffAreNoted(t *testing.T) { // REV-05
	t.Parallel()
	clock := time.Unix(1_000_000, 0)
	n := newNodes(func() time.Time { return clock })
	hears := func(after time.Duration, ids ...string) {
		clock = clock.Add(after)
		for _, id := range ids {
			n.saw(id)
		}
	}
	back := func(when string, want ...string) {
		t.Helper()
		var got []string
		for len(n.back) > 0 {
			got = append(got, <-n.back)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v back, want %v", when, got, want)
		}
	}
	hears(0, "a", "b", "c")
	hears(20*time.Second, "a", "b", "c")
	back("all are heard")
	hears(20*time.Second, "a", "b")
	hears(20*time.Second, "a", "b")
	if got := n.known(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v known, want those that are heard", got)
	}
	hears(time.Second, "c")
	back("c was cut off", "c")
	hears(time.Hour, "c", "a", "b")
	back("nobody was heard: it was us")
	hears(20*time.Second, "a")
	hears(20*time.Second, "b", "a", "c")
	back("two were cut off, and nobody had asked who is known", "b", "c")
	n.gone("b")
	hears(time.Minute, "b")
	back("one said that it goes")
	hears(20*time.Second, "b")
	hears(20*time.Second, "b")
	hears(remembered+time.Minute, "b")
	hears(0, "a")
	back("an hour ago, all that it had let in has expired")
}

package main

import (
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v: got %v, want %v", c.values, got, c.want)
		}
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var all []time.Duration
	for i := range 200 {
		all = append(all, time.Duration(200-i))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 100, 99: 198, 100: 200} {
		if got := percentile(all, p); got != want {
			t.Errorf("percentile %v: got %d, want %d", p, got, want)
		}
	}
	if got := percentile(all[:1], 99); got != all[0] {
		t.Errorf("percentile of one value: got %d, want it", got)
	}
}

// TestRatios compares rounds with each other, and not their medians: what else the machine did
// in a round is in both.
func TestRatios(t *testing.T) {
	t.Parallel()
	base := result{variant: variant{ops: 10}, samples: []sample{{spent: spent{client: 60, server: 40}}, {spent: spent{client: 300, server: 100}}}}
	other := result{variant: variant{ops: 5}, samples: []sample{{spent: spent{server: 100}}, {spent: spent{server: 500, database: 100}}}}
	if got, want := other.ratios(base), []float64{2, 3}; !slices.Equal(got, want) {
		t.Errorf("ratios: got %v, want %v", got, want)
	}
}

func TestWantedParts(t *testing.T) {
	t.Parallel()
	if got, err := wantedParts("revoke,posts"); err != nil || !slices.Equal(got, []string{"revoke", "posts"}) {
		t.Errorf("two parts: got %v, %v", got, err)
	}
	if got, err := wantedParts(""); err != nil || len(got) != len(parts) {
		t.Errorf("no choice: got %v, %v, want all", got, err)
	}
	if got, err := wantedParts("posts,nothing"); err == nil {
		t.Errorf("an unknown part: got %v, want an error", got)
	}
}

package loadtest

import (
	"math"
	"slices"
	"time"
)

// A Report is what a run saw. Lost and Doubled are zero unless something is wrong with the server.
type Report struct {
	Posts     int     `json:"posts"`  // acknowledged
	Failed    int     `json:"failed"` // not acknowledged within 10 s
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"posts_per_second"`

	Acknowledged Times `json:"acknowledged"` // from the post until its acknowledgement
	Delivered    Times `json:"delivered"`    // from the post until a listener had it

	Deliveries int `json:"deliveries"`
	Lost       int `json:"lost"`    // acknowledged, and not delivered to a listener or not in the history
	Doubled    int `json:"doubled"` // delivered to a listener more than once, or more than once in the room
}

// Times are of many, in milliseconds.
type Times struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func timesOf(all []time.Duration) Times {
	slices.Sort(all)
	at := func(part float64) float64 {
		if len(all) == 0 {
			return 0
		}
		i := max(int(math.Ceil(part*float64(len(all))))-1, 0)
		return float64(all[i].Microseconds()) / 1000
	}
	return Times{at(0.5), at(0.99), at(1)}
}

// report sums up. Nothing may be added while it does.
func (l *ledger) report(wall time.Duration) Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Report{
		Posts: l.acked, Failed: l.wrong, Seconds: wall.Seconds(), Deliveries: len(l.ways), Doubled: l.doubles,
		Acknowledged: timesOf(l.acks), Delivered: timesOf(l.ways),
	}
	if wall > 0 {
		r.PerSecond = float64(l.acked) / wall.Seconds()
	}
	for n, e := range l.posts {
		if e.seq == 0 {
			continue // it may be there or not
		}
		if e.read == 0 {
			r.Lost++
		}
		for i := range l.heard {
			if !l.has(i, n) {
				r.Lost++
			}
		}
	}
	return r
}

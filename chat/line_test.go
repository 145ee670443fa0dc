package chat

import (
	"testing"
	"time"
)

// A line rests only while nothing is lost by it: messages gather, and nobody waits for them.
func TestLineRests(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		change func(*line)
		want   time.Duration
	}{
		"right after a batch": {func(*line) {}, linger},
		"idle before":         {func(l *line) { l.committed = now.Add(-2 * linger) }, -linger},
		"somebody waits":      {func(l *line) { l.awaited = 6 }, 0},
		"was waited for":      {func(l *line) { l.awaited = 5 }, linger},
		"a full batch": {func(l *line) {
			for seq := uint64(7); seq <= 5+batchMessages; seq++ {
				l.offer(stored{seq: seq})
			}
		}, 0},
		"many bytes":           {func(l *line) { l.offer(stored{seq: 7, data: make([]byte, batchBytes)}) }, 0},
		"a gap":                {func(l *line) { l.offer(stored{seq: 8}) }, 0},
		"more in the stream":   {func(l *line) { l.target = 9 }, 0},
		"perhaps more":         {func(l *line) { l.suspect = true }, 0},
		"in search of a fault": {func(l *line) { l.single = 3 }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := &line{cursor: 5, target: 5, committed: now}
			l.offer(stored{seq: 6})
			c.change(l)
			if got := l.rest(now); got != c.want {
				t.Errorf("rests %s, want %s", got, c.want)
			}
		})
	}
}

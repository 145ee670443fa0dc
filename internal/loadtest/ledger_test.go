package loadtest

import (
	"testing"
	"time"

	"parley/client"
)

func TestLedgerCountsWhatIsLostAndDoubled(t *testing.T) {
	t.Parallel()
	// One post with sequence 7 and one listener; each case says what is seen of it.
	for name, c := range map[string]struct {
		see           func(l *ledger)
		lost, doubled int
	}{
		"all is well":          {func(l *ledger) { l.delivered(0, 0, 7, time.Now()); l.read(0, 7) }, 0, 0},
		"never delivered":      {func(l *ledger) { l.read(0, 7) }, 1, 0},
		"not in the history":   {func(l *ledger) { l.delivered(0, 0, 7, time.Now()) }, 1, 0},
		"neither":              {func(*ledger) {}, 2, 0},
		"delivered twice":      {func(l *ledger) { l.delivered(0, 0, 7, time.Now()); l.delivered(0, 0, 7, time.Now()); l.read(0, 7) }, 0, 1},
		"twice in the room":    {func(l *ledger) { l.delivered(0, 0, 7, time.Now()); l.read(0, 7); l.read(0, 8) }, 0, 2},
		"delivered as another": {func(l *ledger) { l.delivered(0, 0, 9, time.Now()); l.read(0, 7) }, 0, 2},
		"of nobody's number": {func(l *ledger) {
			l.delivered(0, 0, 7, time.Now())
			l.read(0, 7)
			l.read(5, 8)
			l.delivered(0, 5, 8, time.Now())
		}, 0, 0},
		"delivered before known": {func(l *ledger) { l.delivered(0, 0, 7, time.Now()); l.acknowledged(0, 7, 0); l.read(0, 7) }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(1)
			n, _ := l.begin(1)
			l.posting(n, time.Now())
			if name != "delivered before known" {
				l.acknowledged(n, 7, time.Millisecond)
			}
			c.see(l)
			if r := l.report(time.Second); r.Lost != c.lost || r.Doubled != c.doubled || r.Posts != 1 {
				t.Errorf("got %d lost, %d doubled of %d; want %d, %d of 1", r.Lost, r.Doubled, r.Posts, c.lost, c.doubled)
			}
			if posted, awaited := l.counts(); posted != 1 || (awaited == 0) != (l.came == 1) {
				t.Errorf("got %d posted, %d awaited", posted, awaited)
			}
		})
	}
}

func TestLedgerKnowsItsOwnTexts(t *testing.T) {
	t.Parallel()
	l := newLedger(0)
	if text := l.text(12, 128); len(text) != 128 {
		t.Errorf("got a text of %d bytes, want 128", len(text))
	}
	for text, want := range map[string]bool{
		l.text(12, 64): true, newLedger(0).text(12, 64): false, "hello": false, "parley bench " + l.key + " -3 ": false, "parley bench " + l.key + " x": false,
	} {
		if n, ok := l.number(client.Message{Text: text}); ok != want || ok && n != 12 {
			t.Errorf("%q: got %d, %t; want %t", text, n, ok, want)
		}
	}
	if _, ok := l.begin(0); ok {
		t.Error("a post began beyond the bound")
	}
}

func TestPacerKeepsThePace(t *testing.T) {
	t.Parallel()
	p := newPacer(10)
	var last time.Duration
	for i := range 5 {
		left := p.turn()
		if want := time.Duration(i) * 100 * time.Millisecond; left > want || left < last-100*time.Millisecond {
			t.Errorf("turn %d: got a wait of %s, want at most %s", i, left, want)
		}
		last = left
	}
}

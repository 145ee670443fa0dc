package loadtest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"parley/client"
)

// A ledger keeps what was posted and what came of it.
type ledger struct {
	key   string // in the texts of this run
	after uint64 // sequence: messages up to here are of before

	mu        sync.Mutex
	posts     []entry // by their numbers
	acks      []time.Duration
	ways      []time.Duration // from the post until a listener had it
	heard     [][]bool        // by listener and number
	acked     int
	came      int // deliveries of acknowledged posts, each once
	wrong     int // posts without an acknowledgement
	seqs      map[int]uint64
	doubles   int
	listeners int
	moved     chan struct{} // holds one when something came
}

// An entry is one post.
type entry struct {
	at   time.Time
	seq  uint64 // 0: not acknowledged
	read int    // how often history has it
}

func newLedger(listeners int) *ledger {
	return &ledger{
		key: client.NewID()[:12], heard: make([][]bool, listeners), seqs: map[int]uint64{}, listeners: listeners,
		moved: make(chan struct{}, 1),
	}
}

// begin gives the number of the next post, unless there are as many as there may be.
func (l *ledger) begin(most int) (n int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.posts) == most {
		return 0, false
	}
	l.posts = append(l.posts, entry{})
	return len(l.posts) - 1, true
}

// text is what is posted under a number.
func (l *ledger) text(n, size int) string {
	head := fmt.Sprintf("parley bench %s %d ", l.key, n)
	return head + strings.Repeat("x", max(size-len(head), 0))
}

// number finds a post of this run in a message.
func (l *ledger) number(m client.Message) (n int, ok bool) {
	rest, mine := strings.CutPrefix(m.Text, "parley bench "+l.key+" ")
	if !mine {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0
}

func (l *ledger) posting(n int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts[n].at = at
}

func (l *ledger) acknowledged(n int, seq uint64, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts[n].seq = seq
	l.acks = append(l.acks, took)
	l.acked++
	for i := range l.heard {
		if l.has(i, n) {
			l.came++
		}
	}
	l.same(n, seq)
	l.poke()
}

func (l *ledger) failed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong++
}

func (l *ledger) delivered(listener, n int, seq uint64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n >= len(l.posts) {
		return // somebody else's imitation
	}
	for len(l.heard[listener]) <= n {
		l.heard[listener] = append(l.heard[listener], false)
	}
	if l.heard[listener][n] {
		l.doubles++
		return
	}
	l.heard[listener][n] = true
	l.ways = append(l.ways, at.Sub(l.posts[n].at))
	if l.posts[n].seq > 0 {
		l.came++
	}
	l.same(n, seq)
	l.poke()
}

// same counts a post that stands in the room twice.
func (l *ledger) same(n int, seq uint64) {
	if known, ok := l.seqs[n]; ok && known != seq {
		l.doubles++
	}
	l.seqs[n] = seq
}

func (l *ledger) read(n int, seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n >= len(l.posts) {
		return
	}
	if l.posts[n].read++; l.posts[n].read > 1 {
		l.doubles++
	}
	l.same(n, seq)
}

// has reports whether a listener has a post.
func (l *ledger) has(listener, n int) bool {
	return n < len(l.heard[listener]) && l.heard[listener][n]
}

func (l *ledger) poke() {
	select {
	case l.moved <- struct{}{}:
	default:
	}
}

func (l *ledger) counts() (posted, awaited int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked, l.acked*l.listeners - l.came
}

// settle returns when everything that was acknowledged was delivered, or when nothing has come for a while.
func (l *ledger) settle(patience time.Duration) {
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	for {
		if _, awaited := l.counts(); awaited == 0 {
			return
		}
		select {
		case <-l.moved:
			quiet.Reset(patience)
		case <-quiet.C:
			return
		}
	}
}

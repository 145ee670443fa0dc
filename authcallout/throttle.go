package authcallout

import (
	"net/netip"
	"sync"
	"time"
)

// Wrong passwords that are borne in a minute.
const (
	wrongPerUser    = 10
	wrongPerAddress = 100
)

// maxThrottled bounds the users, addresses and pairs that are remembered, about 100 bytes each.
const maxThrottled = 1 << 16

// A throttle slows the guessing of passwords: wrong ones count, for the user and for the
// address they come from. It is this process's own, so n callouts bear n times as many.
//
// A stranger's guesses must not lock a user out. So from an address where the user has
// signed in before he may go on, with a count of wrong passwords that is this pair's own.
type throttle struct {
	mu        sync.Mutex
	users     limiter
	addresses limiter
	pairs     limiter
	known     map[string]struct{} // pairs
}

func newThrottle() *throttle {
	return &throttle{
		users:     limiter{perMinute: wrongPerUser, left: map[string]allowance{}},
		addresses: limiter{perMinute: wrongPerAddress, left: map[string]allowance{}},
		pairs:     limiter{perMinute: wrongPerUser, left: map[string]allowance{}},
		known:     map[string]struct{}{},
	}
}

// A guesser is who guesses whose password.
type guesser struct{ user, address string }

func (g guesser) pair() string { return g.user + "@" + g.address }

// network is what one customer of a provider holds of addresses: of IPv6 a /64, or
// the throttle would be as wide as the wind.
func network(host string) string {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return host
	}
	return prefix.String()
}

// allows reports whether the guesser may try another password.
func (t *throttle) allows(g guesser, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users.has(g.user, now) && t.addresses.has(g.address, now) {
		return true
	}
	_, known := t.known[g.pair()]
	return known && t.pairs.has(g.pair(), now)
}

// wrong counts a wrong password.
func (t *throttle) wrong(g guesser, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users.take(g.user, now)
	t.addresses.take(g.address, now)
	if _, known := t.known[g.pair()]; known {
		t.pairs.take(g.pair(), now)
	}
}

// right remembers where a user signed in.
func (t *throttle) right(g guesser) {
	t.mu.Lock()
	defer t.mu.Unlock()
	makeRoom(t.known, maxThrottled)
	t.known[g.pair()] = struct{}{}
}

// makeRoom forgets a random entry of a full map.
func makeRoom[V any](m map[string]V, most int) {
	if len(m) < most {
		return
	}
	for k := range m {
		delete(m, k)
		return
	}
}

// A limiter lets each key take perMinute in a burst, and then that many a minute.
type limiter struct {
	perMinute float64
	left      map[string]allowance // keys without one have all
}

type allowance struct {
	left float64
	at   time.Time
}

func (l *limiter) now(key string, now time.Time) float64 {
	a, ok := l.left[key]
	if !ok {
		return l.perMinute
	}
	return min(l.perMinute, a.left+now.Sub(a.at).Minutes()*l.perMinute)
}

func (l *limiter) has(key string, now time.Time) bool { return l.now(key, now) >= 1 }

func (l *limiter) take(key string, now time.Time) {
	left := l.now(key, now)
	if _, ok := l.left[key]; !ok {
		makeRoom(l.left, maxThrottled)
	}
	l.left[key] = allowance{left: max(0, left-1), at: now}
}

package console

import (
	"net/netip"
	"sync"
	"time"
)

// Tries that are borne in a minute. They are this process's own, so n consoles bear n times as many.
const (
	wrongPerPerson  = 10
	wrongPerAddress = 30
)

// maxThrottled bounds the keys that are remembered, about 100 bytes each.
const maxThrottled = 1 << 16

// A throttle slows the guessing of passwords and links: wrong ones count, for who is guessed and
// for the address that guesses. A stranger's guesses must not lock anybody out, so from an address
// where a person has logged in before he may go on, with a count that is this pair's own.
type throttle struct {
	mu    sync.Mutex
	left  map[string]allowance
	known map[string]struct{} // pairs
	now   func() time.Time
}

type allowance struct {
	left float64
	at   time.Time
}

// nobody is who tries something that names no person.
const nobody = ""

func newThrottle() *throttle {
	return &throttle{left: map[string]allowance{}, known: map[string]struct{}{}, now: time.Now}
}

// network is what one customer of a provider holds of addresses: of IPv6 a /64.
func network(host string) string {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if p, err := ip.Prefix(64); err == nil && ip.Is6() {
		return p.String()
	}
	return ip.String()
}

func pair(who, address string) string { return "pair " + who + "@" + network(address) }

// try reports whether who may be tried once more from an address, and counts the try as wrong
// until right says otherwise: many at once shall not all find the same room. Of a link it is not
// known whose it is: nobody is who, and the address counts alone.
func (t *throttle) try(who, address string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := "from " + network(address)
	if who == nobody {
		if t.rest(from, wrongPerAddress) < 1 {
			return false
		}
		t.add(from, wrongPerAddress, -1)
		return true
	}
	keys := []string{"who " + who, from}
	if t.rest(keys[0], wrongPerPerson) >= 1 && t.rest(keys[1], wrongPerAddress) >= 1 {
		t.add(keys[0], wrongPerPerson, -1)
		t.add(keys[1], wrongPerAddress, -1)
		return true
	}
	own := pair(who, address)
	if _, known := t.known[own]; !known || t.rest(own, wrongPerPerson) < 1 {
		return false
	}
	t.add(own, wrongPerPerson, -1)
	return true
}

// right takes a try back that was a good one, and remembers where the person logged in.
func (t *throttle) right(who, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add("from "+network(address), wrongPerAddress, 1)
	if who == nobody {
		return
	}
	t.add("who "+who, wrongPerPerson, 1)
	makeRoom(t.known)
	t.known[pair(who, address)] = struct{}{}
}

func (t *throttle) rest(key string, perMinute float64) float64 {
	a, ok := t.left[key]
	if !ok {
		return perMinute
	}
	return min(perMinute, a.left+t.now().Sub(a.at).Minutes()*perMinute)
}

func (t *throttle) add(key string, perMinute, n float64) {
	left := t.rest(key, perMinute)
	if _, ok := t.left[key]; !ok {
		makeRoom(t.left)
	}
	t.left[key] = allowance{left: min(perMinute, max(0, left+n)), at: t.now()}
}

// makeRoom forgets a random entry of a full map.
func makeRoom[V any](m map[string]V) {
	if len(m) < maxThrottled {
		return
	}
	for k := range m {
		delete(m, k)
		return
	}
}

package authcallout

import (
	"sync"
	"time"

	"parley/tenant"
)

// Bounds of the key sets that stand behind URLs.
const (
	// A set is fetched again when it is used and older than freshFor; those who use it don't wait.
	freshFor = 5 * time.Minute
	// A set that can't be fetched any more is used until it is older than staleFor.
	staleFor = 6 * time.Hour
	// One URL is asked at most so often, whatever kids clients bring and however it fails.
	fetchEvery = 10 * time.Second
	// maxKeySets is how many are kept, maxFetches how many are fetched at once, and maxParked how
	// many connections wait for one: those beyond are refused, and may come again.
	maxKeySets = 4096
	maxFetches = 16
	maxParked  = 1024
)

// keySets are what was fetched from the URLs of tenants' keys.
type keySets struct {
	mu    sync.Mutex
	of    map[string]*keySet // by the id of the tenant's key
	slots chan struct{}
}

func newKeySets() *keySets {
	return &keySets{of: map[string]*keySet{}, slots: make(chan struct{}, maxFetches)}
}

// A keySet is one of them. Its fields are guarded by keySets.mu.
type keySet struct {
	keys    map[string]verifier // by kid
	fetched time.Time           // zero: never
	tried   time.Time           // when the last fetch began
	failure string              // why it brought nothing; "": it did
	flying  bool                // a fetch is under way
	parked  []*attempt          // wait for its end
}

// What a look into a set finds.
type found int

const (
	foundKey    found = iota
	foundNoKey        // the set has no such key, and was asked for just now
	foundNoSet        // there is no set: see failure
	foundFlight       // a fetch is under way that may bring it
)

// look looks for a key, and begins a fetch by calling fly where the set is old, is missing or
// lacks the key, and was not asked for just now.
func (s *keySets) look(k *tenant.Key, kid string, now time.Time, fly func(*keySet)) (verifier, found, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.of[k.ID]
	if set == nil {
		makeRoom(s.of, maxKeySets)
		set = &keySet{}
		s.of[k.ID] = set
	}
	age := now.Sub(set.fetched)
	usable := !set.fetched.IsZero() && age < staleFor
	v, ok := set.keys[kid]
	ok = ok && usable
	if (!ok || age >= freshFor) && !set.flying && now.Sub(set.tried) >= fetchEvery {
		set.flying, set.tried = true, now
		fly(set)
	}
	switch {
	case ok:
		return v, foundKey, ""
	case set.flying:
		return verifier{}, foundFlight, ""
	case usable:
		return verifier{}, foundNoKey, ""
	}
	return verifier{}, foundNoSet, set.failure
}

// park has an attempt wait for the fetch that is under way; false where there is none any more.
func (s *keySets) park(k *tenant.Key, a *attempt) (parked, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.of[k.ID]
	switch {
	case set == nil || !set.flying:
		return false, false
	case len(set.parked) >= maxParked:
		return false, true
	}
	set.parked = append(set.parked, a)
	return true, false
}

// land ends a fetch and returns those who waited for it.
func (s *keySets) land(set *keySet, keys map[string]verifier, failure string, now time.Time) []*attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	set.flying, set.failure = false, failure
	if failure == "" {
		set.keys, set.fetched = keys, now
	}
	parked := set.parked
	set.parked = nil
	return parked
}

// late takes out those whose time is up.
func (s *keySets) late(set *keySet, before time.Time) (late []*attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(set.parked) > 0 && set.parked[0].at.Before(before) {
		late = append(late, set.parked[0])
		set.parked = set.parked[1:]
	}
	return late
}

package authcallout

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"parley/tenant"
)

const (
	// rememberFor is how long a password that was right needs no hash again: long enough for the
	// reconnections of a client, and for a crowd that comes back at once.
	rememberFor = 5 * time.Minute
	// maxRemembered bounds the passwords that are remembered, at about 100 bytes each.
	maxRemembered = 1 << 14
)

// A memory knows passwords that were right, and neither them nor their hashes: its keys are HMACs
// of both under a key of this process. A new hash, of a new password too, is another key, so
// that nothing is to be invalidated.
type memory struct {
	key [sha256.Size]byte

	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

func newMemory() *memory {
	m := &memory{until: map[[sha256.Size]byte]time.Time{}}
	_, _ = rand.Read(m.key[:]) // never fails (crypto/rand)
	return m
}

func (m *memory) of(password, hash tenant.Secret) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, m.key[:])
	mac.Write([]byte(hash.Reveal()))
	mac.Write([]byte{0}) // a hash in PHC form holds none
	mac.Write([]byte(password.Reveal()))
	return [sha256.Size]byte(mac.Sum(nil))
}

func (m *memory) knows(password, hash tenant.Secret) bool {
	if hash == "" || len(password) > maxPassword {
		return false
	}
	sum := m.of(password, hash)
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Before(m.until[sum])
}

func (m *memory) learn(password, hash tenant.Secret) {
	sum, now := m.of(password, hash), time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.until) >= maxRemembered {
		m.tidy(now)
	}
	m.until[sum] = now.Add(rememberFor)
}

// tidy forgets what is old, or all where nothing is.
func (m *memory) tidy(now time.Time) {
	for sum, until := range m.until {
		if !now.Before(until) {
			delete(m.until, sum)
		}
	}
	if len(m.until) >= maxRemembered {
		clear(m.until)
	}
}

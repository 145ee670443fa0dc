package client

import (
	"sync"

	"parley/tenant"
)

// signed reports whether a sender or a user is one whom his tenant signs: he posts as his nkey, and the
// history has him by his id.
func signed(user string) bool { return tenant.ValidUserNKey(user) }

// maxMet bounds what signers remember.
const maxMet = 1024

// signers are the users whom their tenant signs, as a listener has found them out in the history.
type signers struct {
	mu    sync.Mutex
	ids   map[string]string // by nkey
	asked map[uint64]string // nkeys by the sequence of a message that history is read for
}

// name puts the user's id in the place of his nkey; false where history has to tell it first.
func (s *signers) name(m *Message) bool {
	if !signed(m.Sender) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, known := s.ids[m.Sender]; known {
		m.Sender = id
		return true
	}
	if s.asked == nil || len(s.asked) >= maxMet || len(s.ids) >= maxMet {
		s.ids, s.asked = map[string]string{}, map[uint64]string{}
	}
	s.asked[m.Seq] = m.Sender
	return false
}

// learn looks whether a message of the history tells whose an nkey is.
func (s *signers) learn(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if nkey, met := s.asked[m.Seq]; met {
		s.ids[nkey] = m.Sender
		delete(s.asked, m.Seq)
	}
}

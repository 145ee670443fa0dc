package chat

import "sync"

// progress tells readers of this process how far each stream is projected.
type progress struct {
	mu    sync.Mutex
	marks map[string]*mark
}

type mark struct {
	seq   uint64
	moved chan struct{} // closed when seq grows
}

func newProgress() *progress { return &progress{marks: map[string]*mark{}} }

func (p *progress) mark(stream string) *mark {
	m := p.marks[stream]
	if m == nil {
		m = &mark{moved: make(chan struct{})}
		p.marks[stream] = m
	}
	return m
}

// advance says that all up to seq is committed. It never goes back.
func (p *progress) advance(stream string, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.mark(stream)
	if seq <= m.seq {
		return
	}
	m.seq = seq
	close(m.moved)
	m.moved = make(chan struct{})
}

// at returns what is known to be committed, and a channel that closes when it is more.
func (p *progress) at(stream string) (uint64, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.mark(stream)
	return m.seq, m.moved
}

package natstest

import (
	"slices"
	"sync"

	"parley/tenant"
)

// Refusals keeps refusals in the order in which they are told.
type Refusals struct {
	mu  sync.Mutex
	all []tenant.Refusal
}

// Refuse notes one.
func (r *Refusals) Refuse(f tenant.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, f)
}

// All are those that were told so far.
func (r *Refusals) All() []tenant.Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

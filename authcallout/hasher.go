package authcallout

import (
	"context"
	"fmt"
	"runtime"

	"github.com/alexedwards/argon2id"

	"parley/tenant"
)

// maxPassword is the longest password that can have been set, in bytes.
const maxPassword = 1024

// A Hasher hashes and checks passwords with argon2id, so many at once and no more: each takes
// 19 MiB and some tens of milliseconds of a CPU. It is a tenant.Passwords.
type Hasher struct {
	slots  chan struct{}
	params argon2id.Params
	decoy  tenant.Secret // the hash of no password
	memory *memory
}

// NewHasher returns a hasher that does n hashes at once; 0: one for each CPU.
func NewHasher(n int) (*Hasher, error) {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	h := &Hasher{
		slots: make(chan struct{}, n), memory: newMemory(),
		// OWASP's minimum of memory, as it is the number of hashes at once that an attacker can force.
		params: argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}
	decoy, err := h.Hash(context.Background(), "")
	if err != nil {
		return nil, err
	}
	h.decoy = decoy
	return h, nil
}

func (h *Hasher) size() int { return cap(h.slots) }

// Hash returns the password's hash in PHC form with a salt of its own, or ErrUnavailable
// when ctx ends before its turn.
func (h *Hasher) Hash(ctx context.Context, password tenant.Secret) (tenant.Secret, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	hash, err := argon2id.CreateHash(password.Reveal(), &h.params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return tenant.Secret(hash), nil
}

// Matches reports whether the hash is the password's. An empty hash matches nothing, and takes as long.
func (h *Hasher) Matches(ctx context.Context, password, hash tenant.Secret) (bool, error) {
	if len(password) > maxPassword {
		return false, nil
	}
	if h.memory.knows(password, hash) {
		return true, nil
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	against := hash
	if hash == "" {
		against = h.decoy
	}
	ok, err := argon2id.ComparePasswordAndHash(password.Reveal(), against.Reveal())
	if err != nil {
		return false, fmt.Errorf("check password: %w", err)
	}
	if !ok || hash == "" {
		return false, nil
	}
	h.memory.learn(password, hash)
	return true, nil
}

func (h *Hasher) enter(ctx context.Context) error {
	// Without this a context that has ended could still win the race for a free slot.
	if ctx.Err() == nil {
		select {
		case h.slots <- struct{}{}:
			return nil
		case <-ctx.Done():
		}
	}
	return tenant.Errorf(tenant.CodeUnavailable, "too many passwords are being hashed at once; try again")
}

func (h *Hasher) leave() { <-h.slots }

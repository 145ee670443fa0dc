package keyring

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// errHidden is what a pair answers when asked for its private half.
var errHidden = errors.New("the keyring gives out no private keys")

// signer is a key pair that signs and does nothing else.
type signer struct {
	public  string
	private ed25519.PrivateKey
}

func (s *signer) PublicKey() (string, error)     { return s.public, nil }
func (s *signer) Seed() ([]byte, error)          { return nil, errHidden }
func (s *signer) PrivateKey() ([]byte, error)    { return nil, errHidden }
func (s *signer) Sign(in []byte) ([]byte, error) { return ed25519.Sign(s.private, in), nil }

func (s *signer) Verify(in, sig []byte) error {
	if !ed25519.Verify(s.private.Public().(ed25519.PublicKey), in, sig) {
		return nkeys.ErrInvalidSignature
	}
	return nil
}

// Wipe does nothing, for the cache shares the key.
func (s *signer) Wipe() {}

func (s *signer) Seal([]byte, string) ([]byte, error) { return nil, nkeys.ErrInvalidNKeyOperation }

func (s *signer) SealWithRand([]byte, string, io.Reader) ([]byte, error) {
	return nil, nkeys.ErrInvalidNKeyOperation
}

func (s *signer) Open([]byte, string) ([]byte, error) { return nil, nkeys.ErrInvalidNKeyOperation }

// DeriveUser is the user key that a signing key and a label stand for: the same in every
// process that can open the key, and kept nowhere.
func (k *Keyring) DeriveUser(key tenant.SealedKey, label string) (nkeys.KeyPair, error) {
	if key.Purpose != Signing {
		return nil, fmt.Errorf("keyring: no users are derived from a %s key", key.Purpose)
	}
	secret, err := k.unseal(key)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	seed, err := hkdf.Key(sha256.New, secret, nil, "parley user "+label, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive user %s: %w", label, err)
	}
	defer clear(seed)
	public, err := publicKey(nkeys.PrefixByteUser, seed)
	if err != nil {
		return nil, err
	}
	return &signer{public: public, private: ed25519.NewKeyFromSeed(seed)}, nil
}

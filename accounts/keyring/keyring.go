// Package keyring keeps private keys sealed under one master key, and is the only
// place that opens them. What it gives out signs, decrypts or derives; it never
// gives out a seed. It knows no SQL: who stores a sealed key is not its business.
package keyring

import (
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/chacha20poly1305"

	"parley/tenant"
)

// The purposes of keys, as they stand in tenant.SealedKey and in the database.
const (
	Identity = "identity" // names an account or the operator; its nkey is their id
	Signing  = "signing"  // signs what the account or operator issues
	Token    = "token"    // signs JSON Web Tokens of a tenant's users
	XKey     = "xkey"     // decrypts the requests to the callout
)

// Version is the version of the master key that seals new keys.
const Version = 1

// maxCached bounds the opened keys that are kept, about 300 bytes each. When it is
// reached all are forgotten: they open again in microseconds.
const maxCached = 1 << 16

// A Keyring seals and opens keys. It is safe for concurrent use.
type Keyring struct {
	aead  cipher.AEAD
	trail []byte // the key of TrailMAC

	mu   sync.RWMutex
	open map[opened]nkeys.KeyPair // pairs that hide their seeds
}

// opened holds all that was sealed and authenticated, so that a row that was
// changed behind our back never meets a cached key.
type opened struct {
	account, keyID, purpose, sealed string
	version                         int
}

func newKeyring(master []byte) (*Keyring, error) {
	aead, err := chacha20poly1305.NewX(master)
	if err != nil {
		return nil, fmt.Errorf("keyring: master key: %w", err)
	}
	trail, err := hkdf.Key(sha256.New, master, nil, "parley audit trail", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("keyring: derive the key of the audit trail: %w", err)
	}
	return &Keyring{aead: aead, trail: trail, open: map[opened]nkeys.KeyPair{}}, nil
}

// TrailMAC is the code of content under a key that only who has the master key has.
func (k *Keyring) TrailMAC(content []byte) []byte {
	m := hmac.New(sha256.New, k.trail)
	m.Write(content)
	return m.Sum(nil)
}

// NewOperator makes the identity key of the operator, O….
func (k *Keyring) NewOperator() (tenant.SealedKey, error) {
	return k.newIdentity(nkeys.PrefixByteOperator)
}

// NewAccount makes the identity key of an account, A….
func (k *Keyring) NewAccount() (tenant.SealedKey, error) {
	return k.newIdentity(nkeys.PrefixByteAccount)
}

func (k *Keyring) newIdentity(prefix nkeys.PrefixByte) (tenant.SealedKey, error) {
	seed := newSeed()
	defer clear(seed)
	public, err := publicKey(prefix, seed)
	if err != nil {
		return tenant.SealedKey{}, err
	}
	return k.seal(tenant.SealedKey{Account: public, KeyID: public, Purpose: Identity, Version: Version}, seed), nil
}

// NewKey makes a key of an account, or of the operator, for one of the purposes but Identity.
// Its KeyID is its public nkey; that of a Token key is its Ed25519 public key in unpadded base64url.
func (k *Keyring) NewKey(account, purpose string) (tenant.SealedKey, error) {
	if purpose == Identity {
		return tenant.SealedKey{}, errors.New("keyring: an identity is made by NewOperator or NewAccount")
	}
	seed := newSeed()
	defer clear(seed)
	key := tenant.SealedKey{Account: account, Purpose: purpose, Version: Version}
	var err error
	if key.KeyID, err = keyID(key, seed); err != nil {
		return tenant.SealedKey{}, err
	}
	return k.seal(key, seed), nil
}

func newSeed() []byte {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails, by its contract
	return seed
}

// keyID is the id that the key of a seed must have.
func keyID(key tenant.SealedKey, seed []byte) (string, error) {
	switch key.Purpose {
	case Identity, Signing:
		prefix := nkeys.Prefix(key.Account)
		if prefix != nkeys.PrefixByteAccount && prefix != nkeys.PrefixByteOperator {
			return "", fmt.Errorf("keyring: %q is neither an account nor an operator", key.Account)
		}
		return publicKey(prefix, seed)
	case Token:
		return base64.RawURLEncoding.EncodeToString(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)), nil
	case XKey:
		pair, err := newCurve(seed)
		if err != nil {
			return "", err
		}
		return pair.public, nil
	}
	return "", fmt.Errorf("keyring: no such purpose: %q", key.Purpose)
}

func publicKey(prefix nkeys.PrefixByte, seed []byte) (string, error) {
	public, err := nkeys.Encode(prefix, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	return string(public), err
}

// Signer opens an identity or signing key. Its Sign uses the expanded private key,
// where nkeys' own derives it from the seed at each call.
func (k *Keyring) Signer(key tenant.SealedKey) (nkeys.KeyPair, error) {
	if key.Purpose != Signing && key.Purpose != Identity {
		return nil, fmt.Errorf("keyring: a %s key signs no NATS claims", key.Purpose)
	}
	return k.pair(key)
}

// XKey opens an xkey.
func (k *Keyring) XKey(key tenant.SealedKey) (nkeys.KeyPair, error) {
	if key.Purpose != XKey {
		return nil, fmt.Errorf("keyring: a %s key is no xkey", key.Purpose)
	}
	return k.pair(key)
}

func (k *Keyring) pair(key tenant.SealedKey) (nkeys.KeyPair, error) {
	id := opened{key.Account, key.KeyID, key.Purpose, string(key.Sealed), key.Version}
	k.mu.RLock()
	pair, ok := k.open[id]
	k.mu.RUnlock()
	if ok {
		return pair, nil
	}
	pair, err := k.unsealPair(key)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.open) >= maxCached {
		clear(k.open)
	}
	k.open[id] = pair
	return pair, nil
}

func (k *Keyring) unsealPair(key tenant.SealedKey) (nkeys.KeyPair, error) {
	seed, err := k.unseal(key)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	if key.Purpose == XKey {
		return newCurve(seed)
	}
	return &signer{public: key.KeyID, private: ed25519.NewKeyFromSeed(seed)}, nil
}

package keyring

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"parley/tenant"
)

// ErrSealed is returned for a key that does not open: another master key, or changed bytes.
var ErrSealed = errors.New("the key does not open: it was sealed under another master key, or the row was changed")

// seal encrypts a seed: nonce, then ciphertext and tag. The additional data is all that
// the row says about the key, so that no sealed key can be moved to another row.
func (k *Keyring) seal(key tenant.SealedKey, seed []byte) tenant.SealedKey {
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(seed)+k.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails, by its contract
	key.Sealed = k.aead.Seal(nonce, nonce, seed, aad(key))
	return key
}

// unseal returns the seed. The caller clears it.
func (k *Keyring) unseal(key tenant.SealedKey) ([]byte, error) {
	if key.Version != Version {
		return nil, fmt.Errorf("open key %s: sealed under version %d of the master key, have version %d", key.KeyID, key.Version, Version)
	}
	n := k.aead.NonceSize()
	if len(key.Sealed) < n {
		return nil, fmt.Errorf("open key %s: %w", key.KeyID, ErrSealed)
	}
	seed, err := k.aead.Open(nil, key.Sealed[:n], key.Sealed[n:], aad(key))
	if err != nil {
		return nil, fmt.Errorf("open key %s: %w", key.KeyID, ErrSealed)
	}
	id, err := keyID(key, seed)
	if err != nil || id != key.KeyID {
		clear(seed)
		return nil, fmt.Errorf("open key %s: %w", key.KeyID, ErrSealed)
	}
	return seed, nil
}

// aad prefixes each field with its length, so that no two rows have the same.
func aad(key tenant.SealedKey) []byte {
	out := []byte("parley sealed key")
	for _, field := range []string{key.Account, key.KeyID, key.Purpose} {
		out = binary.BigEndian.AppendUint64(out, uint64(len(field)))
		out = append(out, field...)
	}
	return binary.BigEndian.AppendUint64(out, uint64(key.Version)) //nolint:gosec // G115: unseal knows only small versions
}

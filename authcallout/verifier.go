package authcallout

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"sync"

	"parley/tenant"
)

// A verifier is a public key with the one algorithm that it is used for. The token's alg is
// compared with it and never chooses: that is what confusions of keys live on.
type verifier struct {
	alg string
	key crypto.PublicKey
}

// verify reports whether the signature is the key's over the text.
func (v verifier) verify(text string, signature []byte) bool {
	switch key := v.key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, []byte(text), signature)
	case *ecdsa.PublicKey:
		return verifyES256(key, text, signature)
	case *rsa.PublicKey:
		sum := sha256.Sum256([]byte(text))
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}

// es256Size is the length of each of the two numbers of a signature (RFC 7518 section 3.4).
const es256Size = 32

func verifyES256(key *ecdsa.PublicKey, text string, signature []byte) bool {
	if len(signature) != 2*es256Size {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	r, s := new(big.Int).SetBytes(signature[:es256Size]), new(big.Int).SetBytes(signature[es256Size:])
	return ecdsa.Verify(key, sum[:], r, s)
}

// maxVerifiers bounds the keys of tenants that are kept parsed, some kilobytes each.
const maxVerifiers = 4096

// verifiers are the keys of kind user-token, parsed once. What a key's id stands for never changes.
type verifiers struct {
	mu sync.RWMutex
	of map[string]verifier // by the key's id
}

func (v *verifiers) get(k *tenant.Key) (verifier, error) {
	v.mu.RLock()
	found, ok := v.of[k.ID]
	v.mu.RUnlock()
	if ok {
		return found, nil
	}
	key, err := tenant.ParsePublicKey(k.Alg, k.PublicKey)
	if err != nil {
		return verifier{}, err
	}
	found = verifier{alg: k.Alg, key: key}
	v.mu.Lock()
	defer v.mu.Unlock()
	makeRoom(v.of, maxVerifiers)
	v.of[k.ID] = found
	return found, nil
}

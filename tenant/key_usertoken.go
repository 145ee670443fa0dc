package tenant

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// The algorithms of tokens (RFC 7518, RFC 8037). Each key is for one of them.
const (
	AlgEdDSA = "EdDSA" // Ed25519
	AlgES256 = "ES256" // P-256 and SHA-256
	AlgRS256 = "RS256" // RSA PKCS #1 v1.5 and SHA-256
)

// userTokenKeys are the public keys of which a tenant keeps the private ones and signs its
// users' tokens with: alg, kid (the key's id), aud (TokenAudience), sub (the user), iat and exp.
var userTokenKeys = keyRules{
	takes: []string{"alg", "public_key", "create_users"},
	renew: []string{"public_key", "alg"},
	most:  100,
	check: func(k *KeySpec, f faults) {
		if k.Alg != AlgEdDSA && k.Alg != AlgES256 && k.Alg != AlgRS256 {
			f["alg"] = "must be EdDSA, ES256 or RS256"
			return
		}
		key, err := ParsePublicKey(k.Alg, k.PublicKey)
		if err != nil {
			f["public_key"] = err.Error()
			return
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		f.check(err == nil, "public_key", "can't be kept")
		k.PublicKey = string(pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}))
	},
}

const (
	pemPublic    = "PUBLIC KEY"
	maxPublicKey = 8 << 10 // bytes of PEM; RSA of 8,192 bits is 1,500
)

// The sizes of RSA keys, in bits: what is shorter is weak, and what is longer slow.
const (
	minRSA = 2048
	maxRSA = 8192
)

// ParsePublicKey decodes a public key in PEM (SubjectPublicKeyInfo) that is fit for an algorithm.
// The error is for whoever sent the key.
func ParsePublicKey(alg, text string) (crypto.PublicKey, error) {
	if len(text) > maxPublicKey {
		return nil, fmt.Errorf("must be at most %d bytes", maxPublicKey)
	}
	if strings.Contains(text, "PRIVATE KEY") {
		return nil, errors.New("holds a private key, which must never leave your hands: make a new pair, and send its public key")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != pemPublic || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("must be one PUBLIC KEY in PEM, as openssl pkey -pubout prints it")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("is no public key that can be read")
	}
	if got := AlgorithmOf(key); got != alg {
		return nil, fmt.Errorf("is no key for %s: that takes %s", alg, fitting(alg))
	}
	return key, nil
}

func fitting(alg string) string {
	switch alg {
	case AlgES256:
		return "an EC key on P-256"
	case AlgRS256:
		return fmt.Sprintf("an RSA key of %d to %d bits", minRSA, maxRSA)
	}
	return "an Ed25519 key"
}

// AlgorithmOf is the one algorithm that a public key is used with here; empty: none.
func AlgorithmOf(key crypto.PublicKey) string {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return AlgEdDSA
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return AlgES256
		}
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n >= minRSA && n <= maxRSA {
			return AlgRS256
		}
	}
	return ""
}

package authcallout

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"

	"github.com/go-json-experiment/json"

	"parley/tenant"
)

// maxKeysInSet is how many keys of a set are read.
const maxKeysInSet = 100

// jwk is a public key of a set (RFC 7517, RFC 7518 section 6, RFC 8037). Members for other
// kinds of keys are left aside.
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

// parseKeySet reads the keys of a set that are for one of our algorithms and have an id. Others
// may be there for other purposes.
func parseKeySet(text []byte) (map[string]verifier, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fetchError("its answer is no JSON Web Key Set")
	}
	keys := map[string]verifier{}
	for _, k := range set.Keys[:min(len(set.Keys), maxKeysInSet)] {
		v := k.verifier()
		if _, taken := keys[k.ID]; v.alg != "" && validKid(k.ID) && !taken {
			keys[k.ID] = v
		}
	}
	if len(keys) == 0 {
		return nil, fetchError("its answer has no key for EdDSA, ES256 or RS256")
	}
	return keys, nil
}

// verifier is the key with its algorithm; none where it is not for signatures, or not for ours.
func (k *jwk) verifier() verifier {
	key := k.public()
	alg := tenant.AlgorithmOf(key)
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != alg {
		return verifier{}
	}
	return verifier{alg: alg, key: key}
}

// public is nil where the members make no key.
func (k *jwk) public() crypto.PublicKey {
	switch {
	case k.Type == "OKP" && k.Curve == "Ed25519":
		if x := decoded(k.X); len(x) == ed25519.PublicKeySize {
			return ed25519.PublicKey(x)
		}
	case k.Type == "EC" && k.Curve == "P-256":
		return point(decoded(k.X), decoded(k.Y))
	case k.Type == "RSA":
		n, e := new(big.Int).SetBytes(decoded(k.Modulus)), new(big.Int).SetBytes(decoded(k.Exponent))
		if e.IsInt64() && e.Int64() > 2 && e.Int64() < 1<<31 && e.Bit(0) == 1 && n.Bit(0) == 1 {
			return &rsa.PublicKey{N: n, E: int(e.Int64())}
		}
	}
	return nil
}

// point is a point of P-256 that is on the curve, or nil.
func point(x, y []byte) crypto.PublicKey {
	if len(x) != es256Size || len(y) != es256Size {
		return nil
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil
	}
	return key
}

func decoded(s string) []byte {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

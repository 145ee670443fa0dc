package authcallout

import (
	"crypto/ed25519"
	"encoding/base64"
	"time"

	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// nkeyProof is the server's nonce as the client signed it. Behind a bearer sentinel the server
// checks no signature (NATS.md), so this is the only place that does. The nonce is new for each
// connection and comes from the server: a signature that was heard elsewhere proves nothing here.
type nkeyProof struct {
	key       ed25519.PublicKey
	nonce     string
	signature []byte
}

// readNKey takes a registered user nkey, which names its tenant by being registered once.
func readNKey(opts *connect, nonce string) (offer, *refusal) {
	o := offer{method: tenant.MethodNKey}
	key, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(opts.NKey))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return o, refuseNKeyForm
	}
	o.claim.NKey, o.opened.Key = opts.NKey, opts.NKey
	o.proof = nkeyProof{key: key, nonce: nonce, signature: readSignature(opts.Signature)}
	return o, nil
}

// readSignature takes both encodings that clients use: nats.go's and nats.js's.
func readSignature(s string) []byte {
	signature, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		signature, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil {
		return nil
	}
	return signature
}

func (p nkeyProof) verify(*tenant.Identity, time.Time) (time.Time, *refusal) {
	if p.nonce == "" || !ed25519.Verify(p.key, []byte(p.nonce), p.signature) {
		return time.Time{}, refuseNKeySig
	}
	return time.Time{}, nil
}

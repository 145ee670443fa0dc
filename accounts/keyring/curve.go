package keyring

import (
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"
)

const (
	curveKeySize = 32
	nonceSize    = 24
	sealHead     = len(nkeys.XKeyVersionV1) + nonceSize
	// mostPeers bounds the shared keys: a server has a key of its own for each of its lives.
	mostPeers = 64
)

// curve is an xkey that encrypts and decrypts, and does nothing else. Each connect of a user is a
// question and an answer under the same two keys, so it keeps what X25519 makes of them:
// nkeys works that out anew each time, which was a tenth of a connect.
type curve struct {
	public  string
	private [curveKeySize]byte

	mu     sync.Mutex
	shared map[string]*[curveKeySize]byte // by the peer's public key
}

func newCurve(seed []byte) (*curve, error) {
	c := &curve{private: [curveKeySize]byte(seed), shared: map[string]*[curveKeySize]byte{}}
	public, err := curve25519.X25519(seed, curve25519.Basepoint)
	if err != nil {
		return nil, fmt.Errorf("keyring: xkey: %w", err)
	}
	encoded, err := nkeys.Encode(nkeys.PrefixByteCurve, public)
	if err != nil {
		return nil, fmt.Errorf("keyring: xkey: %w", err)
	}
	c.public = string(encoded)
	return c, nil
}

// with returns the key that is shared with a peer.
func (c *curve) with(peer string) (*[curveKeySize]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.shared[peer]; k != nil {
		return k, nil
	}
	raw, err := nkeys.Decode(nkeys.PrefixByteCurve, []byte(peer))
	if err != nil || len(raw) != curveKeySize {
		return nil, nkeys.ErrInvalidCurveKey
	}
	if len(c.shared) >= mostPeers {
		clear(c.shared)
	}
	k := new([curveKeySize]byte)
	box.Precompute(k, (*[curveKeySize]byte)(raw), &c.private)
	c.shared[peer] = k
	return k, nil
}

// Seal encrypts for a peer, in the form of nkeys.
func (c *curve) Seal(in []byte, peer string) ([]byte, error) {
	return c.SealWithRand(in, peer, rand.Reader)
}

// SealWithRand is Seal with a source of nonces.
func (c *curve) SealWithRand(in []byte, peer string, random io.Reader) ([]byte, error) {
	k, err := c.with(peer)
	if err != nil {
		return nil, err
	}
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return nil, err
	}
	out := make([]byte, 0, sealHead+len(in)+box.Overhead)
	out = append(append(out, nkeys.XKeyVersionV1...), nonce[:]...)
	return box.SealAfterPrecomputation(out, in, &nonce, k), nil
}

// Open decrypts what a peer sealed.
func (c *curve) Open(in []byte, peer string) ([]byte, error) {
	if len(in) <= sealHead || string(in[:len(nkeys.XKeyVersionV1)]) != nkeys.XKeyVersionV1 {
		return nil, nkeys.ErrInvalidEncrypted
	}
	k, err := c.with(peer)
	if err != nil {
		return nil, err
	}
	nonce := [nonceSize]byte(in[len(nkeys.XKeyVersionV1):sealHead])
	plain, ok := box.OpenAfterPrecomputation(nil, in[sealHead:], &nonce, k)
	if !ok {
		return nil, nkeys.ErrCouldNotDecrypt
	}
	return plain, nil
}

func (c *curve) PublicKey() (string, error) { return c.public, nil }
func (*curve) Seed() ([]byte, error)        { return nil, errHidden }
func (*curve) PrivateKey() ([]byte, error)  { return nil, errHidden }
func (*curve) Sign([]byte) ([]byte, error)  { return nil, nkeys.ErrInvalidCurveKeyOperation }
func (*curve) Verify(_, _ []byte) error     { return nkeys.ErrInvalidCurveKeyOperation }

// Wipe does nothing, for the cache shares the key.
func (*curve) Wipe() {}

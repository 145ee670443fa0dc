package accounts

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// claimsVersion is the version of the claims' form that jwt/v2 writes.
const claimsVersion = 2

// maxJWT is the longest account JWT that the servers' messages carry.
const maxJWT = 1 << 20

// contentOf is the SHA-256 of claims as the issuer would sign them, without iat and jti.
func contentOf(c jwt.Claims, issuer string) ([]byte, error) {
	d := c.Claims()
	d.Issuer, d.IssuedAt, d.ID = issuer, 0, ""
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode claims of %s: %w", d.Subject, err)
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}

// encode signs claims with an iat of our choice. jwt's own Encode takes the clock's, and a
// jti that two updates within one second share: a node that missed one never gets the other (NATS.md).
func encode(c jwt.Claims, signer nkeys.KeyPair, iat int64) (string, error) {
	issuer, err := signer.PublicKey()
	if err != nil {
		return "", fmt.Errorf("sign claims: %w", err)
	}
	d := c.Claims()
	d.Issuer, d.IssuedAt, d.ID = issuer, iat, ""
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode claims of %s: %w", d.Subject, err)
	}
	sum := sha512.Sum512_256(text)
	d.ID = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])
	head, err := part(jwt.Header{Type: jwt.TokenTypeJwt, Algorithm: jwt.AlgorithmNkey})
	if err != nil {
		return "", err
	}
	body, err := part(c)
	if err != nil {
		return "", err
	}
	sig, err := signer.Sign([]byte(head + "." + body))
	if err != nil {
		return "", fmt.Errorf("sign claims of %s: %w", d.Subject, err)
	}
	return head + "." + body + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

func part(v any) (string, error) {
	text, err := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text), err
}

// verify checks an account JWT before it leaves, for the servers don't: a wrong one is taken
// with status 200 and locks the tenant out at the next restart (NATS.md).
func verify(text, account string, issuers []string) error {
	if len(text) > maxJWT {
		return fmt.Errorf("verify claims of %s: %d bytes are more than %d", account, len(text), maxJWT)
	}
	c, err := jwt.DecodeAccountClaims(text) // checks the signature against the issuer
	if err != nil {
		return fmt.Errorf("verify claims of %s: %w", account, err)
	}
	vr := jwt.CreateValidationResults()
	c.Validate(vr)
	switch {
	case c.Subject != account:
		return fmt.Errorf("verify claims of %s: they are those of %s", account, c.Subject)
	case !slices.Contains(issuers, c.Issuer):
		return fmt.Errorf("verify claims of %s: %s does not sign for the operator", account, c.Issuer)
	case vr.IsBlocking(true):
		return fmt.Errorf("verify claims of %s: %w", account, errors.Join(vr.Errors()...))
	}
	return nil
}

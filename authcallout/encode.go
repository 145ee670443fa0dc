package authcallout

import (
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant/grant"
)

// What the callout signs it encodes itself, once: jwt's own Encode writes the JSON twice and
// hashes it for a jti that nobody reads here. The names are those of jwt.UserClaims and
// jwt.AuthorizationResponseClaims, which the tests decode it with.

// jwtHeader is the first part of every NATS JWT of version 2, with its dot.
var jwtHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "."

// claims are the members that all NATS JWTs have.
type claims[T any] struct {
	Audience string `json:"aud,omitzero"`
	Expires  int64  `json:"exp,omitzero"`
	IssuedAt int64  `json:"iat"`
	Issuer   string `json:"iss"`
	Name     string `json:"name,omitzero"`
	Subject  string `json:"sub"`
	NATS     T      `json:"nats"`
}

type userPart struct {
	Pub           subjects      `json:"pub"`
	Sub           subjects      `json:"sub"`
	Subs          int           `json:"subs"`
	Data          int           `json:"data"`
	Payload       int           `json:"payload"`
	Types         []string      `json:"allowed_connection_types"`
	IssuerAccount string        `json:"issuer_account"`
	Type          jwt.ClaimType `json:"type"`
	Version       int           `json:"version"`
}

type subjects struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny,omitempty"`
}

// newUserPart leaves the limits to the account's.
func newUserPart(g grant.Grant, account string) userPart {
	return userPart{
		Pub: subjects{Allow: g.Pub}, Sub: subjects{Allow: g.Sub, Deny: g.SubDeny},
		Subs: jwt.NoLimit, Data: jwt.NoLimit, Payload: jwt.NoLimit,
		Types:         []string{jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket},
		IssuerAccount: account, Type: jwt.UserClaim, Version: claimsVersion,
	}
}

type answerPart struct {
	JWT           string        `json:"jwt,omitzero"`
	Error         string        `json:"error,omitzero"`
	IssuerAccount string        `json:"issuer_account,omitzero"`
	Type          jwt.ClaimType `json:"type"`
	Version       int           `json:"version"`
}

// encodeJWT signs what it names as its issuer.
func encodeJWT[T any](c claims[T], signer nkeys.KeyPair) (string, error) {
	var err error
	if c.Issuer, err = signer.PublicKey(); err != nil {
		return "", err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	text := make([]byte, 0, len(jwtHeader)+base64.RawURLEncoding.EncodedLen(len(body))+1+base64.RawURLEncoding.EncodedLen(64))
	text = append(text, jwtHeader...)
	text = base64.RawURLEncoding.AppendEncode(text, body)
	signature, err := signer.Sign(text)
	if err != nil {
		return "", err
	}
	text = append(text, '.')
	return string(base64.RawURLEncoding.AppendEncode(text, signature)), nil
}

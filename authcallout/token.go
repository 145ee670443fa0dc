package authcallout

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"parley/tenant"
)

const (
	tokenAlgorithm = "EdDSA"
	// tokenLeeway is how far an issuer's clock may go before ours. Nothing is added to exp:
	// an issuer that wants more gives more.
	tokenLeeway = 30 * time.Second
	// maxUnix keeps times far from where arithmetic on them overflows.
	maxUnix = 1 << 40
	maxKid  = 128
)

// tokenProof is a JSON Web Token (RFC 7519) that is parsed and not verified.
//
// There is no JWT library here: encoding/json under them takes doubled and differently
// cased names, of which an issuer and we might read different ones, and they carry
// algorithms and header fields that we would have to shut one by one.
type tokenProof struct {
	signed    string // header.payload
	signature []byte
	issued    int64 // seconds since 1970, as the next two
	expires   int64
	notBefore int64 // 0: none
}

// tokenHeader has all members that a header may have: one that we ignored could mean something
// to the issuer (RFC 7515 section 4.1.11), or make somebody fetch a key.
type tokenHeader struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

type tokenClaims struct {
	Issuer    string   `json:"iss"`
	Audience  audience `json:"aud"`
	Subject   string   `json:"sub"`
	Expires   *int64   `json:"exp"`
	IssuedAt  *int64   `json:"iat"`
	NotBefore *int64   `json:"nbf"`
	ID        string   `json:"jti"`
}

// audience is a string or, as RFC 7519 allows, an array, here of one.
type audience string

func (a *audience) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		var list []string
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
		if len(list) != 1 {
			return errors.New("not one audience")
		}
		*a = audience(list[0])
		return nil
	}
	return json.Unmarshal(text, (*string)(a))
}

// readToken parses a token. Whatever is wrong with it, the claim says what it claims, if that can be read.
func readToken(token tenant.Secret) (offer, *refusal) {
	o := offer{method: tenant.MethodToken}
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return o, refuseTokenForm
	}
	var claims tokenClaims
	if !strictPart(parts[1], &claims) {
		return o, refuseTokenForm
	}
	p := &tokenProof{signed: token.Reveal()[:len(parts[0])+1+len(parts[1])]}
	o.proof = p
	o.opened.Token = claims.ID
	wrongClaims := o.readClaims(&claims, p)
	header, wrongHeader := readHeader(parts[0])
	o.claim.TokenID = header.KeyID
	var err error
	p.signature, err = base64.RawURLEncoding.Strict().DecodeString(parts[2])
	switch {
	case wrongHeader != nil:
		return o, wrongHeader
	case err != nil || len(p.signature) != ed25519.SignatureSize:
		return o, refuseTokenForm
	}
	return o, wrongClaims
}

// strictPart takes one encoding of each value alone, and no doubled or unknown ways to say it.
func strictPart(s string, v any, opts ...json.Options) bool {
	text, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && json.Unmarshal(text, v, opts...) == nil
}

func readHeader(s string) (tokenHeader, *refusal) {
	var h tokenHeader
	switch {
	case !strictPart(s, &h, json.RejectUnknownMembers(true)):
		return tokenHeader{}, refuseTokenHeader
	case h.Algorithm != tokenAlgorithm:
		return tokenHeader{}, refuseTokenAlg
	case h.Type != "" && !strings.EqualFold(h.Type, "JWT"):
		return tokenHeader{}, refuseTokenHeader
	case !validKid(h.KeyID):
		return tokenHeader{}, refuseTokenKid
	}
	return h, nil
}

// validKid keeps paths, addresses and SQL out of what is looked up.
func validKid(s string) bool {
	if s == "" || len(s) > maxKid {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func (o *offer) readClaims(c *tokenClaims, p *tokenProof) *refusal {
	name, ok := strings.CutPrefix(string(c.Audience), tenant.TokenAudience(""))
	t, err := tenant.ParseTenantID("aud", name)
	if !ok || err != nil {
		return refuseTokenAud
	}
	o.claim.Tenant = t
	u, err := tenant.ParseUserID("sub", c.Subject)
	if err != nil {
		return refuseTokenSub
	}
	o.claim.User = u
	if c.Issuer != tenant.TokenIssuer {
		return refuseTokenIss
	}
	return p.readTimes(c)
}

func (p *tokenProof) readTimes(c *tokenClaims) *refusal {
	if !goodTime(c.Expires) || !goodTime(c.IssuedAt) || c.NotBefore != nil && !goodTime(c.NotBefore) {
		return refuseTokenTimes
	}
	p.expires, p.issued = *c.Expires, *c.IssuedAt
	if c.NotBefore != nil {
		p.notBefore = *c.NotBefore
	}
	life := p.expires - p.issued
	if life < int64(tenant.MinTokenLife/time.Second) || life > int64(tenant.MaxTokenLife/time.Second) {
		return refuseTokenLife
	}
	return nil
}

func goodTime(t *int64) bool { return t != nil && *t > 0 && *t < maxUnix }

// verify checks the signature before the times, so that these are the issuer's.
func (p *tokenProof) verify(id *tenant.Identity, now time.Time) (time.Time, *refusal) {
	expires := time.Unix(p.expires, 0)
	latest := now.Add(tokenLeeway).Unix()
	switch {
	// A key of another length would panic in ed25519.
	case len(id.TokenKey) != ed25519.PublicKeySize:
		return expires, refuseTokenKey
	case !ed25519.Verify(id.TokenKey, []byte(p.signed), p.signature):
		return expires, refuseTokenSig
	case !now.Before(expires):
		return expires, refuseTokenOld
	case p.issued > latest || p.notBefore > latest:
		return expires, refuseTokenEarly
	// The user of that id may have been another person then.
	case p.issued < id.User.CreatedAt.Unix():
		return expires, refuseTokenBefore
	}
	return expires, nil
}

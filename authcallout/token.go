package authcallout

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"parley/tenant"
)

const (
	// tokenLeeway is how far an issuer's clock may go before ours. Nothing is added to exp:
	// an issuer that wants more gives more.
	tokenLeeway = 30 * time.Second
	// maxUnix keeps times far from where arithmetic on them overflows.
	maxUnix = 1 << 40
	maxKid  = 128 // bytes
	maxJTI  = 200 // bytes
	// maxSignature is that of RSA with the longest key, in bytes.
	maxSignature = 1024
)

// tokenProof is a JSON Web Token (RFC 7519) that is parsed and not verified.
//
// There is no JWT library here: encoding/json under them takes doubled and differently
// cased names, of which an issuer and we might read different ones, and they carry
// algorithms and header fields that we would have to shut one by one.
type tokenProof struct {
	header    tokenHeader
	signed    string // header.payload
	signature []byte
	issued    int64 // seconds since 1970, as the next two
	expires   int64
	notBefore int64          // 0: none
	name      jsontext.Value // of the user, for people; perhaps none
	badEmail  bool           // the provider does not vouch for the mail address
}

// tokenHeader has all members that the header of a token under our rules may have: one that we
// ignored could mean something to the issuer (RFC 7515 section 4.1.11).
type tokenHeader struct {
	Algorithm string                    `json:"alg"`
	KeyID     string                    `json:"kid"`
	Type      string                    `json:"typ"`
	Others    map[string]jsontext.Value `json:",embed"` // only providers may have such
}

// meaningful are the members that would change what a signature says, or make somebody fetch
// a key: nobody's token has them.
var meaningful = []string{"crit", "jku", "jwk", "x5u", "x5c", "b64", "enc", "zip"}

// own reports whether the header has nothing but what our rules know, as in tokens of Parley
// and of the tenants' own programs.
func (h *tokenHeader) own() bool { return len(h.Others) == 0 && h.typed("JWT") }

func (h *tokenHeader) typed(as string) bool { return h.Type == "" || strings.EqualFold(h.Type, as) }

type tokenClaims struct {
	Issuer    string         `json:"iss"`
	Audience  audience       `json:"aud"`
	Subject   string         `json:"sub"`
	Expires   *int64         `json:"exp"`
	IssuedAt  *int64         `json:"iat"`
	NotBefore *int64         `json:"nbf"`
	ID        string         `json:"jti"`
	Name      jsontext.Value `json:"name"` // text where it is of use
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
	if !strictPart(parts[1], &claims) || !printable(claims.ID, maxJTI) {
		return o, refuseTokenForm
	}
	p := &tokenProof{signed: token.Reveal()[:len(parts[0])+1+len(parts[1])], name: claims.Name}
	o.proof, o.opened.Token = p, claims.ID
	if _, err := tenant.ParseTokenID("jti", claims.ID); err == nil { // of others none can be revoked
		o.claim.Token = claims.ID
	}
	wrongClaims := o.readClaims(&claims, p, parts[1])
	wrongHeader := p.readHeader(parts[0], o.claim.Foreign)
	o.claim.TokenID = p.header.KeyID
	var err error
	p.signature, err = base64.RawURLEncoding.Strict().DecodeString(parts[2])
	switch {
	case wrongHeader != nil:
		return o, wrongHeader
	case err != nil || len(p.signature) > maxSignature || !o.claim.Foreign && len(p.signature) != ed25519.SignatureSize:
		return o, refuseTokenForm
	}
	return o, wrongClaims
}

// strictPart takes one encoding of each value alone, and no doubled or unknown ways to say it.
func strictPart(s string, v any) bool {
	text, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && json.Unmarshal(text, v) == nil
}

func (p *tokenProof) readHeader(s string, foreign bool) *refusal {
	var h tokenHeader
	if !strictPart(s, &h) {
		return refuseTokenHeader
	}
	for _, name := range meaningful {
		if _, has := h.Others[name]; has {
			return refuseTokenHeader
		}
	}
	switch {
	case !foreign && len(h.Others) > 0:
		return refuseTokenHeader
	case h.Algorithm != tenant.AlgEdDSA && (!foreign || h.Algorithm != tenant.AlgES256 && h.Algorithm != tenant.AlgRS256):
		return refuseTokenAlg
	case !foreign && !h.own():
		return refuseTokenHeader
	case !validKid(h.KeyID):
		return refuseTokenKid
	}
	p.header = h
	return nil
}

// validKid keeps paths, addresses and SQL out of what is looked up. Providers' ids may be
// base64 and names with dots and colons.
func validKid(s string) bool {
	if s == "" || len(s) > maxKid || strings.Contains(s, "..") || strings.Contains(s, "//") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_+/=.:", rune(c)) {
			return false
		}
	}
	return true
}

// readClaims finds out whose token it is. Parley's own says so in iss; of the others those that
// are made for Parley name the tenant in aud, and ID tokens are for a client of their provider.
func (o *offer) readClaims(c *tokenClaims, p *tokenProof, payload string) *refusal {
	o.claim.Foreign = c.Issuer != tenant.TokenIssuer
	name, forUs := strings.CutPrefix(string(c.Audience), tenant.TokenAudience(""))
	if o.claim.Foreign && !forUs && isURL(c.Issuer) && c.Audience != "" {
		return cmp.Or(o.readIDToken(c, p, payload), p.readTimes(c))
	}
	t, err := tenant.ParseTenantID("aud", name)
	if !forUs || err != nil {
		return refuseTokenAud
	}
	o.claim.Tenant = t
	if o.claim.Foreign {
		h, ok := tenant.ParseHandle(c.Subject)
		if !ok {
			return refuseTokenSub
		}
		o.claim.User, o.claim.External = h.ID, h.External
		return p.readTimes(c)
	}
	if o.claim.User, err = tenant.ParseUserID("sub", c.Subject); err != nil {
		return refuseTokenSub
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

// verify proves a token of Parley's own.
func (p *tokenProof) verify(id *tenant.Identity, now time.Time) (time.Time, *refusal) {
	switch {
	// A key of another length would panic in ed25519.
	case len(id.TokenKey) != ed25519.PublicKeySize:
		return time.Time{}, refuseTokenKey
	case !ed25519.Verify(id.TokenKey, []byte(p.signed), p.signature):
		return time.Time{}, refuseTokenSig
	}
	return p.inTime(&id.User, now)
}

// inTime looks at the times of a token whose signature was found good, so that they are the issuer's.
func (p *tokenProof) inTime(u *tenant.User, now time.Time) (time.Time, *refusal) {
	expires := time.Unix(p.expires, 0)
	latest := now.Add(tokenLeeway).Unix()
	switch {
	case !now.Before(expires):
		return expires, refuseTokenOld
	case p.issued > latest || p.notBefore > latest:
		return expires, refuseTokenEarly
	// The user of that id may have been another person then.
	case p.issued < u.TokensFrom.Unix():
		return expires, refuseTokenBefore
	}
	return expires, nil
}

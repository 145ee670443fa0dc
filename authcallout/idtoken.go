package authcallout

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"parley/tenant"
)

// maxIssuer bounds iss and aud of an ID token, in bytes.
const maxIssuer = 500

// isURL reports whether iss is one, as OpenID Connect has it.
func isURL(iss string) bool {
	return strings.HasPrefix(iss, "https://") || strings.HasPrefix(iss, "http://")
}

// printable reports whether s may be looked up and kept: text of one line, not too long.
func printable(s string, most int) bool {
	return len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// readIDToken takes an ID token of OpenID Connect Core: iss and aud find the key, and the key
// says which of the claims names the user. All that could are looked up, in the same query.
func (o *offer) readIDToken(c *tokenClaims, p *tokenProof, payload string) *refusal {
	if !printable(c.Issuer, maxIssuer) || !printable(string(c.Audience), maxIssuer) {
		return refuseTokenAud
	}
	var all map[string]jsontext.Value
	if !strictPart(payload, &all) {
		return refuseTokenForm
	}
	// A token for another client, which names ours beside it, was given to somebody else.
	if azp, ok := all["azp"]; ok && text(azp) != string(c.Audience) {
		return refuseTokenAzp
	}
	o.claim.IDToken = tenant.IDTokenClaim{Issuer: c.Issuer, Audience: string(c.Audience), Names: map[string]tenant.Handle{}}
	for name, value := range all {
		if h, ok := tenant.ParseHandle(text(value)); ok && printable(name, maxIssuer) {
			o.claim.IDToken.Names[name] = h
		}
	}
	// Whoever can write any address into his account at the provider must not become its owner here.
	if verified := string(all["email_verified"]); verified != "true" && verified != `"true"` {
		delete(o.claim.IDToken.Names, "email")
		p.badEmail = true
	}
	return nil
}

// text is a claim that is text; of all others "".
func text(v jsontext.Value) (s string) {
	if v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// handleOf is the user that the token names, as the key reads it.
func handleOf(c *tenant.Claim, k *tenant.Key, p *tokenProof) (tenant.Handle, *refusal) {
	if k.Kind != tenant.KeyOIDC {
		return tenant.Handle{ID: c.User, External: c.External}, nil
	}
	h, ok := c.IDToken.Names[k.UserClaim]
	switch {
	case !ok && k.UserClaim == "email" && p.badEmail:
		return h, refuseEmail
	case !ok:
		return h, refuseUserClaim
	}
	return h, nil
}

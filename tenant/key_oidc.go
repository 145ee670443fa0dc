package tenant

import "strings"

// oidcKeys are OpenID Connect providers whose ID tokens for one client let its users in: iss is the
// issuer, aud the client's id, and the claim UserClaim names the user. An issuer and client
// belong to one tenant of all, so that a token never leads to two (docs/adr/0007).
var oidcKeys = keyRules{
	takes: []string{"issuer", "client_id", "user_claim", "create_users"},
	renew: []string{"client_id"},
	most:  20,
	check: func(k *KeySpec, f faults) {
		checkURL(f, "issuer", k.Issuer)
		f.check(!strings.Contains(k.Issuer, "?"), "issuer", "must have no query")
		f.check(k.ClientID != "", "client_id", "must not be empty")
		checkText(f, "client_id", k.ClientID)
		// Such an aud says that a token is made for Parley, whoever its issuer is.
		f.check(!strings.HasPrefix(k.ClientID, TokenAudience("")), "client_id", "must not begin with "+TokenAudience("")+
			"; for tokens of that audience add a key of kind jwks")
		if k.UserClaim == "" {
			k.UserClaim = "sub"
		}
		checkText(f, "user_claim", k.UserClaim)
	},
}

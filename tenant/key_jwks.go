package tenant

// jwksKeys are JSON Web Key Sets (RFC 7517) behind a URL, whose tokens are made for Parley: aud
// is TokenAudience, sub the user, kid the id of the key in the set.
var jwksKeys = keyRules{
	takes: []string{"url", "create_users"},
	renew: []string{"url"},
	most:  5, // each is tried for each token that is of no other key
	check: func(k *KeySpec, f faults) { checkURL(f, "url", k.URL) },
}

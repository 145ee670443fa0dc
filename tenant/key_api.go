package tenant

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
)

// apiKeys are for backends that use the HTTP API. Only the SHA-256 of such a key is kept: it
// is 130 random bits, which nobody finds by trying.
var apiKeys = keyRules{
	takes: []string{"scopes"},
	most:  100,
	check: func(k *KeySpec, f faults) {
		f.check(len(k.Scopes) > 0, "scopes", "must name one or more of read, chat and admin")
		for i, scope := range k.Scopes {
			f.check(slices.Contains(AllScopes, scope) && !slices.Contains(k.Scopes[:i], scope), "scopes",
				"must be read, chat or admin, each at most once")
		}
	},
	issue: func(k *Key) KeySecret {
		key := Secret(apiKeyPrefix + k.ID + "_" + rand.Text())
		k.Hash = hashKey(key)
		return KeySecret{APIKey: key}
	},
}

// API keys read parley_<id>_<secret>, so that leaks are found by their prefix and a key by its id.
const apiKeyPrefix = "parley_"

func apiKeyID(key Secret) (string, bool) {
	rest, ok := strings.CutPrefix(key.Reveal(), apiKeyPrefix)
	if !ok {
		return "", false
	}
	id, secret, ok := strings.Cut(rest, "_")
	_, err := ParseKeyID("", id)
	return id, ok && err == nil && len(secret) == 26
}

func hashKey(key Secret) []byte {
	h := sha256.Sum256([]byte(key.Reveal()))
	return h[:]
}

// Authenticate finds the actor of an API key.
func (s *Service) Authenticate(ctx context.Context, key Secret) (Actor, error) {
	denied := Errorf(CodeUnauthorized, "the API key is unknown or was removed; send a valid one as Authorization: Bearer")
	id, ok := apiKeyID(key)
	if !ok {
		return Actor{}, denied
	}
	k, err := s.store.APIKey(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Actor{}, denied
	}
	if err != nil {
		return Actor{}, err
	}
	if subtle.ConstantTimeCompare(k.Hash, hashKey(key)) != 1 {
		return Actor{}, denied
	}
	if now := s.clock(); now.Sub(k.LastUsed) >= usedEvery {
		if err := s.store.KeyUsed(ctx, k.ID, now); err != nil {
			return Actor{}, err
		}
	}
	return Actor{kind: actorKey, id: k.ID, tenant: k.Tenant, scopes: k.Scopes}, nil
}

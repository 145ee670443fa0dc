package authcallout

import (
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// credsProof is a user JWT that was issued in AUTH. The server asked us because it verified
// the JWT's signature and that the client holds its key; ours is the rest.
type credsProof struct {
	nkey string
	tags []string // as the server read them: tenant:<id> and user:<id>
}

// readCreds tells a .creds file from the sentinel by the bearer flag: a bearer's key was not
// proved, and the sentinel is public. The key is taken from the JWT, since client_info.user
// would be whatever nkey or user name the client adds in CONNECT.
func readCreds(userJWT tenant.Secret, tags []string) (*credsProof, bool) {
	parts := strings.Split(userJWT.Reveal(), ".")
	if len(parts) != 3 {
		return nil, false
	}
	var claims struct {
		Subject string `json:"sub"`
		NATS    struct {
			Bearer bool `json:"bearer_token"`
		} `json:"nats"`
	}
	if !decodePart(parts[1], &claims) || claims.NATS.Bearer {
		return nil, false
	}
	return &credsProof{nkey: claims.Subject, tags: tags}, true
}

func (p *credsProof) offer() (offer, *refusal) {
	o := offer{method: tenant.MethodCreds, proof: p}
	if !nkeys.IsValidPublicUserKey(p.nkey) {
		return o, refuseCredsForm
	}
	o.claim.Creds, o.opened.Key = p.nkey, p.nkey
	return o, nil
}

// verify makes sure of what was signed too: rows alone could have been tampered with.
func (p *credsProof) verify(id *tenant.Identity, _ time.Time) (time.Time, *refusal) {
	switch {
	case id.CredsRevoked:
		return time.Time{}, refuseCredsGone
	case !slices.Contains(p.tags, "tenant:"+string(id.Tenant)) || !slices.Contains(p.tags, "user:"+string(id.User.ID)):
		return time.Time{}, refuseCredsOther
	}
	return time.Time{}, nil
}

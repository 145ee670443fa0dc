package tenant

import "context"

// A ScopedRole is what the users of a scoped NATS signing key may do, whoever they are.
type ScopedRole string

// The roles of scoped keys. No membership adds to them or takes away.
const (
	ScopedMember  ScopedRole = "member"  // reads open and announce rooms, posts in open ones, asks the chat service
	ScopedService ScopedRole = "service" // what service credentials may, but in shared rooms
)

// natsScopedKeys are public account nkeys of which a tenant keeps the seeds and signs NATS user JWTs with,
// whom the servers let in without asking. Such a user is known by his nkey: whom it stands for
// is the user who has it registered.
var natsScopedKeys = keyRules{
	takes: []string{"role", "public_key"},
	renew: []string{"public_key"},
	most:  20,
	check: func(k *KeySpec, f faults) {
		f.check(k.Role == ScopedMember || k.Role == ScopedService, "role", "must be member or service")
		f.check(ValidAccountNKey(k.PublicKey), "public_key", "must be a public account nkey, as A followed by 55 characters; the seed stays with you")
	},
	added: func(ctx context.Context, _ *Service, tx Tx, _ Tenant, k *Key) (KeySecret, error) {
		// The account's own keys sign without a scope.
		ours, err := tx.IsAccountKey(ctx, k.PublicKey)
		if err == nil && ours {
			err = Invalid("public_key", "is a key of the platform; make one of your own")
		}
		return KeySecret{}, err
	},
	claimed: true,
}

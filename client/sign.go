package client

import (
	"bytes"
	"errors"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// maxSigned is how long what SignUser makes is good at most.
const maxSigned = 24 * time.Hour

// NewSigningKey makes a key that a tenant signs users with by itself: its public part becomes a key of kind
// nats-scoped, its seed stays where SignUser runs.
func NewSigningKey() (public string, seed []byte, err error) {
	pair, err := nkeys.CreateAccount()
	if err != nil {
		return "", nil, err
	}
	defer pair.Wipe()
	if public, err = pair.PublicKey(); err != nil {
		return "", nil, err
	}
	seed, err = pair.Seed()
	return public, bytes.Clone(seed), err // Wipe takes the pair's own
}

// A SigningOrder says whom SignUser signs.
type SigningOrder struct {
	Account  string // of the tenant, A…
	Seed     []byte // of a nats-scoped key of the tenant, SA…
	UserSeed []byte // of the user, SU…; nil: a new one
	Name     string // a label in the servers' lists, of the form of an id; "": none
	TTL      time.Duration
}

// SignUser makes the .creds file of a user without asking anybody, good for TTL, 1 s to 24 h. The servers let him
// in with the rights of the key's role, for the user of the tenant who has nkey registered. Faults of the order are
// *Error with Code invalid.
func SignUser(o SigningOrder) (nkey string, creds []byte, err error) {
	signer, user, err := o.parse()
	if err != nil {
		return "", nil, newError(tenant.CodeInvalid, err, "%v", err)
	}
	defer signer.Wipe()
	defer user.Wipe()
	if nkey, err = user.PublicKey(); err != nil {
		return "", nil, err
	}
	c := jwt.NewUserClaims(nkey)
	c.Name, c.IssuerAccount, c.Expires = o.Name, o.Account, time.Now().Add(o.TTL).Unix()
	c.SetScoped(true) // the key's role says what he may
	text, err := c.Encode(signer)
	if err != nil {
		return "", nil, err
	}
	seed, err := user.Seed()
	if err != nil {
		return "", nil, err
	}
	creds, err = jwt.FormatUserConfig(text, seed)
	return nkey, creds, err
}

// parse reports all faults at once.
func (o SigningOrder) parse() (signer, user nkeys.KeyPair, err error) {
	signer, errSigner := seedOf(nkeys.PrefixByteAccount, o.Seed, "Seed must be the seed of an account nkey, SA…")
	var errUser error
	if o.UserSeed == nil {
		user, errUser = nkeys.CreateUser()
	} else {
		user, errUser = seedOf(nkeys.PrefixByteUser, o.UserSeed, "UserSeed must be the seed of a user nkey, SU…")
	}
	faults := []error{errSigner, errUser}
	if !nkeys.IsValidPublicAccountKey(o.Account) {
		faults = append(faults, errors.New("Account must be the tenant's account, A…")) //nolint:staticcheck // ST1005: a field's name
	}
	if o.Name != "" && !tenant.ValidID(o.Name) {
		faults = append(faults, errors.New("Name must have the form of an id, a-z, 0-9, - and _")) //nolint:staticcheck // ST1005: a field's name
	}
	if o.TTL < time.Second || o.TTL > maxSigned {
		faults = append(faults, errors.New("TTL must be 1 s to 24 h"))
	}
	return signer, user, errors.Join(faults...)
}

func seedOf(kind nkeys.PrefixByte, seed []byte, fault string) (nkeys.KeyPair, error) {
	seed = bytes.TrimSpace(seed)
	prefix, _, err := nkeys.DecodeSeed(seed)
	if err != nil || prefix != kind {
		return nil, errors.New(fault)
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, errors.New(fault)
	}
	return pair, nil
}

package tenant

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// KeyKind is what a tenant's key is for.
type KeyKind string

// The kinds of keys. The rules of each stand in a file of its own, key_<kind>.go.
const (
	KeyAPI        KeyKind = "api"         // lets a backend use the HTTP API
	KeyService    KeyKind = "service"     // lets a backend connect to NATS, as a user of its name
	KeyTLSCA      KeyKind = "tls-ca"      // a CA of client certificates
	KeyUserToken  KeyKind = "user-token"  // the public key of tokens that the tenant signs
	KeyJWKS       KeyKind = "jwks"        // a URL of the public keys of such tokens
	KeyOIDC       KeyKind = "oidc"        // a provider whose ID tokens let users in
	KeyNATSScoped KeyKind = "nats-scoped" // the public key of NATS users whom the tenant signs
)

// keyKinds are the rules by kind. A kind is added here, with a constant above, its file, and
// its fields in KeyDetails and KeySpec.fields.
var keyKinds = map[KeyKind]keyRules{
	KeyAPI:        apiKeys,
	KeyService:    serviceKeys,
	KeyTLSCA:      tlsCAKeys,
	KeyUserToken:  userTokenKeys,
	KeyJWKS:       jwksKeys,
	KeyOIDC:       oidcKeys,
	KeyNATSScoped: natsScopedKeys,
}

// keyRules are what is special about one kind of key.
type keyRules struct {
	takes []string // the fields beside kind and name, by their JSON names
	renew []string // those of them that a rotation takes: the first must be new, others may be
	most  int      // that a tenant may have at once
	// check says what is wrong with the fields, and brings them into the form that is kept.
	check func(k *KeySpec, f faults)
	// issue makes what is shown once, and puts into the row what it is known by; nil: the kind has no secret.
	issue func(k *Key) KeySecret
	// added is what else an addition takes, in its transaction, where the row is in place; nil: nothing.
	added func(ctx context.Context, s *Service, tx Tx, t Tenant, k *Key) (KeySecret, error)
	// claimed: the key stands in the claims of the account, and the servers look at it by themselves.
	claimed bool
}

// A KeySpec is what is said of a key that is to be made.
type KeySpec struct {
	Kind   KeyKind `json:"kind"`
	Name   string  `json:"name"`
	Scopes []Scope `json:"scopes,omitempty"`
	KeyDetails
}

// KeyDetails are the fields that only some kinds have. They are kept as they stand here.
type KeyDetails struct {
	Alg       string `json:"alg,omitempty"`
	PublicKey string `json:"public_key,omitempty"` // PEM, or an account nkey
	// Role of the users that the key signs.
	Role ScopedRole `json:"role,omitempty"`
	// CreateUsers: who is named by a token and unknown becomes a user; otherwise he is refused.
	CreateUsers bool   `json:"create_users,omitempty"`
	URL         string `json:"url,omitempty"`
	Issuer      string `json:"issuer,omitempty"` // a URL, letter by letter what iss says
	ClientID    string `json:"client_id,omitempty"`
	UserClaim   string `json:"user_claim,omitempty"` // "": sub

	Certificate string `json:"certificate,omitempty"` // of a CA, PEM
	UserField   string `json:"user_field,omitempty"`  // that names the user in a client certificate
	// What the CA is looked up by (CAIDs), and the SHA-256 of its public key: made of the
	// certificate, never taken from anybody.
	CA     string `json:"ca,omitempty"`
	CAName string `json:"ca_name,omitempty"`
	CAKey  string `json:"ca_key,omitempty"`
}

// fields tells which of the fields that not all kinds take are given.
func (k *KeySpec) fields() map[string]bool {
	return map[string]bool{
		"scopes":       len(k.Scopes) > 0,
		"alg":          k.Alg != "",
		"public_key":   k.PublicKey != "",
		"role":         k.Role != "",
		"create_users": k.CreateUsers,
		"url":          k.URL != "",
		"issuer":       k.Issuer != "",
		"client_id":    k.ClientID != "",
		"user_claim":   k.UserClaim != "",
		"certificate":  k.Certificate != "",
		"user_field":   k.UserField != "",
		"ca":           k.CA != "",
		"ca_name":      k.CAName != "",
		"ca_key":       k.CAKey != "",
	}
}

// A Key is one of a tenant's keys. Two of a kind may be good at once, as in a rotation (RotateKey).
type Key struct {
	ID     string   `json:"id"`
	Tenant TenantID `json:"-"`
	KeySpec
	Hash      []byte    `json:"-"` // SHA-256 of an API key's text
	CreatedAt time.Time `json:"created_at"`
	LastUsed  time.Time `json:"last_used,omitzero"` // to the minute
	EndsAt    time.Time `json:"ends_at,omitzero"`   // of one that was rotated
	RemovedAt time.Time `json:"-"`                  // zero: it is good
}

// A KeySecret is what is shown once, when a key is made. What a kind has none of is empty.
type KeySecret struct {
	APIKey Secret
	Creds  Secret // a .creds file
}

// usedEvery is how fine LastUsed is: a key costs at most one write in that time.
const usedEvery = time.Minute

// keyIDLength is the length of a key's id, of the characters of lower-case base32.
const keyIDLength = 12

func newKeyID() string { return strings.ToLower(rand.Text()[:keyIDLength]) }

// ParseKeyID parses the id of a key; field names it in the error.
func ParseKeyID(field, s string) (string, error) {
	ok := len(s) == keyIDLength
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= 'a' && s[i] <= 'z' || s[i] >= '2' && s[i] <= '7'
	}
	if !ok {
		return "", Invalid(field, fmt.Sprintf("must be %d characters of a-z and 2-7", keyIDLength))
	}
	return s, nil
}

// parse checks what is said of a key. Its URLs must be public unless private ones are allowed.
func (k *KeySpec) parse(privateURLs bool) (keyRules, error) {
	f := faults{}
	f.check(k.Name != "", "name", "must not be empty")
	checkText(f, "name", k.Name)
	rules, ok := keyKinds[k.Kind]
	if !ok {
		f["kind"] = "must be one of " + strings.Join(kindNames(), ", ")
		return rules, f.err()
	}
	for field, given := range k.fields() {
		f.check(!given || slices.Contains(rules.takes, field), field, "is no field of a key of kind "+string(k.Kind))
	}
	rules.check(k, f)
	for field, s := range map[string]string{"url": k.URL, "issuer": k.Issuer} {
		if s != "" && !privateURLs {
			checkPublicURL(f, field, s)
		}
	}
	return rules, f.err()
}

func kindNames() []string {
	var names []string
	for kind := range maps.Keys(keyKinds) {
		names = append(names, string(kind))
	}
	slices.Sort(names)
	return names
}

// AddKey makes a key of a tenant. What it shows is shown this once.
func (s *Service) AddKey(ctx context.Context, a Actor, t TenantID, spec KeySpec) (Key, KeySecret, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return Key{}, KeySecret{}, err
	}
	rules, err := spec.parse(s.privateURLs)
	if err != nil {
		return Key{}, KeySecret{}, err
	}
	k, secret := rules.make(t, spec, s.clock())
	err = s.write(ctx, a, t, func(tx Tx, row Tenant) error {
		return s.insertKey(ctx, tx, a, row, &k, &secret)
	})
	if err != nil {
		return Key{}, KeySecret{}, err
	}
	if err := s.pushKeys(ctx, t, rules); err != nil {
		return Key{}, KeySecret{}, later("the key is kept", err)
	}
	return k, secret, nil
}

// insertKey adds a key within a transaction; pushKeys comes after it.
func (s *Service) insertKey(ctx context.Context, tx Tx, a Actor, row Tenant, k *Key, secret *KeySecret) error {
	rules := keyKinds[k.Kind]
	n, err := tx.CountKeys(ctx, row.ID, k.Kind)
	if err != nil {
		return err
	}
	if n >= rules.most {
		return Errorf(CodeLimitReached, "the tenant has %d keys of kind %s, which is the most; remove some", n, k.Kind)
	}
	if err := tx.InsertKey(ctx, *k); err != nil {
		return err
	}
	if rules.added != nil {
		if *secret, err = rules.added(ctx, s, tx, row, k); err != nil {
			return err
		}
	}
	if rules.claimed {
		if err := tx.Enqueue(ctx, PushClaims{row.ID}, time.Time{}); err != nil {
			return err
		}
	}
	return audit(ctx, tx, a, k.CreatedAt, row.ID, "key.add", "key:"+k.ID, nil, *k)
}

// pushKeys brings the servers the keys of a kind that stands in the claims.
func (s *Service) pushKeys(ctx context.Context, t TenantID, rules keyRules) error {
	if !rules.claimed {
		return nil
	}
	return s.accounts.Push(ctx, t)
}

func (r keyRules) make(t TenantID, spec KeySpec, now time.Time) (k Key, secret KeySecret) {
	k = Key{ID: newKeyID(), Tenant: t, KeySpec: spec, CreatedAt: now}
	if r.issue != nil {
		secret = r.issue(&k)
	}
	return k, secret
}

// Keys lists the keys of a tenant by id, without those that were removed.
func (s *Service) Keys(ctx context.Context, a Actor, t TenantID, p Page) ([]Key, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	return s.store.Keys(ctx, t, p)
}

// Key returns a key of a tenant that was not removed.
func (s *Service) Key(ctx context.Context, a Actor, t TenantID, id string) (Key, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return Key{}, err
	}
	return s.store.Key(ctx, t, id)
}

// RemoveKey ends a key: from the commit on it lets nobody in, and what was opened with it is closed.
func (s *Service) RemoveKey(ctx context.Context, a Actor, t TenantID, id string) error {
	var gone removedKey
	err := s.write(ctx, a, t, func(tx Tx, row Tenant) (err error) {
		gone, err = s.removeKey(ctx, tx, a, row, id, s.clock())
		return err
	})
	if err != nil {
		return err
	}
	return s.closeRemoved(ctx, gone)
}

// A removedKey is a key that is removed, and what it opened is to be closed.
type removedKey struct {
	tenant      Tenant
	key         Key
	credentials []Credential // that came with it
}

// removeKey ends a key within a transaction; closeRemoved comes after it.
func (s *Service) removeKey(ctx context.Context, tx Tx, a Actor, row Tenant, id string, now time.Time) (gone removedKey, err error) {
	gone.tenant = row
	if gone.key, err = tx.RemoveKey(ctx, row.ID, id, now); err != nil {
		return gone, err
	}
	if keyKinds[gone.key.Kind].claimed {
		if err := tx.Enqueue(ctx, PushClaims{row.ID}, time.Time{}); err != nil {
			return gone, err
		}
	}
	if err := s.sweepLater(ctx, tx, SweepKey{row.ID, id}, now); err != nil {
		return gone, err
	}
	if gone.credentials, err = s.endCredentialsOf(ctx, tx, gone.key, now); err != nil {
		return gone, err
	}
	return gone, audit(ctx, tx, a, now, row.ID, "key.remove", "key:"+id, gone.key, nil)
}

// closeRemoved closes what a removed key opened.
func (s *Service) closeRemoved(ctx context.Context, gone removedKey) error {
	err := s.pushKeys(ctx, gone.tenant.ID, keyKinds[gone.key.Kind]) // first, or what is closed comes back
	_, errKick := s.accounts.KickProof(ctx, gone.tenant.Account, Proof{Key: gone.key.ID})
	err = errors.Join(err, errKick)
	for _, c := range gone.credentials {
		_, errEnd := s.end(ctx, gone.tenant, c)
		err = errors.Join(err, errEnd)
	}
	if err != nil {
		return later("the key is removed and lets nobody in", err)
	}
	return nil
}

// SweepKey closes what is still open of a removed key. Keys never come back, so there is no row to read.
func (s *Service) SweepKey(ctx context.Context, j SweepKey) error {
	t, err := s.store.Tenant(ctx, j.Tenant)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.accounts.KickProof(ctx, t.Account, Proof{Key: j.Key})
	if ValidUserNKey(j.Key) { // by which the servers know who was signed by his tenant
		_, errKick := s.accounts.Kick(ctx, t.Account, UserID(j.Key), time.Time{})
		err = errors.Join(err, errKick)
	}
	return err
}

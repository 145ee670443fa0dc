package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// How long a key that was rotated may stay good beside the new one.
const (
	DefaultOverlap = 7 * 24 * time.Hour
	maxOverlap     = 90 * 24 * time.Hour
)

// A Rotation says what a key is replaced by: one of the same kind, name and rights. Which of the
// fields a kind takes stands in its rules; kinds that show a secret take none, and make a new one.
type Rotation struct {
	// How long the old key stays good; 0: it ends at once; absent: DefaultOverlap.
	OverlapSeconds *int64 `json:"overlap_seconds,omitempty"`
	Alg            string `json:"alg,omitempty"`
	PublicKey      string `json:"public_key,omitempty"`
	URL            string `json:"url,omitempty"`
	ClientID       string `json:"client_id,omitempty"`
	Certificate    string `json:"certificate,omitempty"`
}

func (r *Rotation) overlap() time.Duration {
	if r.OverlapSeconds == nil {
		return DefaultOverlap
	}
	return time.Duration(*r.OverlapSeconds) * time.Second
}

// Renewed are the fields that a rotation of a key of the kind takes; the first must be new.
func (k KeyKind) Renewed() []string { return keyKinds[k].renew }

// of tells the spec of the key that takes an old one's place, and checks it.
func (r *Rotation) of(old KeySpec, privateURLs bool) (KeySpec, keyRules, error) {
	f, spec := faults{}, old
	spec.CA, spec.CAName, spec.CAKey = "", "", "" // they follow from the certificate
	renew := old.Kind.Renewed()
	for field, change := range map[string]struct {
		to   *string
		want string
	}{
		"alg":         {&spec.Alg, r.Alg},
		"public_key":  {&spec.PublicKey, r.PublicKey},
		"url":         {&spec.URL, r.URL},
		"client_id":   {&spec.ClientID, r.ClientID},
		"certificate": {&spec.Certificate, r.Certificate},
	} {
		f.check(change.want == "" || slices.Contains(renew, field), field, "is no field of a rotation of a key of kind "+string(old.Kind))
		if len(renew) > 0 && field == renew[0] {
			f.check(change.want != "", field, "must be given: it is what a rotation renews")
		}
		if change.want != "" {
			*change.to = change.want
		}
	}
	if s := r.OverlapSeconds; s != nil {
		f.check(*s >= 0 && *s <= int64(maxOverlap/time.Second), "overlap_seconds", fmt.Sprintf("must be 0 to %d, which are 90 days", int64(maxOverlap/time.Second)))
	}
	if err := f.err(); err != nil {
		return spec, keyRules{}, err
	}
	rules, err := spec.parse(privateURLs)
	if err == nil && len(renew) > 0 && spec.material() == old.material() {
		err = Invalid(renew[0], "is the old key’s; give a new one")
	}
	return spec, rules, err
}

// material is what tokens and certificates are checked with.
func (k *KeySpec) material() string { return k.PublicKey + k.URL + k.ClientID + k.Certificate }

// A RotatedKey is what a rotation made, and what becomes of the old key.
type RotatedKey struct {
	New    Key
	Secret KeySecret
	EndsAt time.Time // of the old key; it is over where there was no overlap
}

// RotateKey replaces a key by a new one. The old one is removed when the overlap is over; one
// that ends already is CodeConflict.
func (s *Service) RotateKey(ctx context.Context, a Actor, t TenantID, id string, r Rotation) (RotatedKey, error) {
	now := s.clock()
	var made RotatedKey
	var gone removedKey
	var rules keyRules
	err := s.write(ctx, a, t, func(tx Tx, row Tenant) error {
		old, err := tx.Key(ctx, t, id)
		if err != nil {
			return err
		}
		if !old.EndsAt.IsZero() {
			return Errorf(CodeConflict, "the key was rotated, and ends at %s; rotate the new one, or remove this one", old.EndsAt.Format(time.RFC3339))
		}
		var spec KeySpec
		if spec, rules, err = r.of(old.KeySpec, s.privateURLs); err != nil {
			return err
		}
		made.EndsAt = now.Add(r.overlap())
		if gone, err = s.endRotated(ctx, tx, a, row, old, now, made.EndsAt); err != nil {
			return err
		}
		made.New, made.Secret = rules.make(t, spec, now)
		return s.insertKey(ctx, tx, a, row, &made.New, &made.Secret)
	})
	if err != nil {
		return RotatedKey{}, err
	}
	if gone.key.ID != "" {
		err = s.closeRemoved(ctx, gone)
	} else if err = s.pushKeys(ctx, t, rules); err != nil {
		err = later("the new key is kept", err)
	}
	return made, err
}

// endRotated removes the old key, or says when it ends.
func (s *Service) endRotated(ctx context.Context, tx Tx, a Actor, row Tenant, old Key, now, end time.Time) (removedKey, error) {
	if !end.After(now) {
		return s.removeKey(ctx, tx, a, row, old.ID, now)
	}
	after := old
	after.EndsAt = end
	return removedKey{}, errors.Join(
		tx.SetKeyEnd(ctx, row.ID, old.ID, end),
		tx.Enqueue(ctx, EndKey{row.ID, old.ID}, end),
		audit(ctx, tx, a, now, row.ID, "key.rotate", "key:"+old.ID, old, after),
	)
}

// EndKey removes a key whose overlap with the new one is over.
func (s *Service) EndKey(ctx context.Context, j EndKey) error {
	var gone removedKey
	err := s.store.Write(ctx, j.Tenant, func(tx Tx, row Tenant) (err error) {
		gone, err = s.removeKey(ctx, tx, platform, row, j.Key, s.clock())
		return err
	})
	if errors.Is(err, ErrNotFound) { // somebody removed it before
		return nil
	}
	if err != nil {
		return err
	}
	return s.closeRemoved(ctx, gone)
}

package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"time"
)

// A Handle is how an issuer names a user: by the id, or, where the name can be none, by the external id.
type Handle struct {
	ID       UserID
	External string
}

// handlePrefix begins the ids of users that were made from external ids. No issuer can name
// them by these: one whose users choose their names could else take over another's.
const handlePrefix = "ext-"

// ParseHandle reads an issuer's name of a user; false where it names nobody.
func ParseHandle(s string) (Handle, bool) {
	if id, err := ParseUserID("", s); err == nil {
		return Handle{ID: id}, !strings.HasPrefix(s, handlePrefix)
	}
	f := faults{}
	checkText(f, "", s)
	return Handle{External: s}, s != "" && len(f) == 0 && s != System
}

// String is the name as the issuer gave it.
func (h Handle) String() string {
	if h.External != "" {
		return h.External
	}
	return string(h.ID)
}

// userID is the id of the user that is made of a handle: always the same for the same handle.
func (h Handle) userID() UserID {
	if h.External == "" {
		return h.ID
	}
	sum := sha256.Sum256([]byte(h.External))
	return UserID(handlePrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])))
}

// A Newcomer is a user to be, whom a token names that one of the tenant's keys signed.
type Newcomer struct {
	Handle Handle
	Key    string // id of the key
	Name   string // for people; "": the handle
}

// Welcome makes the user of a newcomer. One who is there already, as when two of his devices
// came at once, stays as he is. A deleted user is forbidden: whoever deleted him shall not meet
// him again by a token. The tenant's limit of users holds.
func (s *Service) Welcome(ctx context.Context, t TenantID, n Newcomer) error {
	now := s.clock()
	var row Tenant
	var first bool
	a := Actor{kind: actorKey, id: n.Key, tenant: t}
	err := s.store.Write(ctx, t, func(tx Tx, r Tenant) error {
		row, first = r, false
		if err := writable(a, r); err != nil {
			return err
		}
		key, err := tx.Key(ctx, t, n.Key)
		if err != nil {
			return err
		}
		user := n.user(t, key, now)
		before, err := tx.UserRow(ctx, t, user.ID)
		switch {
		case err == nil && before.Status == UserDeleted:
			return Errorf(CodeForbidden, "the user was deleted; make them again to let them in")
		case err == nil:
			return nil
		case !errors.Is(err, ErrNotFound):
			return err
		}
		if first, err = s.roomForUser(ctx, tx, r); err != nil {
			return err
		}
		return s.putUser(ctx, tx, a, now, "user.create", nil, user)
	})
	if err != nil || !first {
		return err
	}
	return s.ensureStream(ctx, row, Std)
}

// user counts no token of the key as too old: before the key there was none, and another
// device of the same user may come with an earlier token than the first.
func (n Newcomer) user(t TenantID, k Key, now time.Time) User {
	u := User{
		Tenant: t, ID: n.Handle.userID(), ExternalID: n.Handle.External, Kind: Person, Name: n.Name, Status: UserActive,
		CreatedAt: now, TokensFrom: k.CreatedAt,
	}
	f := faults{}
	if checkText(f, "", u.Name); u.Name == "" || len(f) > 0 {
		u.Name = n.Handle.String()
	}
	return u
}

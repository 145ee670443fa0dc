package tenant

import (
	"context"
	"errors"
	"time"
)

// A Passkey is a key that an authenticator holds for a person. The authenticator asks for a
// finger, a face or a PIN before it signs: so it stands for a password, and needs none.
type Passkey struct {
	ID         string // names it in lists
	Person     PersonID
	Credential []byte // what the authenticator calls it
	PublicKey  []byte // COSE, RFC 9052
	Counter    uint32 // of its signatures; 0 where the authenticator counts none
	Synced     bool   // it may be on several devices
	Name       string
	CreatedAt  time.Time
	UsedAt     time.Time // zero: never
}

// A NewPasskey is what an authenticator answers that made a passkey, before anything of it is believed.
type NewPasskey interface {
	Challenge() Secret // the one that it says it answers
	// Open returns the passkey's credential, key, counter and whether it is synced, if it was made for
	// this site and the person.
	Open(who PersonID) (Passkey, error)
}

// A PasskeyAnswer is what an authenticator signed for a login, before anything of it is believed.
type PasskeyAnswer interface {
	Challenge() Secret
	Credential() []byte
	Person() PersonID
	// Check returns the counter if the passkey signed this for this site and its person was verified.
	Check(p Passkey) (counter uint32, err error)
}

// A Challenge is what an authenticator must sign. It is answered once, or never.
type Challenge struct {
	Hash      []byte // SHA-256
	Login     string // of who adds a passkey; empty: somebody logs in
	ExpiresAt time.Time
}

const (
	// ChallengeLife is how long an authenticator has to answer.
	ChallengeLife = 5 * time.Minute
	// FreshLogin is how long after a login a person is not asked for the password again to add a passkey.
	FreshLogin = 10 * time.Minute
	// MaxPasskeys of a person.
	MaxPasskeys = 20
)

// errPasskey is all that is said of a passkey that opens nothing, for whatever reason.
func errPasskey() error {
	return Errorf(CodeUnauthorized, "this passkey does not open an account here, or it took too long; try again, or log in with your password")
}

// PasskeyChallenge makes what a passkey must sign to log in.
func (p *People) PasskeyChallenge(ctx context.Context) (Secret, error) { return p.challenge(ctx, "") }

func (p *People) challenge(ctx context.Context, login string) (Secret, error) {
	now := p.clock()
	_, secret, hash := newSecret()
	return secret, p.store.Create(ctx, func(tx Tx) error {
		return tx.InsertChallenge(ctx, Challenge{Hash: hash, Login: login, ExpiresAt: now.Add(ChallengeLife)}, now)
	})
}

// takeChallenge ends a challenge, whatever its answer turns out to be worth.
func (p *People) takeChallenge(ctx context.Context, secret Secret, login string) error {
	return p.store.Create(ctx, func(tx Tx) error {
		return tx.UseChallenge(ctx, hashSecret(secret), login, p.clock())
	})
}

// LogInByPasskey starts a session of the person whose passkey signed a challenge.
func (p *People) LogInByPasskey(ctx context.Context, a PasskeyAnswer, from Browser) (Secret, error) {
	err := p.takeChallenge(ctx, a.Challenge(), "")
	if err == nil {
		var session Secret
		if session, err = p.openWith(ctx, a, from); err == nil {
			return session, nil
		}
	}
	if errors.Is(err, ErrNotFound) {
		err = errPasskey()
	}
	return "", err
}

// openWith is ErrNotFound or errPasskey where the passkey opens nothing.
func (p *People) openWith(ctx context.Context, a PasskeyAnswer, from Browser) (Secret, error) {
	key, err := p.store.Passkey(ctx, a.Credential())
	if err != nil {
		return "", err
	}
	if key.Person != a.Person() {
		return "", errPasskey()
	}
	counter, err := a.Check(key)
	if err != nil {
		return "", errPasskey()
	}
	who, err := p.store.Profile(ctx, key.Person)
	if err != nil {
		return "", err
	}
	session, err := p.start(ctx, who, from, "passkey", func(tx Tx, now time.Time) error {
		if _, err := tx.HoldProfile(ctx, who.ID); err != nil { // before the passkey, in the order of those who remove one
			return err
		}
		return tx.UsePasskey(ctx, key.ID, counter, now)
	})
	if errors.Is(err, ErrNotFound) { // a counter that stands still: there are two of what there must be one of
		err = errors.Join(err, p.noteRefused(ctx, who, key, counter, from))
	}
	return session, err
}

func (p *People) noteRefused(ctx context.Context, who Profile, key Passkey, counter uint32, from Browser) error {
	return p.store.Create(ctx, func(tx Tx) error {
		after := map[string]any{"address": from.Address, "passkey": key.ID, "counter": counter, "before": key.Counter}
		return audit(ctx, tx, platform, p.clock(), "", "passkey.refuse", "person:"+who.Email, nil, after)
	})
}

// Fresh reports whether a session began so lately that its person need not prove again who they are.
func (p *People) Fresh(s Principal) bool { return p.clock().Sub(s.Login.CreatedAt) < FreshLogin }

// confirm has a person prove again that he is there, and not somebody at his open session.
func (p *People) confirm(ctx context.Context, s Principal, password Secret) error {
	if p.Fresh(s) {
		return nil
	}
	if s.Profile.PasswordHash == "" {
		return Errorf(CodeForbidden, "you logged in too long ago for this; log out, log in again, then try again")
	}
	ok, err := p.passwords.Matches(ctx, password, s.Profile.PasswordHash)
	if err == nil && !ok {
		err = Invalid("password", "is not your password")
	}
	return err
}

// NewPasskeyChallenge makes what an authenticator must sign to become another of the person's, which
// are returned too. The password is looked at where their login is not fresh.
func (p *People) NewPasskeyChallenge(ctx context.Context, s Principal, password Secret) (Secret, []Passkey, error) {
	if err := p.confirm(ctx, s, password); err != nil {
		return "", nil, err
	}
	has, err := p.store.Passkeys(ctx, s.Profile.ID)
	if err != nil {
		return "", nil, err
	}
	if len(has) >= MaxPasskeys {
		return "", nil, Errorf(CodeLimitReached, "you have %d passkeys, which is as many as there can be; remove one first", len(has))
	}
	secret, err := p.challenge(ctx, s.Login.ID)
	return secret, has, err
}

// Passkeys lists the person's, the oldest first.
func (p *People) Passkeys(ctx context.Context, s Principal) ([]Passkey, error) {
	return p.store.Passkeys(ctx, s.Profile.ID)
}

func parsePasskeyName(name string) (string, error) {
	if name == "" {
		name = "Passkey"
	}
	f := faults{}
	checkText(f, "name", name)
	return name, f.err()
}

// AddPasskey gives the person the passkey that an authenticator made for a challenge of this session.
func (p *People) AddPasskey(ctx context.Context, s Principal, name string, a NewPasskey) error {
	name, err := parsePasskeyName(name)
	if err != nil {
		return err
	}
	err = p.takeChallenge(ctx, a.Challenge(), s.Login.ID)
	if errors.Is(err, ErrNotFound) {
		return Errorf(CodeConflict, "it took too long, or was done already; look at the list, then try again")
	}
	if err != nil {
		return err
	}
	key, err := a.Open(s.Profile.ID)
	if err != nil {
		return Errorf(CodeInvalid, "what the browser sent is no passkey for this site; try again, or with another device")
	}
	key.ID, _, _ = newSecret()
	return p.own(ctx, s, func(tx Tx, who Profile, now time.Time) error {
		key.Person, key.Name, key.CreatedAt = who.ID, name, now
		if err := tx.InsertPasskey(ctx, key); err != nil {
			return err
		}
		return auditPasskey(ctx, tx, s, now, "passkey.add", key.ID, name)
	})
}

// RenamePasskey gives one of the person's passkeys another name.
func (p *People) RenamePasskey(ctx context.Context, s Principal, id, name string) error {
	name, err := parsePasskeyName(name)
	if err != nil {
		return err
	}
	return p.store.Create(ctx, func(tx Tx) error {
		if err := tx.RenamePasskey(ctx, s.Profile.ID, id, name); err != nil {
			return err
		}
		return auditPasskey(ctx, tx, s, p.clock(), "passkey.rename", id, name)
	})
}

// RemovePasskey ends one of the person's passkeys and all their sessions but this: whoever has the
// device may have begun one of them.
func (p *People) RemovePasskey(ctx context.Context, s Principal, id string) error {
	return p.own(ctx, s, func(tx Tx, who Profile, now time.Time) error {
		if err := tx.DeletePasskey(ctx, who.ID, id); err != nil {
			return err
		}
		if err := tx.DeleteLogins(ctx, who.ID, s.Login.ID); err != nil {
			return err
		}
		return auditPasskey(ctx, tx, s, now, "passkey.remove", id, "")
	})
}

func auditPasskey(ctx context.Context, tx Tx, s Principal, now time.Time, action, id, name string) error {
	after := map[string]string{"passkey": id}
	if name != "" {
		after["name"] = name
	}
	return audit(ctx, tx, actorOf(s.Profile), now, "", action, "person:"+s.Profile.Email, nil, after)
}

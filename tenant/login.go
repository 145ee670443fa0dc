package tenant

import (
	"context"
	"errors"
	"time"
)

// A Browser is what is known of where a login comes from.
type Browser struct {
	Address string
	Agent   string
}

func newLogin(p PersonID, from Browser, now time.Time) (Login, Secret) {
	l := Login{Person: p, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(LoginLife), Address: from.Address, Agent: cut(from.Agent, maxText)}
	var secret Secret
	l.ID, secret, l.Hash = newSecret()
	return l, secret
}

// cut shortens what a client says of itself to n bytes that can be kept.
func cut(s string, n int) string {
	b := make([]byte, 0, min(len(s), n))
	for i := 0; i < len(s) && len(b) < n; i++ {
		if s[i] >= ' ' && s[i] < 0x7f {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func errLogin() error {
	return Errorf(CodeUnauthorized, "the e-mail address or the password is wrong")
}

// LogIn starts a session. An address that nobody has takes as long and is told the same.
func (p *People) LogIn(ctx context.Context, email string, password Secret, from Browser) (Secret, error) {
	email = parseEmail(faults{}, "email", email)
	who, err := p.store.ProfileByEmail(ctx, email)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	ok, err := p.passwords.Matches(ctx, password, who.PasswordHash)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errLogin()
	}
	return p.start(ctx, who, from, "password", func(tx Tx, _ time.Time) error {
		held, err := tx.HoldProfile(ctx, who.ID) // hashing takes its time: the password may be another by now
		if err == nil && held.PasswordHash != who.PasswordHash {
			err = errLogin()
		}
		return err
	})
}

// start begins a session of a person whose proof holds, with what goes with the proof.
func (p *People) start(ctx context.Context, who Profile, from Browser, method string, also func(tx Tx, now time.Time) error) (Secret, error) {
	now := p.clock()
	login, secret := newLogin(who.ID, from, now)
	err := p.store.Create(ctx, func(tx Tx) error {
		if err := also(tx, now); err != nil {
			return err
		}
		return insertLogin(ctx, tx, who, login, method, now)
	})
	return secret, err
}

func insertLogin(ctx context.Context, tx Tx, who Profile, login Login, method string, now time.Time) error {
	if err := tx.InsertLogin(ctx, login); err != nil {
		return err
	}
	after := map[string]string{"address": login.Address, "method": method, "login": login.ID}
	return audit(ctx, tx, actorOf(who), now, "", "person.login", "person:"+who.Email, nil, after)
}

// own runs a change that a session's person makes of how they log in. It holds the person's row, and
// refuses a session that has ended: whoever ended it wants nothing more to come of it.
func (p *People) own(ctx context.Context, s Principal, fn func(tx Tx, who Profile, now time.Time) error) error {
	return p.store.Create(ctx, func(tx Tx) error {
		who, err := tx.HoldProfile(ctx, s.Profile.ID)
		if err != nil {
			return err
		}
		if err := mustHaveLogin(ctx, tx, s); err != nil {
			return err
		}
		return fn(tx, who, p.clock())
	})
}

func mustHaveLogin(ctx context.Context, tx Tx, s Principal) error {
	there, err := tx.HasLogin(ctx, s.Profile.ID, s.Login.ID)
	if err == nil && !there {
		err = Errorf(CodeUnauthorized, "log in first")
	}
	return err
}

// seenEvery is how exactly the last request of a login is known.
const seenEvery = time.Minute

// Principal finds who asks by the secret of his cookie. One that is over, or none, is unauthorized.
func (p *People) Principal(ctx context.Context, secret Secret) (Principal, error) {
	now := p.clock()
	s, err := p.store.Principal(ctx, hashSecret(secret), now)
	if errors.Is(err, ErrNotFound) {
		return Principal{}, Errorf(CodeUnauthorized, "log in first")
	}
	if err == nil && now.Sub(s.Login.SeenAt) > seenEvery {
		err = p.store.TouchLogin(ctx, s.Login.ID, now)
	}
	return s, err
}

// LogOut ends a session.
func (p *People) LogOut(ctx context.Context, s Principal) error {
	return p.EndLogin(ctx, s, s.Login.ID)
}

// Logins lists the open sessions of the person.
func (p *People) Logins(ctx context.Context, s Principal) ([]Login, error) {
	return p.store.Logins(ctx, s.Profile.ID, p.clock())
}

// EndLogin ends one session of the person.
func (p *People) EndLogin(ctx context.Context, s Principal, id string) error {
	return p.store.Create(ctx, func(tx Tx) error {
		if err := tx.DeleteLogin(ctx, s.Profile.ID, id); err != nil {
			return err
		}
		return audit(ctx, tx, actorOf(s.Profile), p.clock(), "", "person.logout", "person:"+s.Profile.Email, nil, map[string]string{"login": id})
	})
}

// EndOtherLogins ends all sessions of the person but the one that asks.
func (p *People) EndOtherLogins(ctx context.Context, s Principal) error {
	return p.store.Create(ctx, func(tx Tx) error {
		if err := tx.DeleteLogins(ctx, s.Profile.ID, s.Login.ID); err != nil {
			return err
		}
		return audit(ctx, tx, actorOf(s.Profile), p.clock(), "", "person.logout", "person:"+s.Profile.Email, nil, map[string]string{"login": "all others"})
	})
}

// ChangePassword sets another password and ends all sessions; the answer is the secret of a new one.
func (p *People) ChangePassword(ctx context.Context, s Principal, old, password Secret, from Browser) (Secret, error) {
	f := faults{}
	checkPassword(f, password)
	if err := f.err(); err != nil {
		return "", err
	}
	if s.Profile.PasswordHash == "" { // they log in by other means, and may have done so just now
		if err := p.confirm(ctx, s, ""); err != nil {
			return "", err
		}
	} else {
		ok, err := p.passwords.Matches(ctx, old, s.Profile.PasswordHash)
		if err != nil {
			return "", err
		}
		if !ok {
			return "", Invalid("old", "is not your password")
		}
	}
	hash, err := p.passwords.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	return p.setPassword(ctx, s.Profile.ID, hash, from, "password", func(tx Tx, who Profile, _ time.Time) error {
		if who.PasswordHash != s.Profile.PasswordHash {
			return Invalid("old", "is not your password any more")
		}
		return mustHaveLogin(ctx, tx, s)
	})
}

// setPassword ends all sessions of a person whose proof holds, and starts one. proof runs with the person's row held.
func (p *People) setPassword(ctx context.Context, id PersonID, hash Secret, from Browser, method string, proof func(tx Tx, who Profile, now time.Time) error) (Secret, error) {
	now := p.clock()
	login, secret := newLogin(id, from, now)
	err := p.store.Create(ctx, func(tx Tx) error {
		who, err := tx.HoldProfile(ctx, id)
		if err != nil {
			return err
		}
		if err := proof(tx, who, now); err != nil {
			return err
		}
		who.PasswordHash = hash
		if err := tx.UpdateProfile(ctx, who); err != nil {
			return err
		}
		if err := tx.DeleteLogins(ctx, who.ID, ""); err != nil {
			return err
		}
		if err := tx.InsertLogin(ctx, login); err != nil {
			return err
		}
		return audit(ctx, tx, actorOf(who), now, "", "person.password", "person:"+who.Email, nil, map[string]string{"address": from.Address, "by": method})
	})
	return secret, err
}

// RecoveryLink makes a link by which a person sets a new password. Operators hand it to who lost his.
func (p *People) RecoveryLink(ctx context.Context, s Principal, email string) (Secret, error) {
	operator, err := s.Operator()
	if err != nil {
		return "", err
	}
	who, err := p.store.ProfileByEmail(ctx, email)
	if err != nil {
		return "", err
	}
	now := p.clock()
	link, secret := newLink(Link{Kind: LinkRecovery, Person: who.ID, By: operator.String()}, now, recoveryLinkLife)
	err = p.store.Create(ctx, func(tx Tx) error {
		if err := tx.InsertLink(ctx, link); err != nil {
			return err
		}
		return audit(ctx, tx, operator, now, "", "person.recovery", "person:"+who.Email, nil, map[string]string{"link": link.ID})
	})
	return secret, err
}

// Recover sets a new password by a link, ends all sessions and starts one.
func (p *People) Recover(ctx context.Context, link, password Secret, from Browser) (Secret, error) {
	l, err := p.Link(ctx, link)
	if err != nil {
		return "", err
	}
	if l.Kind != LinkRecovery {
		return "", errLink()
	}
	f := faults{}
	checkPassword(f, password)
	if err := f.err(); err != nil {
		return "", err
	}
	hash, err := p.passwords.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	return p.setPassword(ctx, l.Person, hash, from, "link", func(tx Tx, _ Profile, now time.Time) error {
		_, err := tx.UseLink(ctx, l.Hash, now)
		if errors.Is(err, ErrNotFound) {
			return errLink()
		}
		return err
	})
}

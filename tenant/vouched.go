package tenant

import (
	"context"
	"errors"
	"time"
)

// Vouched is what the operator's login provider says of who logs in there. It is believed: that the
// provider said so has been checked.
type Vouched struct {
	Issuer   string
	Subject  string // names the person at the issuer, for ever
	Email    string
	Verified bool // the provider has seen that they read its mail
	Name     string
}

// A PersonIdentity is a person as the operator's login provider means them.
type PersonIdentity struct {
	Issuer   string
	Subject  string
	Person   PersonID
	LinkedAt time.Time
}

const maxSubject = 255 // OpenID Connect Core, section 2

// Arrival is what became of somebody whom the provider vouched for.
type Arrival string

// What can become of them.
const (
	ArrivedKnown  Arrival = "known"  // was here before
	ArrivedLinked Arrival = "linked" // had an account of this address, which now is the provider's
	ArrivedNew    Arrival = "new"    // is new
)

// LogInVouched starts a session of a person whom the provider vouches for. Whoever has an account of
// their verified address, made by whomever, loses it to them: its password, passkeys, codes, links and
// sessions end, since nobody ever proved to Parley that the address is theirs. Who is new is signed up by the
// link, which stays as it is where they are not; "" where there is none.
func (p *People) LogInVouched(ctx context.Context, v Vouched, link Secret, from Browser) (Secret, Arrival, error) {
	if err := v.parse(); err != nil {
		return "", "", err
	}
	secret, err := p.logInKnown(ctx, v, from)
	if !errors.Is(err, ErrNotFound) {
		return secret, ArrivedKnown, err
	}
	secret, arrival, err := p.arrive(ctx, v, link, from)
	if err != nil {
		// Another tab of theirs may have come first.
		if secret, errKnown := p.logInKnown(ctx, v, from); errKnown == nil {
			return secret, ArrivedKnown, nil
		}
	}
	return secret, arrival, err
}

// logInKnown starts a session of somebody who came by the provider before.
func (p *People) logInKnown(ctx context.Context, v Vouched, from Browser) (Secret, error) {
	who, err := p.store.ProfileByIdentity(ctx, v.Issuer, v.Subject)
	if err != nil {
		return "", err
	}
	return p.start(ctx, who, from, "provider", func(Tx, time.Time) error { return nil })
}

// arrive starts a session of somebody who comes by the provider for the first time.
func (p *People) arrive(ctx context.Context, v Vouched, link Secret, from Browser) (Secret, Arrival, error) {
	who, err := p.store.ProfileByEmail(ctx, v.Email)
	if errors.Is(err, ErrNotFound) {
		secret, err := p.joinVouched(ctx, v, link, from)
		return secret, ArrivedNew, err
	}
	if err != nil {
		return "", "", err
	}
	secret, err := p.start(ctx, who, from, "provider", func(tx Tx, now time.Time) error { return takeOver(ctx, tx, who.ID, v, now) })
	return secret, ArrivedLinked, err
}

func (v *Vouched) parse() error {
	if v.Subject == "" || len(v.Subject) > maxSubject {
		return Errorf(CodeForbidden, "your login provider does not say who you are; tell whoever runs this server")
	}
	f := faults{}
	v.Email = parseEmail(f, "email", v.Email)
	if !v.Verified || f.err() != nil {
		return Errorf(CodeForbidden, "your login provider has not verified your e-mail address; do that there, then log in again")
	}
	checkText(f, "name", v.Name)
	if v.Name == "" || f.err() != nil {
		v.Name = v.Email
	}
	return nil
}

// takeOver gives an account to its address's owner, and ends all other ways into it.
func takeOver(ctx context.Context, tx Tx, id PersonID, v Vouched, now time.Time) error {
	who, err := tx.HoldProfile(ctx, id)
	if err != nil {
		return err
	}
	err = tx.InsertIdentity(ctx, PersonIdentity{Issuer: v.Issuer, Subject: v.Subject, Person: id, LinkedAt: now})
	if errors.Is(err, ErrConflict) {
		return Errorf(CodeConflict, "this e-mail address belongs to another account of your login provider; ask an operator to let go of that one")
	}
	if err != nil {
		return err
	}
	who.PasswordHash = ""
	if err := tx.UpdateProfile(ctx, who); err != nil {
		return err
	}
	if err := tx.EndWaysIn(ctx, id); err != nil {
		return err
	}
	return auditVouched(ctx, tx, who, v, now, "person.link")
}

func auditVouched(ctx context.Context, tx Tx, who Profile, v Vouched, now time.Time, action string) error {
	return audit(ctx, tx, actorOf(who), now, "", action, "person:"+who.Email, nil, map[string]string{"issuer": v.Issuer, "subject": v.Subject})
}

// joinVouched signs a person up, by a link or, where everybody may, without one.
func (p *People) joinVouched(ctx context.Context, v Vouched, link Secret, from Browser) (Secret, error) {
	if link != "" {
		if err := p.mayJoin(ctx, link); err != nil {
			return "", err
		}
	} else if p.signUp != SignUpOpen {
		return "", Errorf(CodeForbidden, "there is no account of your e-mail address here, and signing up needs a link; ask the operator, or an admin of your company, for one, and open it first")
	}
	now := p.clock()
	profile := Profile{ID: newPersonID(), Email: v.Email, Name: v.Name, Founder: p.signUp == SignUpOpen, CreatedAt: now}
	login, secret := newLogin(profile.ID, from, now)
	err := p.write(ctx, link, now, func(tx Tx, l Link) error {
		who, err := insertPerson(ctx, tx, profile, l, now)
		if err != nil {
			return err
		}
		if err = tx.InsertIdentity(ctx, PersonIdentity{Issuer: v.Issuer, Subject: v.Subject, Person: who.ID, LinkedAt: now}); err != nil {
			return err
		}
		if err = auditVouched(ctx, tx, who, v, now, "person.link"); err != nil {
			return err
		}
		return insertLogin(ctx, tx, who, login, "provider", now)
	})
	return secret, err
}

// Linked returns those of some people who log in by the provider, for an operator.
func (p *People) Linked(ctx context.Context, s Principal, of []PersonID) ([]PersonID, error) {
	if _, err := s.Operator(); err != nil {
		return nil, err
	}
	return p.store.Linked(ctx, of)
}

// Unlink lets an operator part a person from their account at the provider, where that was given up
// or the address is somebody else's now. All sessions of the person end.
func (p *People) Unlink(ctx context.Context, s Principal, email string) error {
	operator, err := s.Operator()
	if err != nil {
		return err
	}
	who, err := p.store.ProfileByEmail(ctx, NormalEmail(email))
	if err != nil {
		return err
	}
	return p.store.Create(ctx, func(tx Tx) error {
		if _, err := tx.HoldProfile(ctx, who.ID); err != nil {
			return err
		}
		if err := tx.DeleteIdentities(ctx, who.ID); err != nil {
			return err
		}
		if err := tx.DeleteLogins(ctx, who.ID, ""); err != nil {
			return err
		}
		return audit(ctx, tx, operator, p.clock(), "", "person.unlink", "person:"+who.Email, nil, nil)
	})
}

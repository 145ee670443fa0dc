package tenant

import (
	"context"
	"errors"
	"time"
)

// NewPerson is what somebody says who signs up.
type NewPerson struct {
	Email    string
	Name     string // "": the address
	Password Secret
}

func (n *NewPerson) parse() error {
	f := faults{}
	n.Email = parseEmail(f, "email", n.Email)
	if n.Name == "" {
		n.Name = n.Email
	}
	checkText(f, "name", n.Name)
	checkPassword(f, n.Password)
	return f.err()
}

// FirstOperator makes the link by which the first operator signs up, and takes back those made
// before. Where there is an operator already it makes none, and the secret is empty.
func (p *People) FirstOperator(ctx context.Context) (secret Secret, expires time.Time, err error) {
	there, err := p.store.HasOperator(ctx)
	if err != nil || there {
		return "", time.Time{}, err
	}
	now := p.clock()
	link, secret := newLink(Link{Kind: LinkOperator, By: "system"}, now, operatorLinkLife)
	err = p.store.Create(ctx, func(tx Tx) error {
		if err := tx.DeleteLinks(ctx, LinkOperator); err != nil {
			return err
		}
		return tx.InsertLink(ctx, link)
	})
	return secret, link.ExpiresAt, err
}

func newLink(l Link, now time.Time, life time.Duration) (Link, Secret) {
	var secret Secret
	l.ID, secret, l.Hash = newSecret()
	l.CreatedAt, l.ExpiresAt = now, now.Add(life)
	return l, secret
}

// errLink is all that is said of a link that does not work: whether there ever was one is nobody's business.
func errLink() error {
	return Errorf(CodeNotFound, "this link was used, has expired or was taken back; ask for a new one where you got it")
}

// Link returns what a link lets its holder do.
func (p *People) Link(ctx context.Context, secret Secret) (Link, error) {
	l, err := p.store.Link(ctx, hashSecret(secret), p.clock())
	if errors.Is(err, ErrNotFound) {
		err = errLink()
	}
	return l, err
}

// Join signs a person up, by a link or, where signing up is open, without one, and logs him in.
func (p *People) Join(ctx context.Context, link Secret, n NewPerson, from Browser) (Secret, error) {
	if link == "" && p.signUp != SignUpOpen {
		return "", Errorf(CodeForbidden, "signing up needs a link; ask the operator, or an admin of your company, for one")
	}
	if link != "" {
		if err := p.mayJoin(ctx, link); err != nil {
			return "", err
		}
	}
	if err := n.parse(); err != nil {
		return "", err
	}
	hash, err := p.passwords.Hash(ctx, n.Password)
	if err != nil {
		return "", err
	}
	now := p.clock()
	profile := Profile{ID: newPersonID(), Email: n.Email, Name: n.Name, PasswordHash: hash, Founder: p.signUp == SignUpOpen, CreatedAt: now}
	login, secret := newLogin(profile.ID, from, now)
	err = p.write(ctx, link, now, func(tx Tx, l Link) error {
		if _, err := insertPerson(ctx, tx, profile, l, now); err != nil {
			return err
		}
		return tx.InsertLogin(ctx, login)
	})
	return secret, err
}

// insertPerson writes a new person with what a link gives them.
func insertPerson(ctx context.Context, tx Tx, who Profile, l Link, now time.Time) (Profile, error) {
	who.Operator = l.Kind == LinkOperator
	who.Founder = who.Founder || who.Operator || l.Kind == LinkFounder
	if err := tx.InsertProfile(ctx, who); err != nil {
		return who, err
	}
	if err := takeSeat(ctx, tx, l, who, now); err != nil {
		return who, err
	}
	return who, audit(ctx, tx, actorOf(who), now, "", "person.join", "person:"+who.Email, nil, who)
}

func (p *People) mayJoin(ctx context.Context, link Secret) error {
	l, err := p.Link(ctx, link)
	switch {
	case err != nil:
		return err
	case l.Kind == LinkRecovery:
		return errLink()
	case l.Kind == LinkSeat && p.signUp == SignUpClosed:
		return Errorf(CodeForbidden, "signing up is closed; log in with an account that you have, then open the link again")
	}
	return nil
}

// write runs a change that a link allows. A link into a tenant holds the tenant's row.
func (p *People) write(ctx context.Context, link Secret, now time.Time, fn func(tx Tx, l Link) error) error {
	if link == "" {
		return p.store.Create(ctx, func(tx Tx) error { return fn(tx, Link{}) })
	}
	l, err := p.Link(ctx, link)
	if err != nil {
		return err
	}
	use := func(tx Tx) error {
		used, err := tx.UseLink(ctx, l.Hash, now)
		if errors.Is(err, ErrNotFound) {
			return errLink()
		}
		if err != nil {
			return err
		}
		return fn(tx, used)
	}
	if l.Tenant == "" {
		return p.store.Create(ctx, use)
	}
	err = p.store.Write(ctx, l.Tenant, func(tx Tx, row Tenant) error { return use(tx) })
	if errors.Is(err, ErrNotFound) {
		return errLink()
	}
	return err
}

// takeSeat carries out what a link into a tenant promises.
func takeSeat(ctx context.Context, tx Tx, l Link, who Profile, now time.Time) error {
	if l.Kind != LinkSeat {
		return nil
	}
	s := Seat{Tenant: l.Tenant, Person: who.ID, Email: who.Email, Name: who.Name, Role: l.Role, Since: now}
	if err := tx.PutSeat(ctx, s); err != nil {
		return err
	}
	return audit(ctx, tx, actorOf(who), now, l.Tenant, "seat.take", "person:"+who.Email, nil, s)
}

// Accept lets a person who is there use a link.
func (p *People) Accept(ctx context.Context, s Principal, link Secret) (Link, error) {
	now := p.clock()
	var used Link
	err := p.write(ctx, link, now, func(tx Tx, l Link) error {
		used = l
		before, err := tx.HoldProfile(ctx, s.Profile.ID)
		if err != nil {
			return err
		}
		who := before
		switch l.Kind {
		case LinkSeat:
			for _, seat := range s.Seats {
				if seat.Tenant == l.Tenant {
					return Errorf(CodeConflict, "you work for this tenant already; an owner or admin can change your role")
				}
			}
			return takeSeat(ctx, tx, l, who, now)
		case LinkOperator:
			who.Operator, who.Founder = true, true
		case LinkFounder:
			who.Founder = true
		default:
			return errLink()
		}
		if err := tx.UpdateProfile(ctx, who); err != nil {
			return err
		}
		return audit(ctx, tx, actorOf(who), now, "", "person.update", "person:"+who.Email, before, who)
	})
	return used, err
}

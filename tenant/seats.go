package tenant

import (
	"context"
	"time"
)

// Found makes a tenant for a person who may, and gives him the owner's seat.
func (p *People) Found(ctx context.Context, s Principal, n NewTenant) (Tenant, Secret, error) {
	if !s.Profile.Founder {
		return Tenant{}, "", Errorf(CodeForbidden, "you work for the tenants that you were invited to; ask the operator to make one for you")
	}
	if n.Limits != (Limits{}) {
		return Tenant{}, "", Invalid("limits", "are the operator's to give")
	}
	who := s.Profile
	return p.service.createTenant(ctx, actorOf(who), n, func(tx Tx, t Tenant) error {
		return tx.PutSeat(ctx, Seat{Tenant: t.ID, Person: who.ID, Email: who.Email, Name: who.Name, Role: SeatOwner, Since: t.CreatedAt})
	})
}

// Seats lists the people who work for a tenant, by address.
func (p *People) Seats(ctx context.Context, a Actor, t TenantID) ([]Seat, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return nil, err
	}
	return p.store.SeatsIn(ctx, t)
}

// Invite makes a link by which somebody comes to work for a tenant.
func (p *People) Invite(ctx context.Context, a Actor, t TenantID, role string) (Secret, Link, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return "", Link{}, err
	}
	parsed, err := ParseSeatRole(role)
	if err != nil {
		return "", Link{}, err
	}
	if parsed == SeatOwner {
		if err := a.allowOwner(t); err != nil {
			return "", Link{}, err
		}
	}
	now := p.clock()
	link, secret := newLink(Link{Kind: LinkSeat, Tenant: t, Role: parsed, By: a.String()}, now, inviteLinkLife)
	err = p.service.write(ctx, a, t, func(tx Tx, _ Tenant) error {
		if err := tx.InsertLink(ctx, link); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "seat.invite", "link:"+link.ID, nil, map[string]any{"role": parsed, "expires_at": link.ExpiresAt})
	})
	return secret, link, err
}

// Invitations lists the links into a tenant that can be used.
func (p *People) Invitations(ctx context.Context, a Actor, t TenantID) ([]Link, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return nil, err
	}
	return p.store.Links(ctx, t, p.clock())
}

// Uninvite takes a link back that was not used.
func (p *People) Uninvite(ctx context.Context, a Actor, t TenantID, id string) error {
	return p.service.write(ctx, a, t, func(tx Tx, _ Tenant) error {
		if err := tx.DeleteLink(ctx, t, id); err != nil {
			return err
		}
		return audit(ctx, tx, a, p.clock(), t, "seat.uninvite", "link:"+id, nil, nil)
	})
}

// SetSeat gives a person another role in a tenant.
func (p *People) SetSeat(ctx context.Context, a Actor, t TenantID, who PersonID, role string) error {
	parsed, err := ParseSeatRole(role)
	if err != nil {
		return err
	}
	return p.changeSeat(ctx, a, t, who, func(tx Tx, before Seat) error {
		after := before
		after.Role = parsed
		if err := tx.PutSeat(ctx, after); err != nil {
			return err
		}
		return audit(ctx, tx, a, p.clock(), t, "seat.update", "person:"+before.Email, before, after)
	}, parsed)
}

// RemoveSeat ends a person's work for a tenant; everybody may end his own.
func (p *People) RemoveSeat(ctx context.Context, a Actor, t TenantID, who PersonID) error {
	return p.changeSeat(ctx, a, t, who, func(tx Tx, before Seat) error {
		if err := tx.DeleteSeat(ctx, t, who); err != nil {
			return err
		}
		return audit(ctx, tx, a, p.clock(), t, "seat.remove", "person:"+before.Email, before, nil)
	}, "")
}

// changeSeat runs a change of a seat to another role ("": none). Owners are changed and named by
// owners, and the last one stays.
func (p *People) changeSeat(ctx context.Context, a Actor, t TenantID, who PersonID, fn func(tx Tx, before Seat) error, to SeatRole) error {
	if !a.Sees(t) {
		return NotFound("tenant")
	}
	return p.store.Write(ctx, t, func(tx Tx, row Tenant) error {
		if err := writable(a, row); err != nil {
			return err
		}
		seats, err := tx.SeatsIn(ctx, t)
		if err != nil {
			return err
		}
		before, owners := Seat{}, 0
		for _, s := range seats {
			if s.Role == SeatOwner {
				owners++
			}
			if s.Person == who {
				before = s
			}
		}
		switch {
		case before.Person == "":
			return NotFound("person")
		case to == "" && a.kind == actorPerson && a.id == before.Email: // leaves
		case before.Role == SeatOwner || to == SeatOwner:
			err = a.allowOwner(t)
		default:
			err = a.Allow(ScopeAdmin, t)
		}
		if err != nil {
			return err
		}
		if before.Role == SeatOwner && to != SeatOwner && owners == 1 {
			return Errorf(CodeConflict, "the last owner stays; make somebody else an owner first")
		}
		return fn(tx, before)
	})
}

// Profiles lists the people of the console for an operator.
func (p *People) Profiles(ctx context.Context, s Principal, page Page) ([]Profile, error) {
	if _, err := s.Operator(); err != nil {
		return nil, err
	}
	if err := page.check(); err != nil {
		return nil, err
	}
	return p.store.Profiles(ctx, page)
}

// OperatorLink makes a link by which somebody becomes an operator, or signs up and may make tenants.
func (p *People) OperatorLink(ctx context.Context, s Principal, kind LinkKind) (Secret, Link, error) {
	operator, err := s.Operator()
	if err != nil {
		return "", Link{}, err
	}
	life := inviteLinkLife
	switch kind {
	case LinkFounder:
	case LinkOperator:
		life = operatorLinkLife
	default:
		return "", Link{}, Invalid("kind", "must be operator or founder")
	}
	now := p.clock()
	link, secret := newLink(Link{Kind: kind, By: operator.String()}, now, life)
	err = p.store.Create(ctx, func(tx Tx) error {
		if err := tx.InsertLink(ctx, link); err != nil {
			return err
		}
		return audit(ctx, tx, operator, now, "", "link.create", "link:"+link.ID, nil, map[string]any{"kind": kind, "expires_at": link.ExpiresAt})
	})
	return secret, link, err
}

// VisitLife is how long an operator stays in a tenant before he has to say again why.
const VisitLife = time.Hour

// Enter lets an operator into a tenant, with an admin's rights, for VisitLife. The tenant's trail says so, and why.
func (p *People) Enter(ctx context.Context, s Principal, t TenantID, reason string) (Visit, error) {
	operator, err := s.Operator()
	if err != nil {
		return Visit{}, err
	}
	f := faults{}
	checkText(f, "reason", reason)
	f.check(len(reason) >= 3, "reason", "say why, in some words: the tenant's people read it in their audit trail")
	if err := f.err(); err != nil {
		return Visit{}, err
	}
	now := p.clock()
	v := Visit{Person: s.Profile.ID, Tenant: t, Reason: reason, Since: now, Until: now.Add(VisitLife)}
	err = p.store.Write(ctx, t, func(tx Tx, _ Tenant) error {
		if err := tx.PutVisit(ctx, v); err != nil {
			return err
		}
		return audit(ctx, tx, operator, now, t, "operator.enter", "tenant:"+string(t), nil, map[string]any{"reason": reason, "until": v.Until})
	})
	return v, err
}

// LeaveTenant ends an operator's visit.
func (p *People) LeaveTenant(ctx context.Context, s Principal, t TenantID) error {
	operator, err := s.Operator()
	if err != nil {
		return err
	}
	return p.store.Write(ctx, t, func(tx Tx, _ Tenant) error {
		if err := tx.DeleteVisit(ctx, s.Profile.ID, t); err != nil {
			return err
		}
		return audit(ctx, tx, operator, p.clock(), t, "operator.leave", "tenant:"+string(t), nil, nil)
	})
}

// Visits lists the operators who are in a tenant.
func (p *People) Visits(ctx context.Context, a Actor, t TenantID) ([]Visit, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return nil, err
	}
	return p.store.VisitsTo(ctx, t, p.clock())
}

package tenant

import (
	"context"
	"errors"
	"time"
)

// NewTenant is what an operator says of a tenant to be.
type NewTenant struct {
	ID       string
	Name     string // "": the id
	Timezone string // "": UTC
	Limits   Limits

	Retention Retention
	// UserRooms lets the users make rooms; nil: they may.
	UserRooms *bool
}

// TenantPatch holds what changes; nil stays. Limits and Status are the operator's.
type TenantPatch struct {
	Name     *string
	Timezone *string
	Limits   map[string]int64 // by their JSON names; those that are not named stay
	Status   *Status

	Retention RetentionPatch
	UserRooms *bool
}

func (n *NewTenant) parse() (TenantID, error) {
	f := faults{}
	id, err := ParseTenantID("id", n.ID)
	f.add(err)
	if n.Name == "" {
		n.Name = n.ID
	}
	if n.Timezone == "" {
		n.Timezone = "UTC"
	}
	checkText(f, "name", n.Name)
	checkTimezone(f, "timezone", n.Timezone)
	n.Limits.check(f)
	n.Retention.check(f)
	return id, f.err()
}

// CreateTenant makes a tenant, its account and its first API key. The tenant is
// usable when this returns: where the account can't be brought to a server, all of it is taken back.
func (s *Service) CreateTenant(ctx context.Context, a Actor, n NewTenant) (Tenant, Secret, error) {
	if err := a.AllowOperator(); err != nil {
		return Tenant{}, "", err
	}
	return s.createTenant(ctx, a, n, func(Tx, Tenant) error { return nil })
}

// createTenant makes a tenant for whoever may; also adds to the transaction.
func (s *Service) createTenant(ctx context.Context, a Actor, n NewTenant, also func(tx Tx, t Tenant) error) (Tenant, Secret, error) {
	id, err := n.parse()
	if err != nil {
		return Tenant{}, "", err
	}
	account, keys, err := s.accounts.NewAccount()
	if err != nil {
		return Tenant{}, "", err
	}
	now := s.clock()
	t := Tenant{ID: id, Name: n.Name, Account: account, Timezone: n.Timezone, Limits: n.Limits, Retention: n.Retention, Status: Active, UserRooms: n.UserRooms == nil || *n.UserRooms, CreatedAt: now}
	k, secret := apiKeys.make(id, KeySpec{Kind: KeyAPI, Name: "first key", Scopes: AllScopes}, now)
	err = s.store.Create(ctx, func(tx Tx) error {
		if err := tx.InsertTenant(ctx, t, keys); err != nil {
			return err
		}
		if err := tx.InsertKey(ctx, k); err != nil {
			return err
		}
		if err := also(tx, t); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, PushClaims{id}, time.Time{}); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, id, "tenant.create", "tenant:"+string(id), nil, t)
	})
	if err != nil {
		return Tenant{}, "", err
	}
	if err := s.accounts.Push(ctx, id); err != nil {
		undo := s.deleteTenant(context.WithoutCancel(ctx), a, id)
		return Tenant{}, "", errors.Join(Errorf(CodeUnavailable, "the servers did not take the account; the tenant was not made; try again"), err, undo)
	}
	return t, secret.APIKey, nil
}

// Tenant returns one tenant.
func (s *Service) Tenant(ctx context.Context, a Actor, t TenantID) (Tenant, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return Tenant{}, err
	}
	return s.store.Tenant(ctx, t)
}

// Tenants lists the tenants that the actor may see, by id.
func (s *Service) Tenants(ctx context.Context, a Actor, p Page) ([]Tenant, error) {
	if err := a.AllowOperator(); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return s.store.Tenants(ctx, p)
}

// UpdateTenant changes a tenant. Suspending it closes all its connections.
func (s *Service) UpdateTenant(ctx context.Context, a Actor, t TenantID, p TenantPatch) (Tenant, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return Tenant{}, err
	}
	if err := p.check(); err != nil {
		return Tenant{}, err
	}
	if p.Limits != nil || p.Status != nil {
		if err := a.AllowOperator(); err != nil {
			return Tenant{}, err
		}
	}
	now := s.clock()
	var before, after Tenant
	err := s.write(ctx, a, t, func(tx Tx, row Tenant) error {
		before, after = row, p.apply(row)
		if err := tx.UpdateTenant(ctx, after); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, PushClaims{t}, time.Time{}); err != nil {
			return err
		}
		if after.Status != Active {
			if err := s.sweepLater(ctx, tx, SweepTenant{t}, now); err != nil {
				return err
			}
		}
		return audit(ctx, tx, a, now, t, "tenant.update", "tenant:"+string(t), before, after)
	})
	if err != nil {
		return Tenant{}, err
	}
	if before.Limits != after.Limits || before.Status != after.Status {
		if err := s.accounts.Push(ctx, t); err != nil {
			return Tenant{}, later("the change is kept", err)
		}
	}
	if before.Limits != after.Limits || before.Retention != after.Retention {
		if err := s.streams.Conform(ctx, after); err != nil {
			return Tenant{}, later("the change is kept", err)
		}
	}
	if after.Status != Active {
		if _, err := s.accounts.KickAll(ctx, after.Account); err != nil {
			return Tenant{}, later("the tenant is suspended", err)
		}
	}
	return after, nil
}

func (p TenantPatch) check() error {
	f := faults{}
	if p.Name != nil {
		f.check(*p.Name != "", "name", "must not be empty")
		checkText(f, "name", *p.Name)
	}
	if p.Timezone != nil {
		checkTimezone(f, "timezone", *p.Timezone)
	}
	var limits Limits
	for name, v := range p.Limits {
		f.check(limits.set(name, v), "limits."+name, "there is no such limit")
	}
	limits.check(f)
	p.Retention.apply(Retention{}).check(f)
	if p.Status != nil {
		f.check(*p.Status == Active || *p.Status == Suspended, "status", "must be active or suspended")
	}
	return f.err()
}

func (p TenantPatch) apply(t Tenant) Tenant {
	if p.Name != nil {
		t.Name = *p.Name
	}
	if p.Timezone != nil {
		t.Timezone = *p.Timezone
	}
	for name, v := range p.Limits {
		t.Limits.set(name, v)
	}
	if p.Status != nil {
		t.Status = *p.Status
	}
	t.Retention = p.Retention.apply(t.Retention)
	if p.UserRooms != nil {
		t.UserRooms = *p.UserRooms
	}
	return t
}

// sweepLater enqueues the second sweep. The first is made when the change is committed; this one
// finds what was half-way in then, or what a crash left open.
func (s *Service) sweepLater(ctx context.Context, tx Tx, j Job, now time.Time) error {
	return tx.Enqueue(ctx, j, now.Add(s.sweepAfter))
}

// SweepTenant closes what is still open of a tenant that isn't active.
func (s *Service) SweepTenant(ctx context.Context, j SweepTenant) error {
	t, err := s.store.Tenant(ctx, j.Tenant)
	if errors.Is(err, ErrNotFound) || err == nil && t.Status == Active {
		return nil // DropTenant closes the account of one that is deleting
	}
	if err != nil {
		return err
	}
	_, err = s.accounts.KickAll(ctx, t.Account)
	return err
}

// DeleteTenant ends a tenant: from the commit on nobody finds it, and a job removes all it had.
func (s *Service) DeleteTenant(ctx context.Context, a Actor, t TenantID) error {
	if err := a.allowOwner(t); err != nil {
		return err
	}
	return s.deleteTenant(ctx, a, t)
}

func (s *Service) deleteTenant(ctx context.Context, a Actor, t TenantID) error {
	now := s.clock()
	var gone Tenant
	var ended []endedShare
	err := s.store.Write(ctx, t, func(tx Tx, row Tenant) error {
		gone = row
		switch holds, err := s.store.Holds(ctx, t); {
		case err != nil:
			return err
		case len(holds) > 0:
			return Errorf(CodeConflict, "a legal hold keeps the tenant (%s); lift it first", holds[0].Reason)
		}
		open, err := tx.LockSharesOf(ctx, t)
		if err != nil {
			return err
		}
		if ended, err = endShares(ctx, tx, a, open, now); err != nil {
			return err
		}
		gone.Status = Deleting
		if err := tx.UpdateTenant(ctx, gone); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, DropTenant{t, row.Account}, time.Time{}); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "tenant.delete", "tenant:"+string(t), row, nil)
	})
	if err != nil {
		return err
	}
	if _, err := s.accounts.KickAll(ctx, gone.Account); err != nil {
		return later("the tenant is deleted", err)
	}
	return s.sharesEnded(ctx, ended)
}

// later says that a change is committed, while what it does to open connections is left to a job.
func later(what string, err error) error {
	return errors.Join(Errorf(CodeUnavailable, "%s, but the servers did not confirm it yet; it is tried again by itself", what), err)
}

package authcallout

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley/tenant"
)

// verifyForeign proves a token that one of the tenant's keys must have signed, and says which.
func (c *Callout) verifyForeign(id *tenant.Identity, p *tokenProof, now time.Time) (k *tenant.Key, until time.Time, r *refusal) {
	if k, r = c.signerOf(id.Keys, p); r != nil {
		return nil, time.Time{}, r
	}
	until, r = p.inTime(&id.User, now)
	if r == nil && p.issued < k.CreatedAt.Add(-tokenLeeway).Unix() {
		r = refuseTokenBeforeKey
	}
	return k, until, r
}

// signerOf finds the key whose signature the token has.
func (c *Callout) signerOf(keys []tenant.Key, p *tokenProof) (*tenant.Key, *refusal) {
	for i := range keys {
		if k := &keys[i]; k.ID == p.header.KeyID {
			return k, c.checkUserToken(k, p)
		}
	}
	return nil, refuseTokenKey
}

// checkUserToken verifies a token under the public key of a tenant's own pair.
func (c *Callout) checkUserToken(k *tenant.Key, p *tokenProof) *refusal {
	switch {
	case !k.RemovedAt.IsZero():
		return refuseTokenKeyGone
	case !p.header.own():
		return refuseTokenHeader
	case p.header.Algorithm != k.Alg:
		return refuseTokenAlg
	}
	v, err := c.verifiers.get(k)
	if err != nil {
		c.log.Error("a key of a tenant can't be read", "tenant", string(k.Tenant), "key", k.ID, "error", err)
		return refuseInternal
	}
	if !v.verify(p.signed, p.signature) {
		return refuseTokenSig
	}
	return nil
}

// mayCreate reports whether the user of a foreign token may be made of it.
func mayCreate(a *attempt, id *tenant.Identity) bool {
	return a.offer.claim.Foreign && !a.welcomed && slices.ContainsFunc(id.Keys, func(k tenant.Key) bool { return k.CreateUsers })
}

// proveForeign goes on where the signature decides: whom the tenant does not know becomes a
// user, where the key that signed says so.
func (c *Callout) proveForeign(a *attempt, id *tenant.Identity, p *tokenProof) {
	k, until, r := c.verifyForeign(id, p, c.conf.Now())
	if r == nil && id.User.ID == "" && !k.CreateUsers {
		r = refuseUser
	}
	if r != nil {
		c.refuse(a, r)
		return
	}
	a.offer.opened.Key = k.ID
	if id.User.ID == "" {
		c.welcome(&newcomer{attempt: a, tenant: id.Tenant, who: tenant.Newcomer{Handle: tenant.Handle{ID: a.offer.claim.User, External: a.offer.claim.External}, Key: k.ID}})
		return
	}
	c.admit(a, id, until)
}

const (
	// welcomers are how many make users at once: more would only wait for each other in the database.
	welcomers = 2
	// maxNewcomers is how many wait for that: what is worked off within the timeout of a decision.
	maxNewcomers = 512
)

// A newcomer is an attempt that waits until its user is made. That costs a transaction, so it
// is apart from the decisions on those who are users already.
type newcomer struct {
	attempt *attempt
	tenant  tenant.TenantID
	who     tenant.Newcomer
}

func (c *Callout) welcome(n *newcomer) {
	select {
	case c.newcomers <- n:
	default:
		c.refuse(n.attempt, refuseNewcomers)
	}
}

func (c *Callout) welcomeWork(quit <-chan struct{}) {
	for {
		select {
		case n := <-c.newcomers:
			c.serveNewcomer(n)
		case <-quit:
			c.finishNewcomers()
			return
		}
	}
}

func (c *Callout) finishNewcomers() {
	for {
		select {
		case n := <-c.newcomers:
			c.serveNewcomer(n)
		default:
			return
		}
	}
}

// serveNewcomer makes the user, and has the whole decided anew on the rows that there are then.
func (c *Callout) serveNewcomer(n *newcomer) {
	a := n.attempt
	defer c.recoverAs(a)
	ctx, cancel := a.context(c)
	defer cancel()
	if err := c.conf.Users.Welcome(ctx, n.tenant, n.who); err != nil {
		c.refuse(a, c.unwelcome(err))
		return
	}
	c.serve(pending{msg: a.msg, at: a.at, again: a.again, welcomed: true})
}

// unwelcome is the refusal for the reason why a user was not made.
func (c *Callout) unwelcome(err error) *refusal {
	e, ok := tenant.AsError(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || ok && e.Code == tenant.CodeUnavailable:
		return refuseUnavailable
	case ok && e.Code == tenant.CodeLimitReached:
		return refuseUsersLimit
	case ok && e.Code == tenant.CodeForbidden:
		return refuseUserDeleted
	case ok && e.Code == tenant.CodeNotFound: // the tenant or the key went meanwhile
		return refuseTokenKeyGone
	}
	c.log.Error("user not made", "error", err)
	return refuseInternal
}

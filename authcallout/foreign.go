package authcallout

import (
	"cmp"
	"context"
	"errors"

	"parley/tenant"
)

// signerOf finds the key whose signature the token has. Where only a fetch can tell, the refusal
// is nil too, and the key is the one to wait for.
func (c *Callout) signerOf(keys []tenant.Key, p *tokenProof) (k *tenant.Key, wait bool, r *refusal) {
	r = refuseTokenKey
	for i := range keys {
		k := &keys[i]
		if k.Kind == tenant.KeyUserToken {
			return k, false, c.checkUserToken(k, p)
		}
	}
	var flight *tenant.Key
	for i := range keys {
		k := &keys[i]
		why, flying := c.checkSet(k, p)
		switch {
		case flying:
			flight = k
		case why == nil:
			return k, false, nil
		case r == refuseTokenKey: // what is known of one key beats that another is not there
			r = why
		}
	}
	if flight != nil {
		return flight, true, nil
	}
	return nil, false, r
}

// checkSet verifies a token under the key of its kid in a tenant's set.
func (c *Callout) checkSet(k *tenant.Key, p *tokenProof) (r *refusal, flying bool) {
	switch {
	case !k.RemovedAt.IsZero():
		return refuseTokenKeyGone, false
	case !p.header.typed("JWT") && (k.Kind == tenant.KeyOIDC || !p.header.typed("at+jwt")):
		return refuseTokenHeader, false
	}
	v, found, failure := c.keySets.look(k, p.header.KeyID, c.conf.Now(), func(set *keySet) { c.fly(*k, set) })
	switch {
	case found == foundFlight:
		return nil, true
	case found == foundNoSet:
		return keysUnavailable(k, failure), false
	case found == foundNoKey:
		return refuseTokenKey, false
	case v.alg != p.header.Algorithm:
		return refuseTokenAlg, false
	case !v.verify(p.signed, p.signature):
		return refuseTokenSig, false
	}
	return nil, false
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

// proveForeign goes on where one of the tenant's keys must have signed the token.
func (c *Callout) proveForeign(a *attempt, id *tenant.Identity, p *tokenProof) {
	k, wait, r := c.signerOf(id.Keys, p)
	if wait {
		c.awaitKeys(a, id, p, k)
		return
	}
	if r != nil {
		c.refuse(a, r)
		return
	}
	c.provenForeign(a, id, p, k)
}

// awaitKeys has an attempt decided on anew when a fetch has ended.
func (c *Callout) awaitKeys(a *attempt, id *tenant.Identity, p *tokenProof, k *tenant.Key) {
	if c.stopping() {
		c.refuse(a, keysUnavailable(k, "this server is stopping"))
		return
	}
	parked, full := c.keySets.park(k, a)
	switch {
	case full:
		c.refuse(a, refuseKeysBusy)
	case !parked: // the fetch has ended meanwhile; it is not tried again soon, so this ends
		c.proveForeign(a, id, p)
	}
}

func (c *Callout) stopping() bool {
	select {
	case <-c.quit:
		return true
	default:
		return false
	}
}

// provenForeign goes on where the signature is good: whom the tenant does not know becomes a
// user, where the key says so.
func (c *Callout) provenForeign(a *attempt, id *tenant.Identity, p *tokenProof, k *tenant.Key) {
	until, r := p.inTime(&id.User, c.conf.Now())
	if r == nil && p.issued < k.CreatedAt.Add(-tokenLeeway).Unix() {
		r = refuseTokenBeforeKey
	}
	who, wrong := handleOf(&a.offer.claim, k, p)
	a.user = cmp.Or(a.user, who.String())
	switch r = cmp.Or(r, wrong); {
	case r != nil:
		c.refuse(a, r)
	case id.User.ID == "" && (!k.CreateUsers || a.welcomed):
		c.refuse(a, refuseUser)
	case id.User.ID == "":
		c.welcome(&newcomer{attempt: a, tenant: id.Tenant, who: tenant.Newcomer{Handle: who, Key: k.ID, Name: text(p.name)}})
	default:
		a.offer.opened.Key = k.ID
		c.admit(a, id, until)
	}
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

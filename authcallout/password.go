package authcallout

import (
	"context"
	"strings"

	"parley/tenant"
)

// guessesPerSlot is how many passwords wait for each one that is hashed: what is worked
// off within the timeout of a decision.
const guessesPerSlot = 16

// A guess is a password that waits to be checked, with all that is known but whether it is right.
type guess struct {
	attempt *attempt
	guesser guesser
	id      *tenant.Identity // of an unknown tenant: empty, and refused
	refused *refusal         // what is against the user, whatever the password
}

func readPassword(opts *connect) (offer, *refusal) {
	o := offer{method: tenant.MethodPassword, secret: opts.Password}
	t, u, ok := strings.Cut(opts.User, "/")
	if !ok {
		return o, refuseUserForm
	}
	var errTenant, errUser error
	o.claim.Tenant, errTenant = tenant.ParseTenantID("user", t)
	o.claim.User, errUser = tenant.ParseUserID("user", u)
	if errTenant != nil || errUser != nil {
		return o, refuseUserForm
	}
	return o, nil
}

// decidePassword hands the attempt to those that check passwords. Whatever is against the
// user is said only after a hash was made, so that time tells nobody which users exist.
func (c *Callout) decidePassword(a *attempt, id *tenant.Identity, refused *refusal) {
	claim := &a.offer.claim
	g := &guess{attempt: a, id: id, refused: refused, guesser: guesser{
		user: string(claim.Tenant) + "/" + string(claim.User), address: network(a.req.NATS.Client.Host),
	}}
	if !c.throttle.allows(g.guesser, c.conf.Now()) {
		c.refuse(a, refuseThrottled)
		return
	}
	if c.conf.Hasher.memory.knows(a.offer.secret, id.User.PasswordHash) {
		c.serveGuess(g) // nothing is to be hashed
		return
	}
	select {
	case c.passwords <- g:
	default:
		c.refuse(a, refuseBusy)
	}
}

func (c *Callout) guessWork(quit <-chan struct{}) {
	for {
		select {
		case g := <-c.passwords:
			c.serveGuess(g)
		case <-quit:
			c.finishGuesses()
			return
		}
	}
}

func (c *Callout) finishGuesses() {
	for {
		select {
		case g := <-c.passwords:
			c.serveGuess(g)
		default:
			return
		}
	}
}

func (c *Callout) serveGuess(g *guess) {
	defer c.recoverAs(g.attempt)
	ctx, cancel := g.attempt.context(c)
	defer cancel()
	if r := c.checkPassword(ctx, g); r != nil {
		c.refuse(g.attempt, r)
		return
	}
	c.admit(g.attempt, g.id, c.conf.Now().Add(maxSession))
}

func (c *Callout) checkPassword(ctx context.Context, g *guess) *refusal {
	// Others may have guessed while this one waited.
	if !c.throttle.allows(g.guesser, c.conf.Now()) {
		return refuseThrottled
	}
	right, err := c.conf.Hasher.Matches(ctx, g.attempt.offer.secret, g.id.User.PasswordHash)
	switch {
	case err != nil && ctx.Err() != nil:
		return refuseBusy
	case err != nil:
		c.log.Error("password not checked", "tenant", string(g.id.Tenant), "user", string(g.id.User.ID), "error", err)
		return refuseInternal
	case right:
		if g.refused == nil {
			c.throttle.right(g.guesser)
		}
		return g.refused
	}
	c.throttle.wrong(g.guesser, c.conf.Now())
	switch {
	case g.refused != nil:
		return g.refused
	case g.id.User.PasswordHash == "":
		return refuseNoPassword
	}
	return refusePassword
}

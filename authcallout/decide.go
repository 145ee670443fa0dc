package authcallout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// An attempt is one connection that waits to be let in.
type attempt struct {
	req      *request
	msg      *nats.Msg
	at       time.Time // when the request came
	again    bool      // it waited for a place among the user's connections
	welcomed bool      // its user was made
	offer    offer
	tenant   tenant.TenantID // of whom the refusal is told; empty: of nobody that exists
	user     string          // whom the client claims to be, as far as that is known
}

// context ends when the client is gone.
func (a *attempt) context(c *Callout) (context.Context, context.CancelFunc) {
	// The clock of a.at may be a test's; what is left is the same by any.
	left := c.conf.Timeout - c.conf.Now().Sub(a.at)
	return context.WithTimeout(context.Background(), left)
}

// decide answers, or hands over to those who check passwords.
func (c *Callout) decide(a *attempt) {
	var wrong *refusal
	a.offer, wrong = readOffer(a.req)
	a.user = cmp.Or(string(a.offer.claim.User), a.offer.claim.External)
	if !a.offer.claim.NamesSomebody() {
		c.refuse(a, wrong)
		return
	}
	ctx, cancel := a.context(c)
	defer cancel()
	id, err := c.identity(ctx, a.offer.claim)
	blind := err != nil && !errors.Is(err, tenant.ErrNotFound)
	if err == nil {
		a.tenant, a.user = id.Tenant, cmp.Or(string(id.User.ID), a.user, certified(&a.offer, &id))
	}
	if wrong == nil {
		wrong = against(a, &id, err)
	}
	if wrong == refuseUser && a.offer.claim.Foreign {
		wrong = nil // the key that signed may make him one
	}
	switch {
	case a.offer.method == tenant.MethodPassword && a.offer.claim.User != "" && !blind:
		c.decidePassword(a, &id, wrong)
	case wrong != nil:
		c.refuse(a, wrong)
	default:
		c.prove(a, &id)
	}
}

// identity remembers whether the database answers, so that an hour without it is two lines in the log.
func (c *Callout) identity(ctx context.Context, claim tenant.Claim) (tenant.Identity, error) {
	id, err := c.conf.Directory.Identity(ctx, claim)
	switch {
	case err == nil || errors.Is(err, tenant.ErrNotFound):
		if c.blind.CompareAndSwap(true, false) {
			c.log.Info("the directory answers again")
		}
	case c.blind.CompareAndSwap(false, true):
		c.log.Error("the directory does not answer: nobody is let in", "error", err)
	}
	return id, err
}

// against is what was read that speaks against the user, nil if nothing does.
func against(a *attempt, id *tenant.Identity, err error) *refusal {
	switch {
	case errors.Is(err, tenant.ErrNotFound) && a.offer.method == tenant.MethodCreds:
		return refuseCreds
	case errors.Is(err, tenant.ErrNotFound) && a.offer.method == tenant.MethodNKey:
		return refuseNKey
	case errors.Is(err, tenant.ErrNotFound) && a.offer.claim.IDToken.Issuer != "":
		return refuseTokenIssuer
	case errors.Is(err, tenant.ErrNotFound) && a.offer.method == tenant.MethodTLS:
		return refuseCA
	case errors.Is(err, tenant.ErrNotFound):
		return refuseTenant
	case err != nil:
		return refuseUnavailable
	}
	return standing(id)
}

func (c *Callout) prove(a *attempt, id *tenant.Identity) {
	if p, ok := a.offer.proof.(*tokenProof); ok && a.offer.claim.Foreign {
		c.proveForeign(a, id, p)
		return
	}
	if p, ok := a.offer.proof.(*certProof); ok {
		c.proveCertificate(a, id, p)
		return
	}
	now := c.conf.Now()
	until, r := a.offer.proof.verify(id, now)
	if r != nil {
		c.refuse(a, r)
		return
	}
	if longest := now.Add(maxSession); until.IsZero() || until.After(longest) {
		until = longest
	}
	c.admit(a, id, until)
}

// refuse answers, and tells the tenant's admins.
func (c *Callout) refuse(a *attempt, r *refusal) {
	c.reject(a, r.code)
	c.conf.Refusals.Refuse(tenant.Refusal{
		At: c.conf.Now(), Tenant: a.tenant, User: a.user, Method: a.offer.method,
		Address: a.req.NATS.Client.Host, Code: r.code, Reason: r.reason,
	})
	c.metrics.decided(a, r.code, c.conf.Now())
}

// recoverAs turns a panic into a refusal. What was thrown may hold anything, so only its type is logged.
func (c *Callout) recoverAs(a *attempt) {
	v := recover()
	if v == nil {
		return
	}
	c.logPanic(v)
	defer func() { // it may have been Refusals that panicked
		if v := recover(); v != nil {
			c.logPanic(v)
		}
	}()
	c.refuse(a, refuseInternal)
}

func (c *Callout) logPanic(v any) {
	c.log.Error("panic in a decision", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
}

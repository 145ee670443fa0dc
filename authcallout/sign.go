package authcallout

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/jwt/v2"

	"parley/tenant"
	"parley/tenant/grant"
)

// A connection lives at most maxSession, less up to sessionJitter so that those that came
// together do not come back together.
const (
	maxSession    = time.Hour
	sessionJitter = 15 * time.Minute
)

// expiry is when a connection ends whose proof holds until then.
func expiry(now, until time.Time) time.Time {
	if longest := now.Add(maxSession - rand.N(sessionJitter)); longest.Before(until) { //nolint:gosec // G404: jitter, no secret
		return longest
	}
	return until
}

// admit answers with the user's permissions and records the session.
func (c *Callout) admit(a *attempt, id *tenant.Identity, until time.Time) {
	if !c.crowd.enter(id, c.conf.Now()) {
		c.crowded(a)
		return
	}
	user, err := c.userJWT(a, id, until)
	if err == nil {
		err = c.answer(a, answerPart{JWT: user})
	}
	if err != nil {
		c.log.Error("answer not signed", "tenant", string(id.Tenant), "user", string(id.User.ID), "error", err)
		c.refuse(a, refuseInternal)
		return
	}
	c.conf.Sessions.Record(tenant.Session{
		Server: a.req.NATS.Server.ID, CID: a.req.NATS.Client.ID, Account: id.Account, User: id.User.ID,
		Method: a.offer.method, Proof: a.offer.opened, Address: a.req.NATS.Client.Host, Since: c.conf.Now(),
		Rooms: carried(a, id), Restricted: id.Restricted,
	})
	c.metrics.decided(a, codeAdmitted, c.conf.Now())
}

// carried are the rooms that are listed, where the user may have others: he named these, or
// there are as many as can be.
func carried(a *attempt, id *tenant.Identity) []tenant.RoomID {
	if a.offer.claim.Rooms == nil && len(id.Rooms) < tenant.MaxListedRooms {
		return nil
	}
	rooms := make([]tenant.RoomID, len(id.Rooms))
	for i := range id.Rooms {
		rooms[i] = id.Rooms[i].Room
	}
	return rooms
}

// userJWT is what the server holds the connection to. Its issuer must be a key of the tenant:
// a JWT signed by AUTH would be taken too, and put the user into AUTH with nearly all rights.
func (c *Callout) userJWT(a *attempt, id *tenant.Identity, until time.Time) (string, error) {
	if id.Account == "" || id.Account == c.conf.AuthAccount || id.Signing.Account != id.Account {
		return "", fmt.Errorf("the signing key of tenant %s is not its account's", id.Tenant)
	}
	signer, err := c.conf.Keys.Signer(id.Signing)
	if err != nil {
		return "", fmt.Errorf("open signing key: %w", err)
	}
	now := c.conf.Now()
	text, err := encodeJWT(claims[userPart]{
		Subject: a.req.NATS.UserNKey, Name: string(id.User.ID), IssuedAt: now.Unix(), Expires: expiry(now, until).Unix(),
		NATS: newUserPart(grant.For(id.Tenant, id.User.ID, id.Rooms, id.Restricted), id.Account),
	}, signer)
	if err != nil {
		return "", fmt.Errorf("sign user: %w", err)
	}
	return text, nil
}

// reject answers with a refusal's code, which the server logs and does not pass on.
func (c *Callout) reject(a *attempt, code string) {
	if err := c.answer(a, answerPart{Error: code}); err != nil {
		c.log.Error("refusal not signed", "error", err)
	}
}

// answer signs, encrypts for the asking server alone, and sends. That the connection to the
// server is down is no error: the client, which waits on the same server, is gone too.
func (c *Callout) answer(a *attempt, part answerPart) error {
	if c.authSelf != c.conf.AuthAccount {
		part.IssuerAccount = c.conf.AuthAccount
	}
	part.Type, part.Version = jwt.AuthorizationResponseClaim, claimsVersion
	text, err := encodeJWT(claims[answerPart]{
		Subject: a.req.NATS.UserNKey, Audience: a.req.NATS.Server.ID, IssuedAt: c.conf.Now().Unix(), NATS: part,
	}, c.conf.AuthSigner)
	if err != nil {
		return fmt.Errorf("sign answer: %w", err)
	}
	sealed, err := c.conf.XKey.Seal([]byte(text), a.req.NATS.Server.XKey)
	if err != nil {
		return fmt.Errorf("encrypt answer: %w", err)
	}
	if err := a.msg.Respond(sealed); err != nil {
		c.metrics.drop(dropSend)
	}
	return nil
}

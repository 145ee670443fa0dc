package console

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"parley/tenant"
)

// Actors finds the actor of an API key; an unknown or removed one is unauthorized.
type Actors interface {
	Authenticate(ctx context.Context, key tenant.Secret) (tenant.Actor, error)
}

// A call is what is known of a request so far. It travels in the request's context.
type call struct {
	id       string // request id
	actor    tenant.Actor
	operator bool
	tenant   tenant.TenantID // of the path, as user, room, key and share; empty where the route has none
	user     tenant.UserID
	room     tenant.RoomID
	key      string
	nkey     string // of a credential
	token    string // jti of a token
	share    string
	body     []byte
	code     tenant.Code // of the error that was answered, for the log
	err      error       // behind an error that the caller may not read, for the log
}

type callKey struct{}

// callOf returns the call of a request's context. There is one in each request that reaches a route.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	if c == nil {
		return &call{}
	}
	return c
}

// runTime is the deadline of everything that one request causes, once its body is there. With bodyTime and
// settleTime it stays below the minute after which another console takes a claimed write over.
const runTime = 30 * time.Second

// bound gives the request its deadline. A write runs to its end also when the client
// goes away: half of it would leave the client's retry with a conflict.
func (c *console) bound(ctx huma.Context, next func(huma.Context)) {
	base := ctx.Context()
	if isWrite(ctx) {
		base = context.WithoutCancel(base)
	}
	limit := runTime + bodyTime
	if traitsOf(ctx).long {
		limit = longTime
	}
	base, cancel := context.WithTimeout(base, limit)
	defer cancel()
	next(huma.WithContext(ctx, base))
}

// A visitor finds the actor of a session of the console, for a call in no tenant or in one. Whoever is not
// logged in is unauthorized; a write that another site sends is forbidden.
type visitor func(r *http.Request, write, inTenant bool) (tenant.Actor, error)

// authenticate finds out who asks: 401 for whoever has no valid key or session. A session counts where
// there is no key alone, so that none stands in for a bad one.
func (c *console) authenticate(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	call := callOf(ctx.Context())
	headers := r.Header.Values("Authorization")
	key, ok := bearer(headers)
	var err error
	switch {
	case len(headers) == 0 && c.visitor != nil:
		call.actor, err = c.visitor(r, isWrite(ctx), ctx.Param("tenant") != "")
	case !ok:
		err = tenant.Errorf(tenant.CodeUnauthorized, "send the operator's token or an API key as Authorization: Bearer")
	case c.isOperator(key):
		call.actor, call.operator = tenant.Operator(), true
	default:
		call.actor, err = c.service.Authenticate(ctx.Context(), key)
	}
	if err != nil {
		fail(ctx, err)
		return
	}
	next(ctx)
}

// bearer takes the key out of the one Authorization header that may be there.
func bearer(headers []string) (tenant.Secret, bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, key, ok := strings.Cut(headers[0], " ")
	key = strings.TrimSpace(key)
	return tenant.Secret(key), ok && strings.EqualFold(scheme, "Bearer") && key != ""
}

// isOperator compares hashes, so that the time it takes says nothing of the token's length or text.
func (c *console) isOperator(key tenant.Secret) bool {
	h := sha256.Sum256([]byte(key.Reveal()))
	return subtle.ConstantTimeCompare(h[:], c.operator[:]) == 1
}

// locate parses the ids of the path and refuses what the actor may not know of: another
// tenant's things are as little there as things that don't exist. An id that nothing can
// have is told from a missing thing only to those who may see the tenant.
func (c *console) locate(ctx huma.Context, next func(huma.Context)) {
	if err := c.find(ctx); err != nil {
		fail(ctx, err)
		return
	}
	next(ctx)
}

func (c *console) find(ctx huma.Context) error {
	if ctx.Param("tenant") == "" {
		return nil
	}
	call := callOf(ctx.Context())
	id, bad := tenant.ParseTenantID("tenant", ctx.Param("tenant"))
	if !call.actor.Sees(id) { // a key sees no tenant with an empty id, which is what a bad one parses to
		return tenant.NotFound("tenant")
	}
	if bad != nil {
		return bad
	}
	call.tenant = id
	if call.operator { // the tenant of a key that was accepted exists
		if _, err := c.service.Tenant(ctx.Context(), call.actor, id); err != nil {
			return err
		}
	}
	if err := parsePath(ctx, call); err != nil {
		return err
	}
	if !traitsOf(ctx).existing {
		return nil
	}
	return c.mustExist(ctx.Context(), call)
}

func parsePath(ctx huma.Context, call *call) (err error) {
	if s := ctx.Param("room"); s != "" {
		if call.room, err = tenant.ParseRoomID("room", s); err != nil {
			return err
		}
	}
	if s := ctx.Param("user"); s != "" {
		parse := tenant.ParseUserID
		if call.room != "" { // in a shared room it may be another tenant's
			parse = tenant.ParseMemberID
		}
		if call.user, err = parse("user", s); err != nil {
			return err
		}
	}
	if s := ctx.Param("nkey"); s != "" {
		if call.nkey, err = tenant.ParseNKey("nkey", s); err != nil {
			return err
		}
	}
	if s := ctx.Param("token"); s != "" {
		if call.token, err = tenant.ParseTokenID("token", s); err != nil {
			return err
		}
	}
	if s := ctx.Param("key"); s != "" {
		if call.key, err = tenant.ParseKeyID("key", s); err != nil {
			return err
		}
	}
	if s := ctx.Param("share"); s != "" {
		if call.share, err = tenant.ParseShareID("share", s); err != nil {
			return err
		}
	}
	return nil
}

// mustExist lets a missing user or room win over a bad body. It asks as the operator:
// whether a key has the scope is a rule, and rules come after the body.
func (c *console) mustExist(ctx context.Context, call *call) error {
	if call.room != "" {
		if _, err := c.service.Room(ctx, tenant.Operator(), call.tenant, call.room); err != nil {
			return err
		}
	}
	if call.user != "" && !strings.Contains(string(call.user), "@") {
		if _, err := c.service.User(ctx, tenant.Operator(), call.tenant, call.user); err != nil {
			return err
		}
	}
	if call.share != "" {
		if _, err := c.service.Share(ctx, tenant.Operator(), call.tenant, call.share); err != nil {
			return err
		}
	}
	return nil
}

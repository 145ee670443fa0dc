package accounts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/jwt/v2"

	"parley/tenant"
	"parley/tenant/grant"
)

// Users with a JWT of their tenant's account are let in by the servers alone. They are named by
// their nkey there, so that the rows of tables credentials and users say who they are; the claims say
// which are revoked.

// jwtField is in the connect events of such users alone.
var jwtField = []byte(`"jwt":"`)

// An arrival is a knock that a server let in.
type arrival struct {
	knock
	session sessionKey
	since   time.Time
}

// arrived queues an arrival to be recorded.
func (a *Accounts) arrived(c arrival) {
	select {
	case a.direct <- c:
	default:
		a.log.Warn("session not recorded: the database has fallen behind", "account", c.account)
	}
}

// userClaims are what a user JWT says: whose it is, who signed it, for which account and until when.
type userClaims struct {
	Subject string `json:"sub"`
	Issuer  string `json:"iss"`
	Expires int64  `json:"exp"` // Unix seconds; 0: never
	NATS    struct {
		Account string `json:"issuer_account"`
	} `json:"nats"`
}

// readClaims reads a user JWT without verifying it: of who got in, the server has done that.
func readClaims(text string) (c userClaims, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return c, errors.New("not three parts")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(body, &c)
}

// Whom we signed has a credential; whom his tenant signed has the nkey registered, and a scoped key vouches for him.
const selectHolders = `
SELECT t.account, c.nkey, c.user_id, 'service', c.nkey
FROM unnest($1::text[], $2::text[]) x (account, nkey)
JOIN tenants t ON t.account = x.account AND t.status = 'active'
JOIN credentials c ON c.tenant_id = t.tenant_id AND c.nkey = x.nkey AND c.kind = 'service' AND c.revoked_at IS NULL
JOIN users u ON u.tenant_id = c.tenant_id AND u.user_id = c.user_id AND u.status = 'active'
UNION ALL
SELECT t.account, u.nkey, u.user_id, CASE k.details->>'role' WHEN 'service' THEN 'service' ELSE 'creds' END, k.key_id
FROM unnest($1::text[], $2::text[], $3::text[]) x (account, nkey, issuer)
JOIN tenants t ON t.account = x.account AND t.status = 'active'
JOIN users u ON u.tenant_id = t.tenant_id AND u.nkey = x.nkey AND u.status = 'active'
JOIN keys k ON k.tenant_id = t.tenant_id AND k.kind = 'nats-scoped' AND k.details->>'public_key' = x.issuer AND k.removed_at IS NULL`

// A holder is whom an nkey stands for, and what let it in.
type holder struct {
	user   tenant.UserID
	method tenant.Method
	key    string // for the session's Proof
}

// record writes the sessions of arrivals, and closes those whose credential is good for
// nobody, and says why: a server may have missed the claims that say so.
func (a *Accounts) record(ctx context.Context, batch []arrival) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	holders, err := a.holders(ctx, batch)
	if err != nil {
		return err
	}
	sessions := make([]tenant.Session, 0, len(batch))
	var closed []knock
	for _, c := range batch {
		h, ok := holders[kickKey{c.account, tenant.UserID(c.nkey)}]
		if !ok {
			a.closeOne(c.account, tenant.UserID(c.nkey), c.session, "its credential is good for nobody")
			closed = append(closed, c.knock)
			continue
		}
		sessions = append(sessions, tenant.Session{
			Server: c.session.server, CID: c.session.cid, Account: c.account, User: h.user,
			Method: h.method, Proof: tenant.Proof{Key: h.key}, Address: c.address, Since: c.since,
		})
	}
	if len(closed) > 0 {
		err = a.explain(ctx, closed)
	}
	return errors.Join(writeSessions(ctx, a.pool, sessions), err)
}

func (a *Accounts) holders(ctx context.Context, batch []arrival) (map[kickKey]holder, error) {
	accounts, nkeys, issuers := make([]string, len(batch)), make([]string, len(batch)), make([]string, len(batch))
	for i, c := range batch {
		accounts[i], nkeys[i], issuers[i] = c.account, c.nkey, c.issuer
	}
	rows, err := a.pool.Query(ctx, selectHolders, accounts, nkeys, issuers)
	if err != nil {
		return nil, err
	}
	all := map[kickKey]holder{}
	var account string
	var nkey tenant.UserID
	var h holder
	_, err = pgx.ForEachRow(rows, []any{&account, &nkey, &h.user, &h.method, &h.key}, func() error {
		all[kickKey{account, nkey}] = h
		return nil
	})
	return all, err
}

const selectDirect = `
SELECT c.nkey FROM credentials c JOIN tenants t USING (tenant_id)
WHERE t.account = $1 AND c.user_id = $2 AND c.kind <> 'creds'
UNION
SELECT u.nkey FROM users u JOIN tenants t USING (tenant_id) WHERE t.account = $1 AND u.user_id = $2 AND u.nkey <> ''
UNION
(SELECT l.nkey FROM lost_nkeys l JOIN tenants t USING (tenant_id)
WHERE t.account = $1 AND l.user_id = $2 AND NOT EXISTS (SELECT FROM users u WHERE u.nkey = l.nkey)
ORDER BY l.lost_at DESC LIMIT 10)
ORDER BY nkey`

// directKeys are the nkeys that the servers know a user by, the revoked ones among them.
func (a *Accounts) directKeys(ctx context.Context, account string, u tenant.UserID) ([]tenant.UserID, error) {
	rows, err := a.pool.Query(ctx, selectDirect, account, u)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[tenant.UserID])
}

// kickDirect is Kick for the connections that carry an nkey of the user.
func (a *Accounts) kickDirect(ctx context.Context, key kickKey, nkeys []tenant.UserID, before time.Time) (closed int, err error) {
	a.kicked.also(key, nkeys)
	for _, nkey := range nkeys {
		n, errSweep := a.sweep(ctx, kickKey{key.account, nkey}, before, key.user)
		closed, err = closed+n, errors.Join(err, errSweep)
	}
	return closed, err
}

// ServiceCreds makes a user of the tenant's account, whom the servers let in by themselves with
// the rights of a backend. The file is the only place where his seed is.
func (a *Accounts) ServiceCreds(ctx context.Context, t tenant.Tenant, u tenant.UserID) (string, tenant.Secret, error) {
	k, err := a.sealedKey(ctx, selectSigningKey, t)
	if err != nil {
		return "", "", fmt.Errorf("issue credentials of service %s: %w", u, err)
	}
	signer, err := a.keys.Signer(k)
	if err != nil {
		return "", "", fmt.Errorf("issue credentials of service %s: %w", u, err)
	}
	nkey, file, err := issue(signer, func(public string) *jwt.UserClaims { return serviceClaims(public, t, u) })
	if err != nil {
		return "", "", fmt.Errorf("issue credentials of service %s: %w", u, err)
	}
	return nkey, file, nil
}

func serviceClaims(public string, t tenant.Tenant, u tenant.UserID) *jwt.UserClaims {
	c := jwt.NewUserClaims(public)
	c.Name, c.IssuerAccount = string(u), t.Account
	c.AllowedConnectionTypes.Add(jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket)
	g := grant.ForService(t.ID, u)
	c.Pub.Allow, c.Sub.Allow, c.Sub.Deny = g.Pub, g.Sub, g.SubDeny
	return c
}

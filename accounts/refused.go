package accounts

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// Of user JWTs the servers decide without the callout, and tell nobody why they refuse one. What follows
// finds the reason in the rows, for the tenant's admins. Whoever is refused may have made the JWT up: it
// says who is meant, never more.

// knockQueue makes one of several processes hear of each.
const knockQueue = "parley.knocks"

// nowhere is the account of connections that got into none.
const nowhere = "$G"

// A knock is a connection with a user JWT that a server decided about by itself.
type knock struct {
	account, nkey, issuer string // as the JWT has them
	expires               int64
	came                  bool // let in: it is refused only where nobody is meant
	crowded               bool // refused for the limit of the account alone
	address               string
	at                    time.Time
}

// knocked queues what a server decided about a user JWT: who came, to be recorded, and who did not, to be explained.
// What finds no room is neither.
func (a *Accounts) knocked(m *nats.Msg) {
	if !bytes.Contains(m.Data, jwtField) {
		return // the callout's
	}
	parts := strings.Split(m.Subject, ".")
	account, came := parts[2], parts[3] == "CONNECT"
	if !came && account != nowhere && !bytes.Contains(m.Data, []byte(overLimit)) {
		return // the end of a connection that was let in
	}
	var e event
	if err := json.Unmarshal(m.Data, &e); err != nil {
		a.log.Warn("event of a connection does not decode", "error", err)
		return
	}
	c, err := readClaims(e.Client.JWT)
	if err != nil {
		return // whom it means, nobody can say
	}
	k := knock{
		account: cmp.Or(c.NATS.Account, c.Issuer), nkey: c.Subject, issuer: c.Issuer, expires: c.Expires,
		came: came, crowded: e.Reason == overLimit, address: e.Client.Host, at: a.now(),
	}
	if k.account == a.facts.sys.id || k.account == a.facts.parley.id || came && k.account == a.facts.auth.id {
		return // the platform's own connections are nobody's
	}
	if came {
		k.account = account // as the server has it, which let him in
		a.arrived(arrival{k, sessionKey{e.Server.ID, e.Client.ID}, e.Client.Start})
		return
	}
	select {
	case a.knocks <- k:
	default:
	}
}

// Credentials of AUTH name no tenant's account: there the credential says whose it is.
const selectMeant = `
SELECT x.i, coalesce(t.tenant_id, ''), coalesce(t.status, ''), coalesce(u.user_id, ''), coalesce(u.status, ''),
  coalesce(c.kind, ''), c.revoked_at IS NOT NULL, coalesce(k.details->>'role', ''), k.removed_at IS NOT NULL
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY x (account, nkey, issuer, i)
LEFT JOIN tenants own ON own.account = x.account
LEFT JOIN credentials c ON c.nkey = x.nkey AND (x.account = $4 OR c.tenant_id = own.tenant_id)
LEFT JOIN tenants t ON t.tenant_id = coalesce(c.tenant_id, own.tenant_id)
LEFT JOIN users n ON c.nkey IS NULL AND n.nkey = x.nkey AND n.tenant_id = t.tenant_id
LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.user_id = coalesce(c.user_id, n.user_id)
LEFT JOIN keys k ON k.tenant_id = t.tenant_id AND k.kind = 'nats-scoped' AND k.details->>'public_key' = x.issuer`

// meant is what the rows know of whom a JWT means.
type meant struct {
	tenant       tenant.TenantID
	status       tenant.Status
	user         tenant.UserID
	userStatus   tenant.UserStatus
	credential   tenant.CredentialKind // "": Parley issued none
	revoked      bool                  // the credential
	scoped       tenant.ScopedRole     // of the tenant's key that signed; "": none did
	scopedIsGone bool
}

// explain tells the admins why, of those who were refused.
func (a *Accounts) explain(ctx context.Context, batch []knock) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	accounts, nkeys, issuers := make([]string, len(batch)), make([]string, len(batch)), make([]string, len(batch))
	for i, k := range batch {
		accounts[i], nkeys[i], issuers[i] = asNKey(k.account), asNKey(k.nkey), asNKey(k.issuer)
	}
	rows, err := a.pool.Query(ctx, selectMeant, accounts, nkeys, issuers, a.facts.auth.id)
	if err != nil {
		return err
	}
	var i int
	var m meant
	_, err = pgx.ForEachRow(rows, []any{&i, &m.tenant, &m.status, &m.user, &m.userStatus, &m.credential, &m.revoked, &m.scoped, &m.scopedIsGone}, func() error {
		k := batch[i-1]
		if r := k.refused(m); r != nil {
			a.told(tenant.Refusal{
				At: k.at, Tenant: m.tenant, User: string(m.user), Method: m.method(), Address: k.address, Code: r.code, Reason: r.reason,
			})
		}
		return nil
	})
	return err
}

// asNKey makes of what can be no nkey one that no row has: text that a client made up may be such as the database can't take.
func asNKey(key string) string {
	for _, c := range []byte(key) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return key
}

func (m meant) method() tenant.Method {
	if m.credential == tenant.CredentialService || m.scoped == tenant.ScopedService {
		return tenant.MethodService
	}
	return tenant.MethodCreds
}

// A refusal is why a server did not let somebody in: a fixed code, and a sentence with the remedy.
type refusal struct{ code, reason string }

var (
	refuseCrowd       = &refusal{"connections_limit", "the tenant has as many connections open as its limit allows; close some, or ask the operator for more"}
	refuseTenant      = &refusal{"tenant_unknown", "the credentials are for no tenant that exists; have new ones issued"}
	refuseSuspended   = &refusal{"tenant_suspended", "the tenant is suspended; ask the operator"}
	refuseKeyGone     = &refusal{"key_removed", "the tenant's key that signed the credentials was removed; sign new ones with a key that the tenant has"}
	refuseNKey        = &refusal{"nkey_unknown", "the credentials are signed by the tenant's key, but their nkey is registered for no user; set it as the user's nkey"}
	refuseCreds       = &refusal{"creds_unknown", "Parley did not issue the credentials, and no key of the tenant signed them; have new ones issued"}
	refuseUserDeleted = &refusal{"user_deleted", "the user of the credentials was deleted; make the user again, and have new ones issued"}
	refuseRevoked     = &refusal{"user_revoked", "the user of the credentials is revoked; restore the user to let it in"}
	refuseCredsGone   = &refusal{"creds_revoked", "the credentials are revoked, or their key was removed; have new ones issued"}
	refuseExpired     = &refusal{"creds_expired", "the credentials are out of date; have new ones issued"}
	refuseSignature   = &refusal{"creds_signature", "the credentials were altered, or their seed is another's; give the client the file as it was issued"}
)

// refused finds why, in the order in which an admin would look; nil: nothing is wrong.
func (k knock) refused(m meant) *refusal {
	switch {
	case m.tenant == "" || m.status == tenant.Deleting:
		return refuseTenant
	case m.status != tenant.Active:
		return refuseSuspended
	case m.scopedIsGone:
		return refuseKeyGone
	case m.credential == "" && m.scoped == "":
		return refuseCreds
	case m.user == "":
		return refuseNKey
	case m.userStatus == tenant.UserDeleted:
		return refuseUserDeleted
	case m.userStatus != tenant.UserActive:
		return refuseRevoked
	case m.revoked:
		return refuseCredsGone
	case k.crowded:
		return refuseCrowd
	case k.came:
		return nil
	case k.expires != 0 && k.at.Unix() >= k.expires:
		return refuseExpired
	}
	return refuseSignature
}

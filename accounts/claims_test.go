package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

func newKey(t testing.TB, prefix nkeys.PrefixByte) (nkeys.KeyPair, string) {
	t.Helper()
	pair, err := nkeys.CreatePair(prefix)
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return pair, public
}

func accountKey(t testing.TB) string {
	_, public := newKey(t, nkeys.PrefixByteAccount)
	return public
}

func testSystem(t testing.TB) systemFacts {
	owner := func() account { return account{accountKey(t), []string{accountKey(t)}} }
	_, op := newKey(t, nkeys.PrefixByteOperator)
	_, opSigning := newKey(t, nkeys.PrefixByteOperator)
	_, user := newKey(t, nkeys.PrefixByteUser)
	_, xkey := newKey(t, nkeys.PrefixByteCurve)
	return systemFacts{operator: account{op, []string{opSigning}}, sys: owner(), auth: owner(), parley: owner(), callout: user, xkey: xkey}
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTenantClaims(t *testing.T) {
	t.Parallel()
	f := tenantFacts{
		Tenant: "acme", Account: accountKey(t), Signing: []string{accountKey(t)}, Status: tenant.Active,
		Limits: tenant.Limits{Connections: 5}, Closed: []closedPost{
			{Class: tenant.Std, Kind: tenant.Open, Room: "town", Why: "frozen"},
			{Class: tenant.Keep, Kind: tenant.Direct, Room: "a.b", Why: "deleted"},
			{Class: tenant.Day, Kind: tenant.Shared, Room: "hall", Address: "k3", Why: "archived"},
			{Class: tenant.Std, Kind: tenant.Announce, Room: "news", User: "bob", Why: "muted"},
			{User: "eve", Why: "over_rate"},
		},
	}
	platform := accountKey(t)
	c := tenantClaims(f, platform)

	mappings := map[string]string{}
	for from, to := range c.Mappings {
		if len(to) != 1 || to[0].GetWeight() != 100 {
			t.Errorf("got %s mapped to %v, want one target for all", from, to)
		}
		mappings[string(from)] = string(to[0].Subject)
	}
	want := map[string]string{
		"live.>": "void.>", "chat.*.*.*._": "void.system", "chat.*.*.*.*._": "void.system", "chat.shared.*._": "void.system",
		"chat.std.open.town.*": "void.frozen", "chat.keep.direct.a.b.*": "void.deleted", "chat.shared.k3.*": "void.archived",
		"chat.std.announce.news.bob": "void.muted",
		"chat.*.*.*.eve":             "void.over_rate", "chat.*.*.*.*.eve": "void.over_rate", "chat.shared.*.eve": "void.over_rate",
	}
	if got, want := toJSON(t, mappings), toJSON(t, want); got != want {
		t.Errorf("got mappings %s, want %s", got, want)
	}

	if len(c.Imports) != 2 || len(c.Exports) != 1 {
		t.Fatalf("got %d imports and %d exports, want 2 and that of services", len(c.Imports), len(c.Exports))
	}
	if e := c.Exports[0]; e.Subject != "svc.*.*.*" || e.Type != jwt.Service || !e.TokenReq || e.ResponseType != jwt.ResponseTypeSingleton || e.AccountTokenPosition != 0 {
		t.Errorf("got export %+v, want one that asks for a token", e)
	}
	imports := map[jwt.ExportType]*jwt.Import{}
	for _, i := range c.Imports {
		imports[i.Type] = i
	}
	if s := imports[jwt.Service]; string(s.Subject) != "t."+f.Account+".>" || s.LocalSubject != "chat.>" || s.Account != platform {
		t.Errorf("got service import %+v", s)
	}
	if s := imports[jwt.Stream]; string(s.Subject) != "live."+f.Account+".>" || s.LocalSubject != "live.>" || s.Account != platform {
		t.Errorf("got stream import %+v", s)
	}

	l := c.Limits
	if l.Conn != 5 || l.Subs != maxSubs || l.Payload != 64<<10+headerBytes || !l.DisallowBearer || l.LeafNodeConn != 0 || l.Exports != 1 {
		t.Errorf("got limits %+v", l)
	}
	if l.IsJSEnabled() {
		t.Error("a tenant has JetStream")
	}
	if p := c.DefaultPermissions; !p.Pub.Deny.Contains(">") || !p.Sub.Deny.Contains(">") {
		t.Errorf("got default permissions %+v, want all denied", p)
	}
	if c.HasExternalAuthorization() || !c.SigningKeys.Contains(f.Signing[0]) || len(c.SigningKeys) != 1 {
		t.Errorf("got %+v, want the tenant's signing key and no callout", c.SigningKeys)
	}
}

func TestPayloadNeverExceedsTheServers(t *testing.T) {
	t.Parallel()
	f := tenantFacts{Tenant: "acme", Account: accountKey(t), Limits: tenant.Limits{MessageBytes: 1 << 20}}
	if got := tenantClaims(f, accountKey(t)).Limits.Payload; got != 1<<20 {
		t.Errorf("got payload %d, want %d", got, 1<<20)
	}
}

func TestClosedRoomsAreBounded(t *testing.T) {
	t.Parallel()
	f := tenantFacts{Tenant: "acme", Account: accountKey(t)}
	open := len(tenantClaims(f, accountKey(t)).Mappings)
	for i := range 3 * maxClosed {
		f.Closed = append(f.Closed, closedPost{Class: tenant.Std, Kind: tenant.Open, Room: tenant.RoomID(fmt.Sprint("r", i)), Why: "frozen"})
	}
	m := tenantClaims(f, accountKey(t)).Mappings
	if len(m) != open+maxClosed {
		t.Errorf("got %d mappings, want %d", len(m), open+maxClosed)
	}
	if _, ok := m["chat.std.open.r0.*"]; !ok {
		t.Error("the newest closed room is open")
	}
}

func TestPlatformClaims(t *testing.T) {
	t.Parallel()
	f := testSystem(t)
	p := parleyClaims(f)
	if !p.Limits.IsJSEnabled() || len(p.Exports) != 3 || len(p.Imports) != 0 || len(p.Mappings) != 0 {
		t.Errorf("got %s; want JetStream, three exports and nothing else", toJSON(t, p))
	}
	services := 0
	for _, e := range p.Exports {
		switch e.Type {
		case jwt.Service:
			services++
			if e.Subject != "t.*.>" || e.AccountTokenPosition != 2 || e.ResponseType != jwt.ResponseTypeSingleton || e.TokenReq {
				t.Errorf("got service export %+v", e)
			}
		case jwt.Stream:
			public := e.Subject == "live.*.>" && e.AccountTokenPosition == 2 && !e.TokenReq
			private := e.Subject == "shared.*.>" && e.AccountTokenPosition == 0 && e.TokenReq
			if !public && !private {
				t.Errorf("got stream export %+v", e)
			}
		}
	}
	if services != 1 {
		t.Errorf("got %d service exports, want exactly one", services)
	}
	a := authClaims(f)
	if toJSON(t, a.Authorization) != toJSON(t, jwt.ExternalAuthorization{AuthUsers: jwt.StringList{f.callout}, AllowedAccounts: jwt.StringList{"*"}, XKey: f.xkey}) {
		t.Errorf("got authorization %s", toJSON(t, a.Authorization))
	}
	for _, c := range []*jwt.AccountClaims{a, sysClaims(f)} {
		if c.Limits.IsJSEnabled() || len(c.Exports)+len(c.Imports) != 0 {
			t.Errorf("%s: want no JetStream, exports or imports", c.Name)
		}
	}
	o := operatorClaims(f)
	if !o.StrictSigningKeyUsage || o.SystemAccount != f.sys.id || !o.SigningKeys.Contains(f.operator.signing[0]) {
		t.Errorf("got operator %s", toJSON(t, o))
	}
}

// The same facts give the same content, in whatever order maps and rows come.
func TestContentIsStable(t *testing.T) {
	t.Parallel()
	f := tenantFacts{Tenant: "acme", Account: accountKey(t), Signing: []string{accountKey(t), accountKey(t)}}
	for i := range 50 {
		f.Closed = append(f.Closed, closedPost{Class: tenant.Std, Kind: tenant.Open, Room: tenant.RoomID(fmt.Sprint("r", i)), Why: "frozen"})
	}
	platform := accountKey(t)
	content := func(f tenantFacts, issuer string) []byte {
		b, err := contentOf(tenantClaims(f, platform), issuer)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := content(f, "O1")
	for range 20 {
		rand.Shuffle(len(f.Closed), func(i, j int) { f.Closed[i], f.Closed[j] = f.Closed[j], f.Closed[i] })
		f.Signing[0], f.Signing[1] = f.Signing[1], f.Signing[0]
		if !bytes.Equal(content(f, "O1"), first) {
			t.Fatal("the same facts have two contents")
		}
	}
	if bytes.Equal(content(f, "O2"), first) {
		t.Error("another issuer gives the same content, so that a rotated key would not sign anew")
	}
	f.Closed[0].Why = "archived"
	if bytes.Equal(content(f, "O1"), first) {
		t.Error("other facts give the same content")
	}
}

func TestEncodeAndVerify(t *testing.T) {
	t.Parallel()
	operator, issuer := newKey(t, nkeys.PrefixByteOperator)
	rogue, _ := newKey(t, nkeys.PrefixByteOperator)
	f := tenantFacts{Tenant: "acme", Account: accountKey(t), Signing: []string{accountKey(t)}}
	claims := func() *jwt.AccountClaims { return tenantClaims(f, accountKey(t)) }
	sign := func(c jwt.Claims, by nkeys.KeyPair, iat int64) string {
		text, err := encode(c, by, iat)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := sign(claims(), operator, 1000)
	if err := verify(good, f.Account, []string{issuer}); err != nil {
		t.Errorf("got %v, want none", err)
	}
	c, err := jwt.DecodeAccountClaims(good)
	if err != nil || c.IssuedAt != 1000 || c.Issuer != issuer || c.ID == "" {
		t.Errorf("got %+v, %v; want iat 1000", c, err)
	}
	same := claims()
	if a, b := sign(same, operator, 1000), sign(same, operator, 1001); decodeID(t, a) == decodeID(t, b) {
		t.Error("two JWTs have the same jti")
	}

	expired := claims()
	expired.Expires = 1
	badMapping := claims()
	voidTo(badMapping, "a b", "void.x")
	tampered := []byte(good)
	tampered[len(tampered)/2] ^= 1
	big := claims()
	big.Description = strings.Repeat("x", maxJWT)
	for name, text := range map[string]string{
		"another operator": sign(claims(), rogue, 1), "expired": sign(expired, operator, 1), "tampered": string(tampered),
		"empty": "", "not valid": sign(badMapping, operator, 1), "too big": sign(big, operator, 1),
	} {
		if err := verify(text, f.Account, []string{issuer}); err == nil {
			t.Errorf("%s: got none, want an error", name)
		}
	}
	if err := verify(good, accountKey(t), []string{issuer}); err == nil {
		t.Error("claims of another account were accepted")
	}
}

func decodeID(t testing.TB, text string) string {
	t.Helper()
	c, err := jwt.DecodeAccountClaims(text)
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// TestClaimsFit sizes what sharing adds to an account's claims, and an account at all its bounds.
func TestClaimsFit(t *testing.T) { // REV-13
	t.Parallel()
	operator, _ := newKey(t, nkeys.PrefixByteOperator)
	host, account := newKey(t, nkeys.PrefixByteAccount)
	platformKey, platform := newKey(t, nkeys.PrefixByteAccount)
	_, user := newKey(t, nkeys.PrefixByteUser)
	open := func(tenant.SealedKey) (nkeys.KeyPair, error) { return host, nil }
	longest := strings.Repeat("x", 64)
	for _, c := range []struct {
		name                             string
		rooms, services, closed, revoked int
	}{
		{"bare", 0, 0, 0, 0},
		{"a host of 200 shared rooms", 200, 0, 0, 0},
		{"a guest of 50 rooms and 50 services", 50, 50, 0, 0},
		{"at all bounds, rooms", tenant.MaxShared, 0, maxClosed, maxRevoked},
		{"at all bounds, services", 0, tenant.MaxShared, maxClosed, maxRevoked},
	} {
		f := tenantFacts{Tenant: tenant.TenantID(longest), Account: accountKey(t), Signing: []string{accountKey(t)}, Status: tenant.Active}
		for i := range c.rooms {
			f.Shared = append(f.Shared, sharedRoom{tenant.RoomID(fmt.Sprintf("r%026d", i)), 1800000000})
		}
		for i := range c.services {
			f.Asked = append(f.Asked, sharedService{
				Share: fmt.Sprintf("%026d", i), Service: longest, Host: tenant.TenantID(longest), Since: 1800000000, Key: tenant.SealedKey{Account: account},
			})
		}
		for i := range c.closed {
			f.Closed = append(f.Closed, closedPost{Class: tenant.Keep, Kind: tenant.Announce, Room: tenant.RoomID(fmt.Sprintf("%064d", i)), User: tenant.UserID(longest), Why: "over_rate"})
		}
		for i := range c.revoked {
			f.Revoked = append(f.Revoked, fmt.Sprintf("%s%04d", user[:52], i))
		}
		claims := tenantClaims(f, platform)
		if err := errors.Join(importShared(claims, platform, platformKey, f.Shared), importServices(claims, f.Tenant, open, f.Asked)); err != nil {
			t.Fatal(err)
		}
		text, err := encode(claims, operator, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes of %d", c.name, len(text), maxJWT)
		if len(text) >= maxJWT {
			t.Errorf("%s: got %d bytes, want less than %d", c.name, len(text), maxJWT)
		}
	}
}

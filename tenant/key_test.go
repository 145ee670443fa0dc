package tenant_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	add := func(scopes ...tenant.Scope) (tenant.Key, tenant.Secret) {
		t.Helper()
		k, secret, err := d.AddKey(ctx, op, "acme", tenant.KeySpec{Kind: tenant.KeyAPI, Name: "bot", Scopes: scopes})
		d.must(err)
		return k, secret.APIKey
	}
	old, oldSecret := add(tenant.ScopeChat, tenant.ScopeRead)
	_, newSecret := add(tenant.ScopeChat) // two at once: the overlap of a rotation
	for _, key := range []tenant.Secret{oldSecret, newSecret} {
		a, err := d.Authenticate(ctx, key)
		d.must(err)
		for scope, want := range map[tenant.Scope]bool{
			tenant.ScopeChat: true, tenant.ScopeRead: key == oldSecret, tenant.ScopeAdmin: false,
		} {
			if got := a.Allow(scope, "acme") == nil; got != want {
				t.Errorf("scope %s: got %t, want %t", scope, got, want)
			}
		}
	}
	d.must(d.RemoveKey(ctx, op, "acme", old.ID))
	if _, err := d.Authenticate(ctx, oldSecret); !isCode(err, tenant.CodeUnauthorized) {
		t.Errorf("the removed key: got %v, want unauthorized", err)
	}
	_, err := d.Authenticate(ctx, newSecret)
	d.must(err)
	if err := d.RemoveKey(ctx, op, "acme", old.ID); !isCode(err, tenant.CodeNotFound) {
		t.Errorf("removed twice: got %v, want not_found", err)
	}
	keys, err := d.Keys(ctx, op, "acme", tenant.Page{Limit: 10})
	d.must(err)
	if len(keys) != 2 { // the tenant's first key, and the new one
		t.Errorf("got %d keys, want 2", len(keys))
	}
	var actions []string
	trail, err := d.AuditTrail(ctx, op, "acme", tenant.Page{Query: "key:" + old.ID, Limit: 10})
	d.must(err)
	for _, e := range trail {
		actions = append(actions, e.Action)
		if text := string(e.Before) + string(e.After); strings.Contains(text, strings.Split(oldSecret.Reveal(), "_")[2]) {
			t.Errorf("%s: the trail holds the key: %s", e.Action, text)
		}
	}
	if want := []string{"key.remove", "key.add"}; !slices.Equal(actions, want) {
		t.Errorf("got the trail %v, want %v", actions, want)
	}
}

// REV-15: what a removed key opened is closed at once, and looked for again by a job.
func TestARemovedKeyClosesWhatItOpened(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	for _, fails := range []bool{false, true} {
		k, _, err := d.AddKey(ctx, op, "acme", tenant.KeySpec{Kind: tenant.KeyAPI, Name: "bot", Scopes: tenant.AllScopes})
		d.must(err)
		d.fails["kick key "+k.ID] = fails
		err = d.RemoveKey(ctx, op, "acme", k.ID)
		if fails {
			d.wantUnavailable(err)
		} else {
			d.must(err)
		}
		d.wantDid("kick key " + k.ID)
		if jobs := d.jobs(); jobs[len(jobs)-1] != "sweep_key" {
			t.Errorf("got the jobs %v, want sweep_key at their end", jobs)
		}
		delete(d.fails, "kick key "+k.ID)
		d.must(d.SweepKey(ctx, tenant.SweepKey{Tenant: "acme", Key: k.ID}))
		d.wantDid("kick key " + k.ID)
	}
}

// A key that is used all the time is written down once a minute.
func TestUseOfAnAPIKeyIsNotedCoarsely(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	k, secret, err := d.AddKey(ctx, op, "acme", tenant.KeySpec{Kind: tenant.KeyAPI, Name: "bot", Scopes: tenant.AllScopes})
	d.must(err)
	used := func() time.Time {
		t.Helper()
		_, err := d.Authenticate(ctx, secret.APIKey)
		d.must(err)
		keys, err := d.Keys(ctx, op, "acme", tenant.Page{Query: k.ID, Limit: 1})
		d.must(err)
		return keys[0].LastUsed
	}
	first := used()
	if time.Since(first) > time.Minute {
		t.Fatalf("got last used %s, want now", first)
	}
	if again := used(); again != first {
		t.Errorf("used again: got %s, want %s", again, first)
	}
	const sqlLongAgo = `UPDATE keys SET last_used_at = last_used_at - interval '2 minutes' WHERE key_id = $1`
	_, err = d.pool.Exec(ctx, sqlLongAgo, k.ID)
	d.must(err)
	if later := used(); later.Before(first) {
		t.Errorf("used after two minutes: got %s, want %s or later", later, first)
	}
}

func TestKeySpecs(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	type spec = tenant.KeySpec
	type details = tenant.KeyDetails
	ed := publicPEM(t)
	for _, c := range []struct {
		name  string
		spec  spec
		field string // "": it is taken
	}{
		{"an API key", spec{Kind: "api", Name: "bot", Scopes: []tenant.Scope{"read", "chat"}}, ""},
		{"a user-token key", spec{Kind: "user-token", Name: "app", KeyDetails: details{Alg: "EdDSA", PublicKey: ed}}, ""},
		{"a user-token key that makes users", spec{Kind: "user-token", Name: "app", KeyDetails: details{Alg: "EdDSA", PublicKey: ed, CreateUsers: true}}, ""},
		{"another algorithm", spec{Kind: "user-token", Name: "app", KeyDetails: details{Alg: "HS256", PublicKey: ed}}, "alg"},
		{"no algorithm", spec{Kind: "user-token", Name: "app", KeyDetails: details{PublicKey: ed}}, "alg"},
		{"the key of another algorithm", spec{Kind: "user-token", Name: "app", KeyDetails: details{Alg: "ES256", PublicKey: ed}}, "public_key"},
		{"no public key", spec{Kind: "user-token", Name: "app", KeyDetails: details{Alg: "EdDSA"}}, "public_key"},
		{"two public keys", spec{Kind: "user-token", Name: "app", KeyDetails: details{Alg: "EdDSA", PublicKey: ed + ed}}, "public_key"},
		{"a private key", spec{Kind: "user-token", Name: "app", KeyDetails: details{Alg: "EdDSA", PublicKey: strings.ReplaceAll(ed, "PUBLIC", "PRIVATE")}}, "public_key"},
		{"a long public key", spec{Kind: "user-token", Name: "app", KeyDetails: details{Alg: "EdDSA", PublicKey: strings.Repeat("\n", 9000) + ed}}, "public_key"},
		{"scopes of a user-token key", spec{Kind: "user-token", Name: "app", Scopes: tenant.AllScopes, KeyDetails: details{Alg: "EdDSA", PublicKey: ed}}, "scopes"},
		{"an API key that makes users", spec{Kind: "api", Name: "bot", Scopes: tenant.AllScopes, KeyDetails: details{CreateUsers: true}}, "create_users"},
		{"a key set", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://id.example.com/keys", CreateUsers: true}}, ""},
		{"a provider", spec{Kind: "oidc", Name: "login", KeyDetails: details{Issuer: "https://id.example.com/", ClientID: "c", UserClaim: "email"}}, ""},
		{"a provider of a public address", spec{Kind: "oidc", Name: "login", KeyDetails: details{Issuer: "https://93.184.216.34:8443", ClientID: "c"}}, ""},
		{"no URL", spec{Kind: "jwks", Name: "set"}, "url"},
		{"an issuer of a key set", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://id.example.com", Issuer: "https://id.example.com"}}, "issuer"},
		{"no client", spec{Kind: "oidc", Name: "login", KeyDetails: details{Issuer: "https://id.example.com"}}, "client_id"},
		{"a client that means Parley", spec{Kind: "oidc", Name: "login", KeyDetails: details{Issuer: "https://id.example.com", ClientID: "parley:zeta"}}, "client_id"},
		{"an issuer with a query", spec{Kind: "oidc", Name: "login", KeyDetails: details{Issuer: "https://id.example.com?a=b", ClientID: "c"}}, "issuer"},
		{"the URL http://id.example.com", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "http://id.example.com"}}, "url"},
		{"the URL https://127.0.0.1", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://127.0.0.1"}}, "url"},
		{"the URL https://[::1]/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://[::1]/"}}, "url"},
		{"the URL https://localhost/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://localhost/"}}, "url"},
		{"the URL https://localhost./", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://localhost./"}}, "url"},
		{"the URL https://10.0.0.1/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://10.0.0.1/"}}, "url"},
		{"the URL https://169.254.169.254/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://169.254.169.254/"}}, "url"},
		{"the URL https://[fd00::1]/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://[fd00::1]/"}}, "url"},
		{"the URL https://[::ffff:127.0.0.1]", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://[::ffff:127.0.0.1]"}}, "url"},
		{"the URL https://2130706433/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://2130706433/"}}, "url"},
		{"the URL https://intranet/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://intranet/"}}, "url"},
		{"the URL https://id.example.com:22/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://id.example.com:22/"}}, "url"},
		{"the URL https://id.example.com:5432/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://id.example.com:5432/"}}, "url"},
		{"the URL https://a:b@id.example.com/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://a:b@id.example.com/"}}, "url"},
		{"the URL ftp://id.example.com/", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "ftp://id.example.com/"}}, "url"},
		{"the URL file:///etc/passwd", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "file:///etc/passwd"}}, "url"},
		{"the URL javascript:alert(1)", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "javascript:alert(1)"}}, "url"},
		{"the URL //id.example.com", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "//id.example.com"}}, "url"},
		{"the URL https://", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://"}}, "url"},
		{"the URL https://id.example.com/#x", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://id.example.com/#x"}}, "url"},
		{"the URL https://id.example.com/ X: y", spec{Kind: "jwks", Name: "set", KeyDetails: details{URL: "https://id.example.com/\nX: y"}}, "url"},
		{"no kind", spec{Name: "bot"}, "kind"},
		{"another kind", spec{Kind: "nothing", Name: "bot"}, "kind"},
		{"no name", spec{Kind: "api", Scopes: tenant.AllScopes}, "name"},
		{"a name of two lines", spec{Kind: "api", Name: "a\nb", Scopes: tenant.AllScopes}, "name"},
		{"a long name", spec{Kind: "api", Name: strings.Repeat("a", 201), Scopes: tenant.AllScopes}, "name"},
		{"no scopes", spec{Kind: "api", Name: "bot"}, "scopes"},
		{"another scope", spec{Kind: "api", Name: "bot", Scopes: []tenant.Scope{"write"}}, "scopes"},
		{"a scope twice", spec{Kind: "api", Name: "bot", Scopes: []tenant.Scope{"read", "read"}}, "scopes"},
	} {
		k, _, err := d.AddKey(t.Context(), tenant.Operator(), "acme", c.spec)
		e, _ := tenant.AsError(err)
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: got %v, want a key", c.name, err)
		case c.field == "":
			d.must(d.RemoveKey(t.Context(), tenant.Operator(), "acme", k.ID))
		case !isCode(err, tenant.CodeInvalid) || e.Fields[c.field] == "":
			t.Errorf("%s: got %v, want the field %s refused", c.name, err, c.field)
		}
	}
	keys, err := d.Keys(t.Context(), tenant.Operator(), "acme", tenant.Page{Limit: 10})
	d.must(err)
	if len(keys) != 1 {
		t.Errorf("got %d keys, want the tenant's first alone", len(keys))
	}
}

// An issuer's client lets users into one tenant, until its key is removed.
func TestAProvidersClientBelongsToOneTenant(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	d.must(firstOf3(d.CreateTenant(ctx, op, tenant.NewTenant{ID: "zeta"})))
	add := func(id tenant.TenantID, client string) (tenant.Key, error) {
		k, _, err := d.AddKey(ctx, op, id, tenant.KeySpec{
			Kind: tenant.KeyOIDC, Name: "login", KeyDetails: tenant.KeyDetails{Issuer: "https://id.example.com", ClientID: client},
		})
		return k, err
	}
	k, err := add("acme", "one")
	d.must(err)
	for _, id := range []tenant.TenantID{"acme", "zeta"} {
		if _, err := add(id, "one"); !isCode(err, tenant.CodeConflict) {
			t.Errorf("again in %s: got %v, want a conflict", id, err)
		}
	}
	d.must(firstOf2(add("zeta", "two")))
	d.must(d.RemoveKey(ctx, op, "acme", k.ID))
	d.must(firstOf2(add("zeta", "one")))
}

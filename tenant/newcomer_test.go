package tenant_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"

	"parley/tenant"
)

func publicPEM(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// createsUsers adds a key whose tokens make users.
func (d *desk) createsUsers() tenant.Key {
	d.t.Helper()
	k, _, err := d.AddKey(d.t.Context(), tenant.Operator(), "acme", tenant.KeySpec{
		Kind: tenant.KeyUserToken, Name: "app", KeyDetails: tenant.KeyDetails{Alg: "EdDSA", PublicKey: publicPEM(d.t), CreateUsers: true},
	})
	d.must(err)
	return k
}

func TestNewcomersBecomeUsersOnce(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	k := d.createsUsers()
	var wg sync.WaitGroup
	for range 8 { // as many devices at once
		wg.Go(func() {
			n := tenant.Newcomer{Handle: tenant.Handle{External: "carol@acme.example"}, Key: k.ID, Name: "Carol"}
			if err := d.Welcome(ctx, "acme", n); err != nil {
				t.Errorf("got %v, want her in", err)
			}
		})
	}
	wg.Wait()
	users, err := d.Users(ctx, op, "acme", tenant.Page{Query: "carol", Limit: 10})
	d.must(err)
	if len(users) != 1 {
		t.Fatalf("got %d users, want 1", len(users))
	}
	u := users[0]
	if u.Name != "Carol" || u.ExternalID != "carol@acme.example" || !strings.HasPrefix(string(u.ID), "ext-") || !tenant.ValidID(string(u.ID)) {
		t.Errorf("got %+v, want Carol with an id made of her external one", u)
	}
	if !u.TokensFrom.Equal(k.CreatedAt) {
		t.Errorf("got tokens from %s, want from %s, when the key was made", u.TokensFrom, k.CreatedAt)
	}
	trail, err := d.AuditTrail(ctx, op, "acme", tenant.Page{Query: "user:" + string(u.ID), Limit: 10})
	d.must(err)
	if len(trail) != 1 || trail[0].Action != "user.create" || trail[0].Actor != "key:"+k.ID {
		t.Errorf("got the trail %+v, want one user.create by the key", trail)
	}
}

func TestNewcomersWhoAreRefused(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	k := d.createsUsers()
	welcome := func(u tenant.UserID) error {
		return d.Welcome(ctx, "acme", tenant.Newcomer{Handle: tenant.Handle{ID: u}, Key: k.ID})
	}
	d.must(welcome("carol"))
	d.must(d.DeleteUser(ctx, op, "acme", "carol"))
	if err := welcome("carol"); !isCode(err, tenant.CodeForbidden) {
		t.Errorf("a deleted user: got %v, want forbidden", err)
	}
	d.must(firstOf2(d.UpdateTenant(ctx, op, "acme", tenant.TenantPatch{Limits: map[string]int64{"users": 3}})))
	d.must(welcome("dora"))
	if err := welcome("emil"); !isCode(err, tenant.CodeLimitReached) {
		t.Errorf("one too many: got %v, want limit_reached", err)
	}
	d.must(welcome("dora")) // is there already
	d.must(d.RemoveKey(ctx, op, "acme", k.ID))
	if err := welcome("dora"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("by a removed key: got %v, want not found", err)
	}
	if _, err := d.User(ctx, op, "acme", "emil"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("emil: got %v, want not found", err)
	}
}

func TestHandles(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]struct {
		handle tenant.Handle
		ok     bool
	}{
		"alice":                  {tenant.Handle{ID: "alice"}, true},
		"f47ac10b-58cc-4372":     {tenant.Handle{ID: "f47ac10b-58cc-4372"}, true},
		"alice@acme.example":     {tenant.Handle{External: "alice@acme.example"}, true},
		"auth0|5f7c8ec7c33c":     {tenant.Handle{External: "auth0|5f7c8ec7c33c"}, true},
		"Alice":                  {tenant.Handle{External: "Alice"}, true},
		"open":                   {tenant.Handle{External: "open"}, true}, // a reserved word is no id
		"*":                      {tenant.Handle{External: "*"}, true},
		"":                       {ok: false},
		"_":                      {ok: false},
		"a\nb":                   {ok: false},
		"\xff":                   {ok: false},
		strings.Repeat("A", 201): {ok: false},
		"ext-abc":                {ok: false},
	} {
		got, ok := tenant.ParseHandle(s)
		if ok != want.ok || ok && got != want.handle {
			t.Errorf("%q: got %+v %t, want %+v %t", s, got, ok, want.handle, want.ok)
		}
	}
}

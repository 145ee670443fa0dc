package pgstore

import (
	"context"
	"testing"

	"parley/tenant"
)

func TestTenantIsReadAsWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	got, err := s.Tenant(within(t), "acme")
	must(t, err)
	want(t, "tenant", got, tenantOf("acme"))

	changed := tenantOf("acme")
	changed.Name, changed.Timezone, changed.Limits, changed.Status = "New", "UTC", tenant.Limits{Rooms: 3}, tenant.Suspended
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.UpdateTenant(ctx, changed) })
	got, err = s.Tenant(within(t), "acme")
	must(t, err)
	want(t, "changed tenant", got, changed)

	_, err = s.Tenant(within(t), "other")
	wantErr(t, "unknown tenant", err, tenant.ErrNotFound)
}

func TestTenantOfATakenIDIsAConflict(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	again := tenantOf("acme")
	again.Account = account("other")
	err := s.Create(within(t), func(x tenant.Tx) error { return x.InsertTenant(within(t), again, keysOf("other")) })
	wantField(t, "the same id", err, "id")
	addTenant(t, s, "other")
	want(t, "account keys", count(t, s, `SELECT count(*) FROM account_keys k JOIN accounts a USING (account) WHERE a.tenant_id = 'other'`), 3)
}

func TestDeletingTenantDoesNotExist(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	for _, id := range []tenant.TenantID{"acme", "other"} {
		write(t, s, id, func(ctx context.Context, x tenant.Tx) error {
			return x.InsertKey(ctx, apiKey("key-"+string(id), id))
		})
	}
	setStatus(t, s, "acme", tenant.Deleting)
	ctx := within(t)

	_, err := s.Tenant(ctx, "acme")
	wantErr(t, "Tenant", err, tenant.ErrNotFound)
	_, err = s.APIKey(ctx, "key-acme")
	wantErr(t, "APIKey", err, tenant.ErrNotFound)
	_, err = s.Identity(ctx, tenant.Claim{Tenant: "acme", User: "alice"})
	wantErr(t, "Identity", err, tenant.ErrNotFound)
	ran := false
	err = s.Write(ctx, "acme", func(tenant.Tx, tenant.Tenant) error { ran = true; return nil })
	wantErr(t, "Write", err, tenant.ErrNotFound)
	want(t, "fn ran", ran, false)
	rows, err := s.Tenants(ctx, tenant.Page{Limit: 10})
	must(t, err)
	if len(rows) != 1 || rows[0].ID != "other" {
		t.Errorf("Tenants: got %v, want other alone", rows)
	}

	key, err := s.APIKey(ctx, "key-other")
	must(t, err)
	want(t, "key's tenant", key.Tenant, "other")
	want(t, "key's scopes", len(key.Scopes), 3)
	want(t, "key's time", key.CreatedAt, base)
}

func TestTenantsPage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "a", "b", "c", "d")
	ids := func(p tenant.Page) (out string) {
		t.Helper()
		rows, err := s.Tenants(within(t), p)
		must(t, err)
		for _, r := range rows {
			out += string(r.ID)
		}
		return out
	}
	want(t, "first page", ids(tenant.Page{Limit: 2}), "ab")
	want(t, "next page", ids(tenant.Page{Limit: 2, After: "b"}), "cd")
	want(t, "beyond", ids(tenant.Page{Limit: 2, After: "d"}), "")
	want(t, "by name", ids(tenant.Page{Limit: 2, Query: "NAME of c"}), "c")
}

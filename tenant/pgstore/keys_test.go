package pgstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/tenant"
)

func apiKey(id string, t tenant.TenantID) tenant.Key {
	spec := tenant.KeySpec{Kind: tenant.KeyAPI, Name: "name of " + id, Scopes: tenant.AllScopes}
	return tenant.Key{ID: id, Tenant: t, KeySpec: spec, Hash: []byte{1}, CreatedAt: base}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	for _, k := range []tenant.Key{apiKey("a", "acme"), apiKey("b", "acme"), apiKey("c", "acme"), apiKey("d", "other")} {
		write(t, s, k.Tenant, func(ctx context.Context, x tenant.Tx) error { return x.InsertKey(ctx, k) })
	}
	removed := func(id string) (k tenant.Key, err error) {
		err = try(t, s, "acme", func(ctx context.Context, x tenant.Tx) (err error) {
			k, err = x.RemoveKey(ctx, "acme", id, at(5))
			return err
		})
		return k, err
	}
	k, err := removed("b")
	must(t, err)
	want(t, "removed key", k.Name, "name of b")
	want(t, "its time", k.RemovedAt, at(5))
	_, err = removed("b")
	wantErr(t, "removed twice", err, tenant.ErrNotFound)
	_, err = removed("d")
	wantErr(t, "another tenant's", err, tenant.ErrNotFound)

	ids := func(p tenant.Page) (out string) {
		t.Helper()
		rows, err := s.Keys(within(t), "acme", p)
		must(t, err)
		for _, k := range rows {
			out += k.ID
		}
		return out
	}
	want(t, "list", ids(tenant.Page{Limit: 10}), "ac")
	want(t, "next page", ids(tenant.Page{Limit: 10, After: "a"}), "c")
	want(t, "by name", ids(tenant.Page{Limit: 10, Query: "of c"}), "c")
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		n, err := x.CountKeys(ctx, "acme", tenant.KeyAPI)
		want(t, "count", n, 2)
		return err
	})
	_, err = s.APIKey(within(t), "a")
	must(t, err)
	_, err = s.APIKey(within(t), "b")
	wantErr(t, "removed key", err, tenant.ErrNotFound)
}

func TestKeyUsedNeverGoesBack(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return x.InsertKey(ctx, apiKey("a", "acme")) })
	for _, c := range []struct{ used, want time.Time }{{at(10), at(10)}, {at(5), at(10)}, {at(20), at(20)}} {
		must(t, s.KeyUsed(within(t), "a", c.used))
		k, err := s.APIKey(within(t), "a")
		must(t, err)
		want(t, "last used", k.LastUsed, c.want)
	}
}

// Code of before the table keys reads and writes api_keys.
func TestOldCodeSeesAPIKeys(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	const sqlOldInsert = `
INSERT INTO api_keys (key_id, tenant_id, name, hash, scopes, created_at) VALUES ('old', 'acme', 'k', '\x01', '{read}', now())`
	_, err := s.pool.Exec(within(t), sqlOldInsert)
	must(t, err)
	k, err := s.APIKey(within(t), "old")
	must(t, err)
	want(t, "kind", k.Kind, tenant.KeyAPI)
	want(t, "seen by old code", count(t, s, `SELECT count(*) FROM api_keys WHERE revoked_at IS NULL`), 1)
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		_, err := x.RemoveKey(ctx, "acme", "old", at(1))
		return err
	})
	want(t, "seen after its removal", count(t, s, `SELECT count(*) FROM api_keys WHERE revoked_at IS NULL`), 0)
	if _, err := s.APIKey(within(t), "old"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("after its removal: got %v, want not found", err)
	}
}

package pgstore

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"parley/internal/pgtest"
	"parley/tenant"
)

var _ tenant.Store = (*Store)(nil)

func TestMain(m *testing.M) { pgtest.Main(m) }

// base is the time of the first row; what comes later is base plus so much.
var base = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func at(seconds int) time.Time { return base.Add(time.Duration(seconds) * time.Second) }

func newStore(t *testing.T) *Store {
	t.Helper()
	return storeOver(t, pgtest.NewPool(t))
}

func storeOver(t *testing.T, pool *pgxpool.Pool) *Store {
	t.Helper()
	s, err := New(Config{Pool: pool, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

// within bounds a test's own statements.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func account(id tenant.TenantID) string {
	return "A" + strings.ToUpper(string(id)) + strings.Repeat("A", 55-len(id))
}

// tokenKeyOf is a different key for each tenant.
func tokenKeyOf(id tenant.TenantID) ed25519.PublicKey {
	return ed25519.PublicKey(account(id)[:ed25519.PublicKeySize])
}

func tenantOf(id tenant.TenantID) tenant.Tenant {
	return tenant.Tenant{
		Retention: tenant.Retention{StdSeconds: 3600, WhenFull: tenant.RefuseNew},
		ID:        id, Name: "Name of " + string(id), Account: account(id), Timezone: "Europe/Berlin",
		Limits: tenant.Limits{Users: 7}, Status: tenant.Active, CreatedAt: base,
	}
}

func keysOf(id tenant.TenantID) []tenant.SealedKey {
	token := base64.RawURLEncoding.EncodeToString(tokenKeyOf(id))
	return []tenant.SealedKey{
		{Account: account(id), KeyID: account(id), Purpose: "identity", Sealed: []byte("i"), Version: 1},
		{Account: account(id), KeyID: "SIGN" + account(id), Purpose: "signing", Sealed: []byte("sealed " + id), Version: 3},
		{Account: account(id), KeyID: token, Purpose: "token", Sealed: []byte("t"), Version: 1},
	}
}

func addTenant(t *testing.T, s *Store, ids ...tenant.TenantID) {
	t.Helper()
	for _, id := range ids {
		must(t, s.Create(within(t), func(x tenant.Tx) error { return x.InsertTenant(within(t), tenantOf(id), keysOf(id)) }))
	}
}

func userOf(t tenant.TenantID, id tenant.UserID) tenant.User {
	return tenant.User{Tenant: t, ID: id, Kind: tenant.Person, Name: "User " + string(id), Status: tenant.UserActive, CreatedAt: base, TokensFrom: base}
}

func roomOf(t tenant.TenantID, id tenant.RoomID, k tenant.Kind) tenant.Room {
	return tenant.Room{Tenant: t, ID: id, Kind: k, Class: tenant.Std, Title: "Room " + string(id), State: tenant.RoomActive, History: tenant.ReachAll, CreatedAt: base}
}

func memberOf(r tenant.RoomID, u tenant.UserID, role tenant.Role) tenant.Member {
	return tenant.Member{Room: r, User: u, Role: role, State: tenant.Joined, JoinedAt: base}
}

// write runs fn for a tenant and fails the test on an error.
func write(t *testing.T, s *Store, id tenant.TenantID, fn func(ctx context.Context, x tenant.Tx) error) {
	t.Helper()
	must(t, try(t, s, id, fn))
}

func try(t *testing.T, s *Store, id tenant.TenantID, fn func(ctx context.Context, x tenant.Tx) error) error {
	t.Helper()
	ctx := within(t)
	return s.Write(ctx, id, func(x tenant.Tx, _ tenant.Tenant) error { return fn(ctx, x) })
}

func addUser(t *testing.T, s *Store, users ...tenant.User) {
	t.Helper()
	for _, u := range users {
		write(t, s, u.Tenant, func(ctx context.Context, x tenant.Tx) error { return x.PutUser(ctx, u) })
	}
}

func addRoom(t *testing.T, s *Store, rooms ...tenant.Room) {
	t.Helper()
	for _, r := range rooms {
		write(t, s, r.Tenant, func(ctx context.Context, x tenant.Tx) error { return x.InsertRoom(ctx, r) })
	}
}

func addMember(t *testing.T, s *Store, id tenant.TenantID, members ...tenant.Member) {
	t.Helper()
	for _, m := range members {
		write(t, s, id, func(ctx context.Context, x tenant.Tx) error { return x.PutMember(ctx, id, m) })
	}
}

// setStatus moves a tenant to another status.
func setStatus(t *testing.T, s *Store, id tenant.TenantID, status tenant.Status) {
	t.Helper()
	write(t, s, id, func(ctx context.Context, x tenant.Tx) error {
		row := tenantOf(id)
		row.Status = status
		return x.UpdateTenant(ctx, row)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// wantField checks that a conflict names the field.
func wantField(t *testing.T, what string, err error, field string) {
	t.Helper()
	wantErr(t, what, err, tenant.ErrConflict)
	e, ok := tenant.AsError(err)
	if !ok || e.Fields[field] == "" || !strings.HasPrefix(e.Message, field+":") {
		t.Errorf("%s: got %#v, want a conflict that names %q", what, e, field)
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// count is the answer of a query that counts.
func count(t *testing.T, s *Store, sql string, args ...any) (n int) {
	t.Helper()
	must(t, s.pool.QueryRow(within(t), sql, args...).Scan(&n))
	return n
}

func TestNewNeedsAPool(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("New without a pool: got no error, want one")
	}
}

package console

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/tenant"
)

const operatorToken = "the-operators-token"

// The keys of two tenants, and of the first one with one scope each.
var (
	key1     = testKey("aaaaaaaaaaaa")
	key2     = testKey("bbbbbbbbbbbb")
	keyRead  = testKey("cccccccccccc")
	keyChat  = testKey("dddddddddddd")
	keyAdmin = testKey("eeeeeeeeeeee")
)

func testKey(id string) string { return "parley_" + id + "_" + strings.Repeat("K", 26) }

// keyStore is a store with nothing but the keys, so that the actors of the tests are real ones.
type keyStore struct{ tenant.Store }

func (keyStore) KeyUsed(context.Context, string, time.Time) error { return nil }

func (keyStore) APIKey(_ context.Context, id string) (tenant.Key, error) {
	k := tenant.Key{ID: id, Tenant: "t1", KeySpec: tenant.KeySpec{Kind: tenant.KeyAPI, Scopes: tenant.AllScopes}}
	switch testKey(id) {
	case key1:
	case key2:
		k.Tenant = "t2"
	case keyRead:
		k.Scopes = []tenant.Scope{tenant.ScopeRead}
	case keyChat:
		k.Scopes = []tenant.Scope{tenant.ScopeChat}
	case keyAdmin:
		k.Scopes = []tenant.Scope{tenant.ScopeAdmin}
	default:
		return tenant.Key{}, tenant.ErrNotFound
	}
	hash := sha256.Sum256([]byte(testKey(id)))
	k.Hash = hash[:]
	return k, nil
}

type unused struct {
	tenant.Accounts
	tenant.Streams
	tenant.Passwords
}

// fake is a domain with tenants t1 and t2, which have the users alice and bob and the room lobby
// each. It keeps to the rules of scopes and existence, and notes what ran.
type fake struct {
	keys *tenant.Service
	hook func(op string) error // runs in each write that was let through

	mu    sync.Mutex
	ran   []string
	items int // how many items lists have
}

func newFake(t testing.TB) *fake {
	t.Helper()
	keys, err := tenant.NewService(tenant.Config{Store: keyStore{}, Accounts: unused{}, Streams: unused{}, Passwords: unused{}})
	if err != nil {
		t.Fatal(err)
	}
	return &fake{keys: keys}
}

func (f *fake) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ran)
}

// did notes that an operation ran, and fails like one whose request was given up meanwhile.
func (f *fake) did(ctx context.Context, op string) error {
	f.mu.Lock()
	f.ran = append(f.ran, op)
	f.mu.Unlock()
	if f.hook != nil {
		if err := f.hook(op); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (f *fake) may(a tenant.Actor, s tenant.Scope, t tenant.TenantID) error {
	if err := a.Allow(s, t); err != nil {
		return err
	}
	if t != "t1" && t != "t2" {
		return tenant.NotFound("tenant")
	}
	return nil
}

func (f *fake) operator(a tenant.Actor) error {
	if !a.Sees("any") {
		return tenant.Errorf(tenant.CodeForbidden, "only the operator may do this")
	}
	return nil
}

func has(u tenant.UserID) error {
	if u != "alice" && u != "bob" {
		return tenant.NotFound("user")
	}
	return nil
}

func hasRoom(r tenant.RoomID) error {
	if r != "lobby" {
		return tenant.NotFound("room")
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Authenticate(ctx context.Context, key tenant.Secret) (tenant.Actor, error) {
	return f.keys.Authenticate(ctx, key)
}

func (f *fake) CreateTenant(ctx context.Context, a tenant.Actor, n tenant.NewTenant) (tenant.Tenant, tenant.Secret, error) {
	if err := first(f.operator(a)); err != nil {
		return tenant.Tenant{}, "", err
	}
	if n.ID == "t1" {
		return tenant.Tenant{}, "", tenant.ErrConflict
	}
	return tenant.Tenant{ID: tenant.TenantID(n.ID), Limits: n.Limits}, "the-secret-key", f.did(ctx, "create-tenant")
}

func (f *fake) Tenant(_ context.Context, a tenant.Actor, t tenant.TenantID) (tenant.Tenant, error) {
	return tenant.Tenant{ID: t}, f.may(a, tenant.ScopeRead, t)
}

func (f *fake) Tenants(_ context.Context, a tenant.Actor, p tenant.Page) ([]tenant.Tenant, error) {
	return nil, f.operator(a)
}

func (f *fake) Loads(_ context.Context, a tenant.Actor, _ tenant.Page) ([]tenant.TenantLoad, error) {
	return nil, f.operator(a)
}

func (f *fake) UpdateTenant(ctx context.Context, a tenant.Actor, t tenant.TenantID, p tenant.TenantPatch) (tenant.Tenant, error) {
	if err := f.may(a, tenant.ScopeAdmin, t); err != nil {
		return tenant.Tenant{}, err
	}
	return tenant.Tenant{ID: t}, f.did(ctx, "update-tenant")
}

func (f *fake) DeleteTenant(ctx context.Context, a tenant.Actor, t tenant.TenantID) error {
	if err := first(f.operator(a)); err != nil {
		return err
	}
	return f.did(ctx, "delete-tenant")
}

func (f *fake) PutUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, spec tenant.UserSpec) (tenant.User, bool, error) {
	if err := f.may(a, tenant.ScopeAdmin, t); err != nil {
		return tenant.User{}, false, err
	}
	user := tenant.User{Tenant: t, ID: u, Status: tenant.UserActive}
	if spec.Name != nil {
		user.Name = *spec.Name
	}
	return user, has(u) != nil, f.did(ctx, "put-user")
}

func (f *fake) User(_ context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.User, error) {
	return tenant.User{ID: u}, first(f.may(a, tenant.ScopeRead, t), has(u))
}

func (f *fake) Users(_ context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.User, error) {
	if err := f.may(a, tenant.ScopeRead, t); err != nil {
		return nil, err
	}
	var users []tenant.User
	for n := range f.items {
		id := fmt.Sprintf("u%04d", n)
		if id > p.After && len(users) < p.Limit {
			users = append(users, tenant.User{ID: tenant.UserID(id), Name: p.Query})
		}
	}
	return users, nil
}

func (f *fake) DeleteUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) error {
	if err := first(f.may(a, tenant.ScopeAdmin, t), has(u)); err != nil {
		return err
	}
	return f.did(ctx, "delete-user")
}

func (f *fake) RevokeUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, reason string) (tenant.Revocation, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), has(u)); err != nil {
		return tenant.Revocation{}, err
	}
	return tenant.Revocation{Disconnected: 2, Took: 1500 * time.Microsecond}, f.did(ctx, "revoke-user")
}

func (f *fake) RestoreUser(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.User, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), has(u)); err != nil {
		return tenant.User{}, err
	}
	return tenant.User{ID: u}, f.did(ctx, "restore-user")
}

func (f *fake) MintToken(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, ttl time.Duration) (tenant.Secret, time.Time, error) {
	if err := first(f.may(a, tenant.ScopeChat, t), has(u)); err != nil {
		return "", time.Time{}, err
	}
	return "the-secret-token", time.Unix(int64(ttl/time.Second), 0).UTC(), f.did(ctx, "mint-token")
}

func (f *fake) IssueCreds(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) (tenant.Secret, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), has(u)); err != nil {
		return "", err
	}
	return "the-secret-creds\n", f.did(ctx, "issue-creds")
}

func (f *fake) Credentials(_ context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, _ tenant.Page) ([]tenant.Credential, error) {
	return nil, first(f.may(a, tenant.ScopeRead, t), has(u))
}

func (f *fake) RevokeCredential(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, _ string) (tenant.Revocation, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), has(u)); err != nil {
		return tenant.Revocation{}, err
	}
	return tenant.Revocation{Disconnected: 1, Took: time.Millisecond}, f.did(ctx, "revoke-creds")
}

func (f *fake) RevokeToken(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, _ string) (tenant.Revocation, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), has(u)); err != nil {
		return tenant.Revocation{}, err
	}
	return tenant.Revocation{Disconnected: 1, Took: time.Millisecond}, f.did(ctx, "revoke-token")
}

func (f *fake) AddKey(ctx context.Context, a tenant.Actor, t tenant.TenantID, spec tenant.KeySpec) (tenant.Key, tenant.KeySecret, error) {
	if err := f.may(a, tenant.ScopeAdmin, t); err != nil {
		return tenant.Key{}, tenant.KeySecret{}, err
	}
	return tenant.Key{ID: "kkkkkkkkkkkk", KeySpec: spec}, tenant.KeySecret{APIKey: "the-secret-api-key"}, f.did(ctx, "add-key")
}

func (f *fake) Keys(_ context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.Key, error) {
	return nil, f.may(a, tenant.ScopeRead, t)
}

func (f *fake) Key(_ context.Context, a tenant.Actor, t tenant.TenantID, id string) (tenant.Key, error) {
	if err := f.may(a, tenant.ScopeRead, t); err != nil {
		return tenant.Key{}, err
	}
	return theKey(id)
}

func theKey(id string) (tenant.Key, error) {
	if id != "kkkkkkkkkkkk" {
		return tenant.Key{}, tenant.NotFound("key")
	}
	return tenant.Key{ID: id, KeySpec: tenant.KeySpec{Kind: tenant.KeyAPI, Name: "bot"}}, nil
}

func (f *fake) RotateKey(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string, r tenant.Rotation) (tenant.RotatedKey, error) {
	if err := f.may(a, tenant.ScopeAdmin, t); err != nil {
		return tenant.RotatedKey{}, err
	}
	old, err := theKey(id)
	if err != nil {
		return tenant.RotatedKey{}, err
	}
	made := tenant.RotatedKey{
		New: tenant.Key{ID: "nnnnnnnnnnnn", KeySpec: old.KeySpec}, Secret: tenant.KeySecret{APIKey: "the-secret-api-key"},
		EndsAt: time.Unix(*r.OverlapSeconds, 0).UTC(),
	}
	return made, f.did(ctx, "rotate-key")
}

func (f *fake) RemoveKey(ctx context.Context, a tenant.Actor, t tenant.TenantID, id string) error {
	if err := f.may(a, tenant.ScopeAdmin, t); err != nil {
		return err
	}
	if id != "kkkkkkkkkkkk" {
		return tenant.NotFound("key")
	}
	return f.did(ctx, "remove-key")
}

func (f *fake) CreateRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, n tenant.NewRoom) (tenant.Room, error) {
	if err := f.may(a, tenant.ScopeAdmin, t); err != nil {
		return tenant.Room{}, err
	}
	return tenant.Room{ID: tenant.RoomID(n.ID), Title: n.Title}, f.did(ctx, "create-room")
}

func (f *fake) Room(_ context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID) (tenant.Room, error) {
	return tenant.Room{ID: r}, first(f.may(a, tenant.ScopeRead, t), hasRoom(r))
}

func (f *fake) Rooms(_ context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.Room, error) {
	return nil, f.may(a, tenant.ScopeRead, t)
}

func (f *fake) UpdateRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, p tenant.RoomPatch) (tenant.Room, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), hasRoom(r)); err != nil {
		return tenant.Room{}, err
	}
	return tenant.Room{ID: r}, f.did(ctx, "update-room")
}

func (f *fake) DeleteRoom(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID) error {
	if err := first(f.may(a, tenant.ScopeAdmin, t), hasRoom(r)); err != nil {
		return err
	}
	return f.did(ctx, "delete-room")
}

func (f *fake) PutMember(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, role string) (tenant.Member, error) {
	if err := first(f.may(a, tenant.ScopeAdmin, t), hasRoom(r), has(u)); err != nil {
		return tenant.Member{}, err
	}
	parsed, err := tenant.ParseRole(role)
	if err != nil {
		return tenant.Member{}, err
	}
	return tenant.Member{User: u, Role: parsed}, f.did(ctx, "put-member")
}

func (f *fake) RemoveMember(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, u tenant.UserID, _ string) error {
	if err := first(f.may(a, tenant.ScopeAdmin, t), hasRoom(r), has(u)); err != nil {
		return err
	}
	return f.did(ctx, "remove-member")
}

func (f *fake) Members(_ context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, p tenant.Page) ([]tenant.Member, error) {
	return nil, first(f.may(a, tenant.ScopeRead, t), hasRoom(r))
}

func (f *fake) Connections(_ context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID) ([]tenant.Connection, error) {
	if err := f.may(a, tenant.ScopeRead, t); err != nil {
		return nil, err
	}
	if u != "" {
		return []tenant.Connection{{User: u}}, has(u)
	}
	return nil, nil
}

// AuditTrail has items entries, whose cursors are their places.
func (f *fake) AuditTrail(_ context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.AuditEntry, error) {
	if err := f.may(a, tenant.ScopeRead, t); err != nil {
		return nil, err
	}
	var entries []tenant.AuditEntry
	for n := range f.items {
		cursor := fmt.Sprintf("%06d", n)
		if cursor > p.After && len(entries) < p.Limit {
			entries = append(entries, tenant.AuditEntry{Cursor: cursor, Object: fmt.Sprint(n), After: json.RawMessage(`{"a":1}`)})
		}
	}
	return entries, nil
}

func (f *fake) Refusals(_ context.Context, a tenant.Actor, t tenant.TenantID, p tenant.Page) ([]tenant.Refusal, error) {
	return nil, f.may(a, tenant.ScopeRead, t)
}

// fakeMessages answers with the query it got.
type fakeMessages struct{ f *fake }

func (m fakeMessages) History(_ context.Context, t tenant.TenantID, r tenant.RoomID, q tenant.HistoryQuery) (tenant.HistoryPage, error) {
	text := fmt.Sprintf("%d %d %d %s %s", q.Before, q.After, q.Limit, q.Since.Format(time.RFC3339), q.Until.Format(time.RFC3339))
	return tenant.HistoryPage{Messages: []tenant.Message{{Seq: 1, Text: text}}}, hasRoom(r)
}

func (m fakeMessages) Search(_ context.Context, _ tenant.TenantID, q tenant.SearchQuery) (tenant.FoundPage, error) {
	if q.After == "end" {
		return tenant.FoundPage{}, nil
	}
	text := fmt.Sprintf("%s %s %s %d", q.Query, q.Room, q.As, q.Limit)
	return tenant.FoundPage{
		Messages: []tenant.FoundMessage{{Room: "lobby", Message: tenant.Message{Seq: 1}, Highlights: []tenant.TextPart{{Text: text, Hit: true}}}}, Next: "end",
	}, nil
}

func (m fakeMessages) EditMessage(ctx context.Context, _ tenant.TenantID, r tenant.RoomID, as tenant.UserID, seq uint64, text string) (tenant.Message, error) {
	if err := first(hasRoom(r), has(as)); err != nil {
		return tenant.Message{}, err
	}
	return tenant.Message{Seq: seq, Text: text}, m.f.did(ctx, "edit-message")
}

func (m fakeMessages) DeleteMessage(ctx context.Context, _ tenant.Actor, _ tenant.TenantID, r tenant.RoomID, _ tenant.UserID, _ uint64) error {
	if err := hasRoom(r); err != nil {
		return err
	}
	return m.f.did(ctx, "delete-message")
}

func (m fakeMessages) PinMessage(ctx context.Context, _ tenant.Actor, _ tenant.TenantID, r tenant.RoomID, _ uint64, on bool) error {
	if err := hasRoom(r); err != nil {
		return err
	}
	if on {
		return m.f.did(ctx, "pin-message")
	}
	return m.f.did(ctx, "unpin-message")
}

func (m fakeMessages) React(ctx context.Context, _ tenant.TenantID, r tenant.RoomID, as tenant.UserID, seq uint64, _ string, _ bool) (tenant.Message, error) {
	if err := first(hasRoom(r), has(as)); err != nil {
		return tenant.Message{}, err
	}
	return tenant.Message{Seq: seq}, m.f.did(ctx, "react-to-message")
}

func (m fakeMessages) Post(ctx context.Context, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, p tenant.PostRequest) (uint64, error) {
	if err := first(hasRoom(r), has(as)); err != nil {
		return 0, err
	}
	return 1 << 60, m.f.did(ctx, "post-message")
}

func (m fakeMessages) Usage(context.Context, tenant.TenantID, int) (tenant.Usage, []tenant.UsageDay, error) {
	return tenant.Usage{Users: tenant.Use{Used: 2, Limit: 3}}, []tenant.UsageDay{{Day: "2026-11-24", Messages: 3}, {Day: "2026-11-25", Messages: 5}}, nil
}

package tenant_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"parley/internal/pgtest"
	"parley/tenant"
	"parley/tenant/pgstore"
)

var errAway = errors.New("the servers are away")

// fakeAccounts stands in for the servers: it notes what it is asked, and fails where told to.
type fakeAccounts struct {
	mu    sync.Mutex
	did   []string
	fails map[string]bool
	open  []tenant.Connection
}

func (f *fakeAccounts) do(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, what)
	if f.fails[what] {
		return errAway
	}
	return nil
}

func (f *fakeAccounts) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	did := f.did
	f.did = nil
	return did
}

func (f *fakeAccounts) NewAccount() (string, []tenant.SealedKey, error) {
	a := "A-" + time.Now().Format(time.RFC3339Nano)
	return a, []tenant.SealedKey{{Account: a, KeyID: a + "-signing", Purpose: "signing", Sealed: []byte("x"), Version: 1}}, nil
}
func (f *fakeAccounts) Push(context.Context, tenant.TenantID) error { return f.do("push") }

func (f *fakeAccounts) Token(context.Context, tenant.Tenant, tenant.UserID, time.Time, time.Time) (tenant.Secret, error) {
	return "token", f.do("token")
}

func (f *fakeAccounts) Creds(context.Context, tenant.TenantID, tenant.UserID) (string, tenant.Secret, error) {
	return "U" + time.Now().Format(time.RFC3339Nano), "creds", f.do("creds")
}

func (f *fakeAccounts) ServiceCreds(context.Context, tenant.Tenant, tenant.UserID) (string, tenant.Secret, error) {
	return "U" + time.Now().Format(time.RFC3339Nano), "service creds", f.do("service creds")
}

func (f *fakeAccounts) Notify(_ context.Context, _ string, u tenant.UserID, what string, _ any) error {
	return f.do("notify " + string(u) + " " + what)
}

func (f *fakeAccounts) Kick(_ context.Context, _ string, u tenant.UserID, _ time.Time) (int, error) {
	return 2, f.do("kick " + string(u))
}

func (f *fakeAccounts) KickProof(_ context.Context, _ string, p tenant.Proof) (int, error) {
	return 1, f.do("kick key " + p.Key)
}

func (f *fakeAccounts) Admit(_ string, u tenant.UserID) { _ = f.do("admit " + string(u)) }

func (f *fakeAccounts) KickAll(context.Context, string) (int, error) { return 2, f.do("kick all") }

func (f *fakeAccounts) Connections(context.Context, string, tenant.UserID) ([]tenant.Connection, error) {
	return f.open, f.do("connections")
}

// Ensure stands in for the chat role, Hash for the hasher.
func (f *fakeAccounts) Ensure(_ context.Context, _ tenant.Tenant, c tenant.Class) error {
	return f.do("ensure " + string(c))
}

// Conform is Ensure's counterpart for changed limits and retention.
func (f *fakeAccounts) Conform(context.Context, tenant.Tenant) error { return f.do("conform") }

func (f *fakeAccounts) EnsureShared(context.Context, tenant.Tenant) error {
	return f.do("ensure shared")
}

func (f *fakeAccounts) Hash(context.Context, tenant.Secret) (tenant.Secret, error) {
	return "hash", f.do("hash")
}

// A desk is a service over a real store and fake servers.
type desk struct {
	*tenant.Service
	*fakeAccounts
	t    *testing.T
	pool *pgxpool.Pool
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	pool := pgtest.NewPool(t)
	store, err := pgstore.New(pgstore.Config{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeAccounts{fails: map[string]bool{}}
	s, err := tenant.NewService(tenant.Config{Store: store, Accounts: f, Streams: f, Passwords: f})
	if err != nil {
		t.Fatal(err)
	}
	return &desk{Service: s, fakeAccounts: f, t: t, pool: pool}
}

// furnished has the tenant acme, users alice and bob, and a private room with alice.
func furnished(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	ctx := t.Context()
	d.must(firstOf3(d.CreateTenant(ctx, tenant.Operator(), tenant.NewTenant{ID: "acme"})))
	for _, u := range []tenant.UserID{"alice", "bob"} {
		d.must(firstOf3(d.PutUser(ctx, tenant.Operator(), "acme", u, tenant.UserSpec{})))
	}
	d.must(firstOf2(d.CreateRoom(ctx, tenant.Operator(), "acme", tenant.NewRoom{ID: "board", Kind: "private"})))
	d.must(firstOf2(d.PutMember(ctx, tenant.Operator(), "acme", "board", "alice", "member")))
	d.taken()
	return d
}

func firstOf2[A any](_ A, err error) error         { return err }
func firstOf3[A, B any](_ A, _ B, err error) error { return err }

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// jobs are the kinds of the jobs that wait.
func (d *desk) jobs() []string {
	d.t.Helper()
	rows, err := d.pool.Query(d.t.Context(), "SELECT kind FROM river_job ORDER BY id")
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	var kinds []string
	for rows.Next() {
		var k string
		if err := rows.Scan(&k); err != nil {
			d.t.Fatal(err)
		}
		kinds = append(kinds, k)
	}
	return kinds
}

func (d *desk) wantDid(want ...string) {
	d.t.Helper()
	if got := d.taken(); !slices.Equal(got, want) {
		d.t.Errorf("asked of the servers: got %q, want %q", got, want)
	}
}

func (d *desk) wantUnavailable(err error) {
	d.t.Helper()
	if !errors.Is(err, tenant.ErrUnavailable) || !errors.Is(err, errAway) {
		d.t.Errorf("got %v, want unavailable with its cause", err)
	}
}

func TestATenantThatNoServerTakesIsNotMade(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fails["push"] = true
	_, _, err := d.CreateTenant(t.Context(), tenant.Operator(), tenant.NewTenant{ID: "acme"})
	d.wantUnavailable(err)
	d.wantDid("push", "kick all")
	if _, err := d.Tenant(t.Context(), tenant.Operator(), "acme"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("the tenant: got %v, want not found", err)
	}
	if got := d.jobs(); !slices.Contains(got, "drop_tenant") {
		t.Errorf("jobs: got %q, want one that removes what was begun", got)
	}
}

func TestARevocationHoldsAlsoWhenTheServersAreAway(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	d.fails["kick alice"] = true
	_, err := d.RevokeUser(t.Context(), tenant.Operator(), "acme", "alice", "gone")
	d.wantUnavailable(err)
	d.wantDid("notify alice revoked", "kick alice")
	u, err := d.User(t.Context(), tenant.Operator(), "acme", "alice")
	d.must(err)
	if u.Status != tenant.UserRevoked || u.Reason != "gone" {
		t.Errorf("the user: got %+v, want revoked with the reason", u)
	}
	if got := d.jobs(); !slices.Contains(got, "sweep_user") {
		t.Errorf("jobs: got %q, want a sweep", got)
	}
	if _, _, err := d.MintToken(t.Context(), tenant.Operator(), "acme", "alice", 0); err == nil {
		t.Error("a token was minted for a revoked user")
	}

	d.fails["kick alice"] = false
	d.taken()
	d.must(d.SweepUser(t.Context(), tenant.SweepUser{Tenant: "acme", User: "alice"}))
	d.wantDid("notify alice revoked", "kick alice")
	d.must(firstOf2(d.RestoreUser(t.Context(), tenant.Operator(), "acme", "alice")))
	d.must(d.SweepUser(t.Context(), tenant.SweepUser{Tenant: "acme", User: "alice"}))
	d.wantDid("admit alice")
}

func TestRightsThatChangeReachConnections(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	op, ctx := tenant.Operator(), t.Context()
	d.must(firstOf2(d.PutMember(ctx, op, "acme", "board", "alice", "owner"))) // nothing that a connection carries
	d.wantDid()
	d.must(firstOf2(d.PutMember(ctx, op, "acme", "board", "bob", "reader")))
	d.wantDid("notify bob rights")
	d.must(firstOf2(d.PutMember(ctx, op, "acme", "board", "bob", "member")))
	d.wantDid("notify bob rights")
	d.must(firstOf2(d.PutMember(ctx, op, "acme", "board", "bob", "reader")))
	d.wantDid("notify bob removed", "kick bob")
	d.must(d.RemoveMember(ctx, op, "acme", "board", "bob", ""))
	d.wantDid("notify bob removed", "kick bob")
	d.must(firstOf2(d.PutMember(ctx, op, "acme", "board", "alice", "member"))) // or she could not leave
	d.must(d.Leave(ctx, "acme", "alice", "board"))                             // closed by a job, so that her answer reaches her
	d.wantDid()
	if got := d.jobs(); !slices.Contains(got, "refresh_user") {
		t.Errorf("jobs: got %q, want a refresh", got)
	}
}

func TestARefreshLooksForOldConnections(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	changed := time.Now()
	j := tenant.RefreshUser{Tenant: "acme", User: "bob", Change: tenant.Change{Room: "board", Lost: true, At: changed}}
	d.open = []tenant.Connection{{User: "bob", Since: changed.Add(time.Second)}}
	d.must(d.RefreshUser(t.Context(), j))
	d.wantDid("connections")
	d.open = append(d.open, tenant.Connection{User: "bob", Since: changed.Add(-time.Second)})
	d.must(d.RefreshUser(t.Context(), j))
	d.wantDid("connections", "notify bob removed", "kick bob")
	d.must(d.RefreshUser(t.Context(), tenant.RefreshUser{Tenant: "gone", User: "bob", Change: j.Change}))
	d.wantDid()
}

func TestLimitsOfUsersAndRooms(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	op, ctx := tenant.Operator(), t.Context()
	d.must(firstOf2(d.UpdateTenant(ctx, op, "acme", tenant.TenantPatch{Limits: map[string]int64{"users": 3, "rooms": 2}})))
	d.must(firstOf3(d.PutUser(ctx, op, "acme", "carol", tenant.UserSpec{})))
	if _, _, err := d.PutUser(ctx, op, "acme", "dave", tenant.UserSpec{}); !isCode(err, tenant.CodeLimitReached) {
		t.Errorf("a fourth user: got %v, want limit_reached", err)
	}
	d.must(firstOf3(d.PutUser(ctx, op, "acme", "carol", tenant.UserSpec{Name: text("Carol")}))) // a change is none more
	d.must(firstOf2(d.CreateRoom(ctx, op, "acme", tenant.NewRoom{ID: "lobby", Kind: "open"})))
	if _, err := d.CreateRoom(ctx, op, "acme", tenant.NewRoom{ID: "attic", Kind: "open"}); !isCode(err, tenant.CodeLimitReached) {
		t.Errorf("a third room: got %v, want limit_reached", err)
	}
	d.must(firstOf2(d.OpenDirect(ctx, "acme", "alice", "bob"))) // direct rooms don't count
	d.must(d.DeleteUser(ctx, op, "acme", "carol"))
	d.must(firstOf3(d.PutUser(ctx, op, "acme", "dave", tenant.UserSpec{})))
	got, err := d.Tenant(ctx, op, "acme")
	d.must(err)
	if got.Limits.Users != 3 || got.Limits.Rooms != 2 || got.Limits.Connections != 0 {
		t.Errorf("limits: got %+v, want those that were named", got.Limits)
	}
	if _, err := d.UpdateTenant(ctx, op, "acme", tenant.TenantPatch{Limits: map[string]int64{"cats": 1}}); !isCode(err, tenant.CodeInvalid) {
		t.Errorf("an unknown limit: got %v, want invalid", err)
	}
}

func TestASuspendedTenantIsReadOnlyForItself(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := t.Context()
	_, key, err := d.CreateTenant(ctx, tenant.Operator(), tenant.NewTenant{ID: "acme"})
	d.must(err)
	own, err := d.Authenticate(ctx, key)
	d.must(err)
	d.must(firstOf3(d.PutUser(ctx, own, "acme", "alice", tenant.UserSpec{})))
	suspended := tenant.Suspended
	if _, err := d.UpdateTenant(ctx, own, "acme", tenant.TenantPatch{Status: &suspended}); !isCode(err, tenant.CodeForbidden) {
		t.Errorf("suspending oneself: got %v, want forbidden", err)
	}
	d.must(firstOf2(d.UpdateTenant(ctx, tenant.Operator(), "acme", tenant.TenantPatch{Status: &suspended})))
	if _, _, err := d.PutUser(ctx, own, "acme", "bob", tenant.UserSpec{}); !isCode(err, tenant.CodeForbidden) {
		t.Errorf("a change while suspended: got %v, want forbidden", err)
	}
	if _, _, err := d.MintToken(ctx, own, "acme", "alice", 0); !isCode(err, tenant.CodeForbidden) {
		t.Errorf("a token while suspended: got %v, want forbidden", err)
	}
	d.must(firstOf2(d.User(ctx, own, "acme", "alice")))
	if _, err := d.Authenticate(ctx, key+"x"); !isCode(err, tenant.CodeUnauthorized) {
		t.Errorf("a wrong key: got %v, want unauthorized", err)
	}
	if _, err := d.Tenant(ctx, tenant.Actor{}, "acme"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("nobody: got %v, want not found", err)
	}
}

func isCode(err error, c tenant.Code) bool {
	e, ok := tenant.AsError(err)
	return ok && e.Code == c
}

func text(s string) *string { return &s }

func TestAFlooderIsMutedForAWhile(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	d.must(d.MuteFlooder(t.Context(), "acme", "alice", "board", 7))
	d.wantDid("push", "notify alice refused")
	count := func(sql string) (n int) {
		t.Helper()
		d.must(d.pool.QueryRow(t.Context(), sql).Scan(&n))
		return n
	}
	if n := count(`SELECT count(*) FROM mutes WHERE user_id = 'alice' AND room_id = '' AND why = 'over_rate' AND until > since`); n != 1 {
		t.Errorf("got %d mutes of alice, want 1", n)
	}
	if n := count(`SELECT count(*) FROM river_job WHERE kind = 'end_mutes' AND scheduled_at > now()`); n != 1 {
		t.Errorf("got %d jobs that end it, want 1", n)
	}
	if n := count(`SELECT count(*) FROM audit WHERE action = 'user.mute' AND actor = 'system'`); n != 1 {
		t.Errorf("got %d audit entries, want 1", n)
	}
	d.must(d.EndMutes(t.Context(), tenant.EndMutes{Tenant: "acme"}))
	d.wantDid()
	if n := count(`SELECT count(*) FROM mutes`); n != 1 {
		t.Errorf("a job that comes early: got %d mutes, want it to stay", n)
	}
	if _, err := d.pool.Exec(t.Context(), `UPDATE mutes SET until = now() - interval '1 second'`); err != nil {
		t.Fatal(err)
	}
	d.must(d.EndMutes(t.Context(), tenant.EndMutes{Tenant: "acme"}))
	d.wantDid("push")
	if n := count(`SELECT count(*) FROM mutes`); n != 0 {
		t.Errorf("got %d mutes, want none", n)
	}
	d.must(d.EndMutes(t.Context(), tenant.EndMutes{Tenant: "gone"}))
}

// Rights that were gained are told again until a connection carries them, and not for ever.
func TestRightsAreToldUntilAConnectionCarriesThem(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	changed := time.Now()
	j := tenant.RefreshUser{Tenant: "acme", User: "bob", Change: tenant.Change{Room: "board", At: changed}}
	waits := func() (n int) {
		t.Helper()
		d.must(d.pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'refresh_user' AND args->>'user' = 'bob'`).Scan(&n))
		return n
	}
	old := tenant.Connection{User: "bob", Since: changed.Add(-time.Second)}
	d.open = []tenant.Connection{old}
	for told := range 5 {
		j.Told = told
		d.must(d.RefreshUser(t.Context(), j))
		d.wantDid("connections", "notify bob rights")
		if got, want := waits(), min(told+1, 4); got != want {
			t.Errorf("after %d: got %d jobs, want %d", told, got, want)
		}
	}
	j.Told = 0
	d.open = append(d.open, tenant.Connection{User: "bob", Since: changed.Add(time.Second)})
	d.must(d.RefreshUser(t.Context(), j))
	d.wantDid("connections", "notify bob rights")
	if got := waits(); got != 4 {
		t.Errorf("where one carries them: got %d jobs, want no further", got)
	}
}

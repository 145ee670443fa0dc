// Package natstest starts a real nats-server with the operator and its accounts for
// tests, over a database of pgtest. It serves tests only.
package natstest

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/accounts"
	"parley/accounts/keyring"
	"parley/internal/embednats"
	"parley/tenant"
	"parley/tenant/subject"
)

// patience bounds each thing that a test waits for.
const patience = 20 * time.Second

// An Env is a server with its accounts. Close and Stop are called when the test ends.
type Env struct {
	Pool     *pgxpool.Pool
	Keys     *keyring.Keyring
	System   *accounts.System
	Server   *embednats.Server
	Accounts *accounts.Accounts

	dir string
	log *slog.Logger

	mu    sync.Mutex // of Server
	conns sync.Mutex // of those below

	sys, parley, auth *nats.Conn
}

// Unheard takes refusals, which these tests don't look at.
type Unheard struct{}

// Refuse forgets a refusal.
func (Unheard) Refuse(tenant.Refusal) {}

// Start starts a server on free ports with the accounts of the pool's database. Nothing
// reconciles in the background: tests that want it call Accounts.Run.
func Start(t testing.TB, pool *pgxpool.Pool) *Env {
	t.Helper()
	e := &Env{Pool: pool, dir: t.TempDir(), log: Log(t)}
	var err error
	if e.Keys, err = keyring.Open(keyring.Config{File: filepath.Join(e.dir, "master.key")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if e.System, err = accounts.EnsureSystem(ctx, accounts.SystemConfig{Pool: pool, Keys: e.Keys, Log: e.log}); err != nil {
		t.Fatal(err)
	}
	e.StartServer(t)
	if e.Accounts, err = accounts.New(ctx, accounts.Config{System: e.System, SYS: e.SYS(t), PARLEY: e.Conn(t, accounts.RoleNotices), Refusals: Unheard{}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Accounts.Close)
	return e
}

// StartServer starts the server, also again after a Stop, and returns when the connections that
// tests share are on it: what they publish to one that died is lost. Its folder stays; its ports change.
func (e *Env) StartServer(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	jwts, err := e.System.Materialize(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sentinel, err := e.System.Sentinel()
	if err != nil {
		t.Fatal(err)
	}
	s, err := embednats.Start(embednats.Config{
		Dir: filepath.Join(e.dir, "nats"), Operator: e.System.Operator(), Sentinel: sentinel, Accounts: jwts,
		NATS: "127.0.0.1:0", WS: "127.0.0.1:0", Log: e.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	e.Server = s
	e.mu.Unlock()
	t.Cleanup(s.Kill)
	for _, nc := range e.shared() {
		Eventually(t, "a connection to find the new server", func() bool { return nc.ConnectedServerId() == s.ID() })
	}
}

// shared are the connections that once made.
func (e *Env) shared() []*nats.Conn {
	e.conns.Lock()
	defer e.conns.Unlock()
	return slices.DeleteFunc([]*nats.Conn{e.sys, e.parley, e.auth}, func(nc *nats.Conn) bool { return nc == nil })
}

// Log writes what a test says to its output, and nothing once the test is over.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// Conn connects in a role of the platform, in process.
func (e *Env) Conn(t testing.TB, r accounts.Role) *nats.Conn {
	t.Helper()
	opts, err := e.System.Login(r)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, "", append(opts, nats.InProcessServer(current{e}), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))...)
}

// current is whichever server runs, so that connections find the next one after a restart.
type current struct{ *Env }

func (c current) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	s := c.Server
	c.mu.Unlock()
	return s.InProcessConn()
}

// SYS is the control role's connection.
func (e *Env) SYS(t testing.TB) *nats.Conn { return e.once(t, &e.sys, accounts.RoleControl) }

// PARLEY is the chat role's connection.
func (e *Env) PARLEY(t testing.TB) *nats.Conn { return e.once(t, &e.parley, accounts.RoleChat) }

// Notices is a connection of the control role to PARLEY.
func (e *Env) Notices(t testing.TB) *nats.Conn { return e.Conn(t, accounts.RoleNotices) }

// Auth is the callout's connection.
func (e *Env) Auth(t testing.TB) *nats.Conn { return e.once(t, &e.auth, accounts.RoleCallout) }

func (e *Env) once(t testing.TB, conn **nats.Conn, r accounts.Role) *nats.Conn {
	t.Helper()
	e.conns.Lock()
	defer e.conns.Unlock()
	if *conn == nil {
		*conn = e.Conn(t, r)
	}
	return *conn
}

const (
	insertTenant = `
INSERT INTO tenants (tenant_id, account, name, timezone, limits, status, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	insertAccount = `INSERT INTO accounts (account, tenant_id) VALUES ($1, $2)`
	insertKey     = `
INSERT INTO account_keys (key_id, account, purpose, sealed, key_version) VALUES ($1, $2, $3, $4, $5)`
)

// NewTenant makes an active tenant with the plan's limits, and pushes its account.
func (e *Env) NewTenant(t testing.TB, id tenant.TenantID) tenant.Tenant {
	t.Helper()
	return e.NewTenantLimited(t, id, tenant.Limits{})
}

// NewTenantLimited is NewTenant with limits.
func (e *Env) NewTenantLimited(t testing.TB, id tenant.TenantID, limits tenant.Limits) tenant.Tenant {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	account, keys, err := e.Accounts.NewAccount()
	if err != nil {
		t.Fatal(err)
	}
	row := tenant.Tenant{
		ID: id, Name: string(id), Account: account, Timezone: "UTC", Limits: limits, Status: tenant.Active,
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	}
	err = pgx.BeginFunc(ctx, e.Pool, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(insertTenant, row.ID, row.Account, row.Name, row.Timezone, row.Limits, row.Status, row.CreatedAt)
		b.Queue(insertAccount, row.Account, row.ID)
		for _, k := range keys {
			b.Queue(insertKey, k.KeyID, k.Account, k.Purpose, k.Sealed, k.Version)
		}
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		t.Fatalf("insert tenant %s: %v", id, err)
	}
	if err := e.Accounts.Push(ctx, id); err != nil {
		t.Fatal(err)
	}
	return row
}

const selectSigning = `
SELECT account, key_id, purpose, sealed, key_version FROM account_keys
WHERE account = $1 AND purpose = 'signing' ORDER BY created_at DESC LIMIT 1`

// Signer is the key that signs a tenant's users.
func (e *Env) Signer(t testing.TB, row tenant.Tenant) nkeys.KeyPair {
	t.Helper()
	var k tenant.SealedKey
	err := e.Pool.QueryRow(t.Context(), selectSigning, row.Account).Scan(&k.Account, &k.KeyID, &k.Purpose, &k.Sealed, &k.Version)
	if err != nil {
		t.Fatalf("signing key of %s: %v", row.ID, err)
	}
	signer, err := e.Keys.Signer(k)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// UserConn connects over TCP as a user who was not asked by the callout: his JWT is signed by
// his tenant. Servers name such users by their nkeys, so CONNZ does not find them by user id.
func (e *Env) UserConn(t testing.TB, row tenant.Tenant, u tenant.UserID, perms jwt.Permissions, opts ...nats.Option) *nats.Conn {
	t.Helper()
	_, how := e.SignUser(t, row, u, perms)
	opts = append([]nats.Option{nats.Name(string(u)), nats.CustomInboxPrefix(subject.Inbox(u)), how}, opts...)
	return connect(t, e.Server.ClientURL(), opts...)
}

// SignUser signs such a user: his nkey, and how he connects.
func (e *Env) SignUser(t testing.TB, row tenant.Tenant, u tenant.UserID, perms jwt.Permissions) (nkey string, how nats.Option) {
	t.Helper()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	if nkey, err = user.PublicKey(); err != nil {
		t.Fatal(err)
	}
	c := jwt.NewUserClaims(nkey)
	c.Name, c.IssuerAccount, c.Permissions = string(u), row.Account, perms
	text, err := c.Encode(e.Signer(t, row))
	if err != nil {
		t.Fatal(err)
	}
	return nkey, nats.UserJWT(func() (string, error) { return text, nil }, user.Sign)
}

func connect(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{
		nats.Timeout(patience), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, opts...)...)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// Eventually waits until a condition holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		case <-again.C:
		}
	}
}

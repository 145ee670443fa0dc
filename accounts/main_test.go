package accounts_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"parley/internal/natstest"
	"parley/internal/pgtest"
	"parley/tenant"
	"parley/tenant/subject"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t testing.TB) *natstest.Env {
	t.Helper()
	return natstest.Start(t, pgtest.NewPool(t))
}

// A callout lets in whoever calls himself <tenant>/<user>.
type callout struct {
	t       testing.TB
	env     *natstest.Env
	record  func(tenant.Session)
	before  func(u tenant.UserID) // runs between the decision and its answer
	mu      sync.Mutex
	tenants map[string]tenant.Tenant
}

func newCallout(t testing.TB, env *natstest.Env, tenants ...tenant.Tenant) *callout {
	t.Helper()
	c := &callout{t: t, env: env, tenants: map[string]tenant.Tenant{}}
	for _, row := range tenants {
		c.tenants[string(row.ID)] = row
	}
	nc := env.Auth(t)
	if _, err := nc.Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) { go c.answer(m) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *callout) answer(m *nats.Msg) {
	key := c.env.System.AuthXKey()
	server := m.Header.Get("Nats-Server-Xkey")
	text, err := key.Open(m.Data, server)
	if err != nil {
		c.t.Errorf("open request: %v", err)
		return
	}
	req, err := jwt.DecodeAuthorizationRequestClaims(string(text))
	if err != nil {
		c.t.Errorf("decode request: %v", err)
		return
	}
	id, user, _ := strings.Cut(req.ConnectOptions.Username, "/")
	c.mu.Lock()
	row, ok := c.tenants[id]
	c.mu.Unlock()
	answer := jwt.NewAuthorizationResponseClaims(req.UserNkey)
	answer.Audience, answer.IssuerAccount = req.Server.ID, c.env.System.AuthAccount()
	if !ok {
		answer.Error = "no such tenant"
	} else {
		u := jwt.NewUserClaims(req.UserNkey)
		u.Name, u.IssuerAccount = user, row.Account
		u.Sub.Allow.Add("live.user."+user+".*", subject.Inbox(tenant.UserID(user))+".>")
		u.Pub.Allow.Add("chat.api." + user + ".*")
		if answer.Jwt, err = u.Encode(c.env.Signer(c.t, row)); err != nil {
			c.t.Errorf("sign user: %v", err)
			return
		}
		if c.record != nil {
			c.record(tenant.Session{
				Server: req.Server.ID, CID: req.ClientInformation.ID, Account: row.Account, User: tenant.UserID(user),
				Method: tenant.MethodPassword, Address: req.ClientInformation.Host, Since: time.Now(),
			})
		}
	}
	if c.before != nil {
		c.before(tenant.UserID(user))
	}
	signed, err := answer.Encode(c.env.System.AuthSigner())
	if err != nil {
		c.t.Errorf("sign answer: %v", err)
		return
	}
	sealed, err := key.Seal([]byte(signed), server)
	if err != nil {
		c.t.Errorf("seal answer: %v", err)
		return
	}
	_ = m.Respond(sealed) // the connection may be gone
}

// dial connects as a user through the callout, over TCP or WebSocket.
func dial(url string, row tenant.Tenant, u tenant.UserID, opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect(url, append([]nats.Option{
		nats.UserInfo(string(row.ID)+"/"+string(u), "x"), nats.CustomInboxPrefix(subject.Inbox(u)),
		nats.Timeout(10 * time.Second), nats.NoReconnect(),
	}, opts...)...)
}

func mustDial(t testing.TB, url string, row tenant.Tenant, u tenant.UserID, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := dial(url, row, u, opts...)
	if err != nil {
		t.Fatalf("connect as %s: %v", u, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func rowOf(t testing.TB, env *natstest.Env, account string) (text string, iat, pushed int64) {
	t.Helper()
	err := env.Pool.QueryRow(t.Context(), `SELECT jwt, iat, pushed_iat FROM accounts WHERE account = $1`, account).Scan(&text, &iat, &pushed)
	if err != nil {
		t.Fatal(err)
	}
	return text, iat, pushed
}

// onServer is the JWT that the server has of an account; empty: none.
func onServer(t testing.TB, env *natstest.Env, account string) string {
	t.Helper()
	m, err := env.SYS(t).Request("$SYS.REQ.ACCOUNT."+account+".CLAIMS.LOOKUP", nil, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Data)
}

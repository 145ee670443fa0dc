package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"parley/tenant"
	"parley/tenant/grant"
)

// The bare servers are set as internal/embednats sets Parley's, where that may cost anything.

const (
	bareUser     = "bare" // without permissions: may do everything
	barePassword = "bare-password"
)

func bareOptions(dir string) *server.Options {
	return &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, StoreDir: dir, NoSigs: true, NoLog: true,
		AuthTimeout: 2, MaxControlLine: 32 << 10, MaxPayload: 1 << 20,
	}
}

func startBare(o *server.Options) (*server.Server, error) {
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("configure nats-server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("nats-server takes no connections")
	}
	return s, nil
}

func stopping(s *server.Server) func() error {
	return func() error {
		s.Shutdown()
		s.WaitForShutdown()
		return nil
	}
}

// startPlain runs a server with static users and JetStream: bareUser, and each of the
// tenant's users with the permissions that Parley would give him.
func startPlain(dir string) (ready, func() error, error) {
	o := bareOptions(filepath.Join(dir, "jetstream"))
	o.JetStream, o.DisableJetStreamBanner, o.SyncInterval = true, true, time.Second
	o.JetStreamMaxMemory, o.JetStreamMaxStore = 1<<50, 1<<50
	o.Users = []*server.User{{Username: bareUser, Password: barePassword}}
	for i := range users {
		g := grant.For("bench", userID(i), nil, false)
		o.Users = append(o.Users, &server.User{
			Username: string(userID(i)), Password: barePassword,
			Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: g.Pub},
				Subscribe: &server.SubjectPermission{Allow: g.Sub, Deny: g.SubDeny},
			},
		})
	}
	s, err := startBare(o)
	if err != nil {
		return ready{}, nil, err
	}
	return ready{NATS: s.ClientURL()}, stopping(s), nil
}

// startOperator runs a server in operator mode, whose users have credentials of the tenant's
// own account with the permissions that Parley would give them. Nobody is asked.
func startOperator(dir string) (ready, func() error, error) {
	k, err := makeKeys()
	if err != nil {
		return ready{}, nil, err
	}
	o := bareOptions(dir)
	resolver := &server.MemAccResolver{}
	operator := jwt.NewOperatorClaims(k.operator.public)
	operator.SystemAccount = k.system.public
	account := jwt.NewAccountClaims(k.account.public)
	account.SigningKeys.Add(k.signing.public)
	if _, err := operator.Encode(k.operator.pair); err != nil {
		return ready{}, nil, err
	}
	for _, c := range []*jwt.AccountClaims{jwt.NewAccountClaims(k.system.public), account} {
		text, err := c.Encode(k.operator.pair)
		if err != nil {
			return ready{}, nil, err
		}
		if err := resolver.Store(c.Subject, text); err != nil {
			return ready{}, nil, err
		}
	}
	o.TrustedOperators, o.SystemAccount, o.AccountResolver = []*jwt.OperatorClaims{operator}, k.system.public, resolver
	r := ready{}
	for i := range users {
		creds, err := k.creds(userID(i))
		if err != nil {
			return ready{}, nil, err
		}
		r.Creds = append(r.Creds, creds)
	}
	s, err := startBare(o)
	if err != nil {
		return ready{}, nil, err
	}
	r.NATS, r.order = s.ClientURL(), k.take
	return r, stopping(s), nil
}

// take obeys `like PERMISSIONS`: it answers credentials of the account with these permissions.
func (k operatorKeys) take(order, args string) (any, error) {
	if order != "like" {
		return nil, fmt.Errorf("no order %q", order)
	}
	var p jwt.Permissions
	if err := json.Unmarshal([]byte(args), &p); err != nil {
		return nil, err
	}
	return k.credsWith("like", p)
}

type key struct {
	pair   nkeys.KeyPair
	public string
}

func newKey(create func() (nkeys.KeyPair, error)) (key, error) {
	pair, err := create()
	if err != nil {
		return key{}, err
	}
	public, err := pair.PublicKey()
	return key{pair, public}, err
}

type operatorKeys struct{ operator, system, account, signing key }

func makeKeys() (k operatorKeys, err error) {
	var errs [4]error
	k.operator, errs[0] = newKey(nkeys.CreateOperator)
	k.system, errs[1] = newKey(nkeys.CreateAccount)
	k.account, errs[2] = newKey(nkeys.CreateAccount)
	k.signing, errs[3] = newKey(nkeys.CreateAccount)
	return k, errors.Join(errs[:]...)
}

// creds is the text of a .creds file with the permissions that Parley would give a user.
func (k operatorKeys) creds(u tenant.UserID) (string, error) {
	var p jwt.Permissions
	g := grant.For("bench", u, nil, false)
	p.Pub.Allow, p.Sub.Allow, p.Sub.Deny = g.Pub, g.Sub, g.SubDeny
	return k.credsWith(u, p)
}

func (k operatorKeys) credsWith(u tenant.UserID, p jwt.Permissions) (string, error) {
	user, err := newKey(nkeys.CreateUser)
	if err != nil {
		return "", err
	}
	c := jwt.NewUserClaims(user.public)
	c.Name, c.IssuerAccount, c.Permissions = string(u), k.account.public, p
	return credsFile(c, k.signing.pair, user.pair)
}

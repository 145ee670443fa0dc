package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/tenant"
	"parley/tenant/grant"
)

// startCallout runs a server in operator mode with the least that a callout can be: it checks
// nothing, takes the user's id from the name of the connection, and answers over the same
// encryption with the rights that Parley would give him. It is written with jwt and nkeys as
// their documentation has it.
func startCallout(dir string) (ready, func() error, error) {
	k, err := makeKeys()
	if err != nil {
		return ready{}, nil, err
	}
	c := &bareCallout{keys: k}
	var errs [4]error
	c.auth, errs[0] = newKey(nkeys.CreateAccount)
	c.self, errs[1] = newKey(nkeys.CreateUser)
	c.xkey, errs[2] = newKey(nkeys.CreateCurveKeys)
	sentinel, errSentinel := newKey(nkeys.CreateUser)
	errs[3] = errSentinel
	if err := errors.Join(errs[:]...); err != nil {
		return ready{}, nil, err
	}
	o := bareOptions(dir)
	if err := c.trust(o); err != nil {
		return ready{}, nil, err
	}
	denied := jwt.NewUserClaims(sentinel.public)
	denied.BearerToken = true
	denied.Pub.Deny.Add(">")
	denied.Sub.Deny.Add(">")
	if o.DefaultSentinel, err = denied.Encode(c.auth.pair); err != nil {
		return ready{}, nil, err
	}
	r := ready{}
	for i := range users {
		creds, err := c.creds(userID(i))
		if err != nil {
			return ready{}, nil, err
		}
		r.Creds = append(r.Creds, creds)
	}
	s, err := startBare(o)
	if err != nil {
		return ready{}, nil, err
	}
	r.NATS = s.ClientURL()
	nc, err := c.serve(s)
	if err != nil {
		return ready{}, nil, errors.Join(err, stopping(s)())
	}
	return r, func() error {
		nc.Close()
		return stopping(s)()
	}, nil
}

type bareCallout struct {
	keys             operatorKeys
	auth, self, xkey key
}

// trust sets up the operator and its accounts: one for the callout, one for the users.
func (c *bareCallout) trust(o *server.Options) error {
	operator := jwt.NewOperatorClaims(c.keys.operator.public)
	operator.SystemAccount = c.keys.system.public
	if _, err := operator.Encode(c.keys.operator.pair); err != nil {
		return err
	}
	auth := jwt.NewAccountClaims(c.auth.public)
	auth.EnableExternalAuthorization(c.self.public)
	auth.Authorization.AllowedAccounts.Add(jwt.AnyAccount)
	auth.Authorization.XKey = c.xkey.public
	account := jwt.NewAccountClaims(c.keys.account.public)
	account.SigningKeys.Add(c.keys.signing.public)
	resolver := &server.MemAccResolver{}
	for _, claims := range []*jwt.AccountClaims{jwt.NewAccountClaims(c.keys.system.public), auth, account} {
		text, err := claims.Encode(c.keys.operator.pair)
		if err != nil {
			return err
		}
		if err := resolver.Store(claims.Subject, text); err != nil {
			return err
		}
	}
	o.TrustedOperators, o.SystemAccount, o.AccountResolver = []*jwt.OperatorClaims{operator}, c.keys.system.public, resolver
	return nil
}

// creds is the text of a .creds file of the callout's account, with which a user gets no further than the callout.
func (c *bareCallout) creds(u tenant.UserID) (string, error) {
	user, err := newKey(nkeys.CreateUser)
	if err != nil {
		return "", err
	}
	claims := jwt.NewUserClaims(user.public)
	claims.Name = string(u)
	claims.Tags.Add("tenant:"+tenantID, "user:"+string(u))
	claims.Pub.Deny.Add(">")
	claims.Sub.Deny.Add(">")
	return credsFile(claims, c.auth.pair, user.pair)
}

func credsFile(claims *jwt.UserClaims, signer, user nkeys.KeyPair) (string, error) {
	text, err := claims.Encode(signer)
	if err != nil {
		return "", err
	}
	seed, err := user.Seed()
	if err != nil {
		return "", err
	}
	creds, err := jwt.FormatUserConfig(text, seed)
	return string(creds), err
}

func (c *bareCallout) serve(s *server.Server) (*nats.Conn, error) {
	claims := jwt.NewUserClaims(c.self.public)
	creds, err := credsFile(claims, c.auth.pair, c.self.pair)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserCredentialBytes([]byte(creds)))
	if err != nil {
		return nil, err
	}
	_, err = nc.Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) {
		if err := c.answer(m); err != nil {
			fmt.Fprintln(os.Stdout, "bare callout:", err) // no JSON: the parent fails on it
		}
	})
	return nc, errors.Join(err, nc.Flush())
}

func (c *bareCallout) answer(m *nats.Msg) error {
	asker := m.Header.Get("Nats-Server-Xkey")
	text, err := c.xkey.pair.Open(m.Data, asker)
	if err != nil {
		return err
	}
	parts := strings.Split(string(text), ".")
	if len(parts) != 3 {
		return errors.New("the request is no JWT")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var q jwt.AuthorizationRequestClaims
	if err := json.Unmarshal(body, &q); err != nil {
		return err
	}
	u := tenant.UserID(q.ConnectOptions.Name)
	g := grant.For("bench", u, nil, false)
	user := jwt.NewUserClaims(q.UserNkey)
	user.Name, user.IssuerAccount = string(u), c.keys.account.public
	user.Pub.Allow, user.Sub.Allow, user.Sub.Deny = g.Pub, g.Sub, g.SubDeny
	a := jwt.NewAuthorizationResponseClaims(q.UserNkey)
	a.Audience = q.Server.ID
	if a.Jwt, err = user.Encode(c.keys.signing.pair); err != nil {
		return err
	}
	signed, err := a.Encode(c.auth.pair)
	if err != nil {
		return err
	}
	sealed, err := c.xkey.pair.Seal([]byte(signed), asker)
	if err != nil {
		return err
	}
	return m.Respond(sealed)
}

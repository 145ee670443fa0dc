package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

const connectsARound = 200

// connects measures a connection that is opened and closed again, one after the other.
func connects(ctx context.Context, b *bench) error {
	n := b.count(connectsARound)
	service, like, err := b.service(ctx)
	if err != nil {
		return err
	}
	variants := []variant{
		{"callout that checks nothing, token", b.callout, n, connecting(n, b.callout.NATS, func(i int) nats.Option {
			return nats.Token(b.account.tokens[i])
		})},
		{"callout that checks nothing, creds", b.callout, n, connecting(n, b.callout.NATS, func(i int) nats.Option {
			return nats.UserCredentialBytes([]byte(b.callout.Creds[i]))
		})},
		{"Parley, token", b.parley, n, connecting(n, b.parley.NATS, func(i int) nats.Option {
			return nats.Token(b.account.tokens[i])
		})},
		{"Parley, creds", b.parley, n, connecting(n, b.parley.NATS, func(i int) nats.Option {
			return nats.UserCredentialBytes([]byte(b.account.creds[i]))
		})},
		{"operator JWT, no callout", b.jwts, n, connecting(n, b.jwts.NATS, func(i int) nats.Option {
			return nats.UserCredentialBytes([]byte(b.jwts.Creds[i]))
		})},
		{"static password, same permissions", b.plain, n, connecting(n, b.plain.NATS, func(i int) nats.Option {
			return nats.UserInfo(string(userID(i)), barePassword)
		})},
		{"static password, no permissions", b.plain, n, connecting(n, b.plain.NATS, func(int) nats.Option {
			return nats.UserInfo(bareUser, barePassword)
		})},
	}
	results, err := interleave(ctx, b.rounds(), variants)
	if err != nil {
		return err
	}
	direct, err := interleave(ctx, b.rounds(), []variant{
		{"operator JWT, permissions of a service", b.jwts, n, connecting(n, b.jwts.NATS, func(int) nats.Option {
			return nats.UserCredentialBytes([]byte(like))
		})},
		{"Parley, service credentials", b.parley, n, connecting(n, b.parley.NATS, func(int) nats.Option {
			return nats.UserCredentialBytes([]byte(service))
		})},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\n## Connects\n\nOne at a time, connect and close: %d in each of %d rounds.\n", n, b.rounds())
	tell(b.out, "connect", results, direct)
	return nil
}

// service makes credentials of a service of the tenant, and like them such of a server that is not Parley.
func (b *bench) service(ctx context.Context) (service, like string, err error) {
	var made struct{ Creds string }
	if err := b.api.call(ctx, http.MethodPost, "/"+tenantID+"/keys", map[string]string{"kind": "service", "name": "bot"}, &made); err != nil {
		return "", "", err
	}
	token, err := jwt.ParseDecoratedJWT([]byte(made.Creds))
	if err != nil {
		return "", "", err
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return "", "", err
	}
	permissions, err := json.Marshal(claims.Permissions)
	if err != nil {
		return "", "", err
	}
	err = b.jwts.order(ctx, "like "+string(permissions), &like)
	return made.Creds, like, err
}

// connecting connects the users in turn.
func connecting(n int, url string, proof func(user int) nats.Option) func(context.Context) (outcome, error) {
	return func(ctx context.Context) (o outcome, err error) {
		begun := time.Now()
		for i := range n {
			if err := ctx.Err(); err != nil {
				return o, err
			}
			start := time.Now()
			nc, err := dial(url, userID(i%users), proof(i%users))
			if err != nil {
				return o, err
			}
			o.each = append(o.each, time.Since(start))
			nc.Close()
		}
		o.wall = time.Since(begun)
		return o, nil
	}
}

// dial connects as every client here does: what breaks is an error, and not repaired.
func dial(url string, u tenant.UserID, more ...nats.Option) (*nats.Conn, error) {
	return nats.Connect(url, append([]nats.Option{
		nats.Name(string(u)), nats.CustomInboxPrefix(subject.Inbox(u)), nats.Timeout(5 * time.Second), nats.NoReconnect(),
	}, more...)...)
}

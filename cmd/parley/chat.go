package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"parley/client"
	"parley/internal/termchat"
)

type chatCmd struct {
	userArg
	Room string `arg:"" optional:"" help:"Room to open; without it, a list of rooms."`
	userMethod
}

// userMethod says how to reach NATS, and how a user proves who he is there.
type userMethod struct {
	NATS         string `name:"nats" help:"NATS or WebSocket URL; without it, read from the data folder." env:"PARLEY_NATS_URL" placeholder:"URL"`
	Creds        string `help:"Connect with this .creds file." placeholder:"FILE" xor:"method"`
	NKeyFile     string `name:"nkey-file" help:"Connect with the nkey whose seed is in this file." placeholder:"FILE" xor:"method"`
	CertFile     string `name:"cert-file" help:"Connect with this client certificate, PEM, and --cert-key-file." placeholder:"FILE" xor:"method"`
	CertKeyFile  string `name:"cert-key-file" help:"Key of the client certificate, PEM." placeholder:"FILE"`
	TokenFile    string `help:"Connect with the user token in this file; - is standard input." placeholder:"FILE" xor:"method"`
	PasswordFile string `help:"Connect with the password in this file; - is standard input." placeholder:"FILE" xor:"method"`
}

// Run chats as the user.
func (c *chatCmd) Run(ctx context.Context, std streams) error {
	opts, err := c.options(c.userArg, "parley chat", std)
	if err != nil {
		return err
	}
	nc, err := client.Connect(ctx, opts)
	if err != nil {
		return explain(err, c.Tenant)
	}
	defer nc.Close()
	err = termchat.Run(ctx, termchat.Config{Client: nc, Room: c.Room, In: std.in, Out: std.out})
	var revoked *client.RevokedError
	if errors.As(err, &revoked) {
		return errors.New(revoked.Error())
	}
	return err
}

func explain(err error, tenant string) error {
	if errors.Is(err, client.ErrRefused) {
		return fmt.Errorf("%w; an admin sees why with: parley tenant refusals %s", err, tenant)
	}
	return err
}

// options are those of a connection of a user. With none of the methods it asks the API for tokens, which takes an
// operator's or tenant's key.
func (c *userMethod) options(who userArg, program string, std streams) (client.Options, error) {
	o := client.Options{URL: c.NATS, User: who.User, Name: program}
	if o.URL == "" {
		run, err := who.running()
		if err != nil {
			return o, err
		}
		o.URL = run.NATS
	}
	var err error
	if o.TLS, err = who.trust(c.NATS == ""); err != nil {
		return o, err
	}
	switch {
	case c.Creds != "":
		o.CredsFile = c.Creds
		if _, err := os.Stat(c.Creds); err != nil {
			return o, err
		}
	case c.NKeyFile != "":
		o.NKeyFile = c.NKeyFile
		if _, err := os.Stat(c.NKeyFile); err != nil {
			return o, err
		}
	case c.CertFile != "":
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.CertKeyFile)
		if err != nil {
			return o, fmt.Errorf("--cert-file, --cert-key-file: %w", err)
		}
		o.TLS.Certificates = []tls.Certificate{cert}
	case c.TokenFile != "":
		token, err := readSecret(c.TokenFile, std)
		if err != nil {
			return o, err
		}
		o.Token = client.StaticToken(strings.TrimSpace(token))
	case c.PasswordFile != "":
		password, err := readSecret(c.PasswordFile, std)
		if err != nil {
			return o, err
		}
		o.Tenant, o.Password = who.Tenant, password
	default:
		a, err := who.open(std)
		if err != nil {
			return o, err
		}
		o.Token = func(ctx context.Context) (string, error) {
			t, err := a.mint(ctx, who.path("tokens"), time.Hour)
			return t.Token, err
		}
	}
	return o, nil
}

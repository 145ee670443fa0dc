package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"parley/client"
	"parley/tenant"
)

type keyAddNATSScopedCmd struct {
	newKeyArg
	Role      string `help:"What the users that it signs may do: member or service." enum:"member,service" default:"member"`
	PublicKey string `help:"The public account nkey, A…, whose seed you keep." xor:"key" required:"" placeholder:"NKEY"`
	SeedOut   string `help:"Make a key, and write its seed to this file, readable by you alone; the server gets the public part." xor:"key" required:"" placeholder:"FILE"`
}

func (c *keyAddNATSScopedCmd) Run(ctx context.Context, std streams) error {
	if c.SeedOut != "" {
		var err error
		if c.PublicKey, err = newSigningKey(c.SeedOut); err != nil {
			return err
		}
	}
	spec := tenant.KeySpec{Kind: tenant.KeyNATSScoped, KeyDetails: tenant.KeyDetails{PublicKey: c.PublicKey, Role: tenant.ScopedRole(c.Role)}}
	return c.add(ctx, std, spec, func(w io.Writer, made keyAnswer) {
		fmt.Fprintf(w, "role     %s\npublic   %s\n", made.Key.Role, made.Key.PublicKey)
		if c.SeedOut != "" {
			fmt.Fprintln(w, "Wrote", c.SeedOut)
		}
		fmt.Fprintf(w, "\nSign users with it, without the server: parley key issue --account ACCOUNT --seed-file FILE --out FILE\n"+
			"The account is in parley tenant show %s. Say whose the nkey is: parley user put %s USER --nkey NKEY\n", c.Tenant, c.Tenant)
	})
}

// newSigningKey makes a key, writes its seed to a file, and returns its public part.
func newSigningKey(file string) (string, error) {
	public, seed, err := client.NewSigningKey()
	if err != nil {
		return "", err
	}
	return public, os.WriteFile(file, append(seed, '\n'), 0o600)
}

type keyIssueCmd struct {
	Account  string        `help:"The tenant's account, A…." required:"" placeholder:"NKEY"`
	SeedFile string        `help:"File with the seed of a nats-scoped key; - is standard input." required:"" placeholder:"FILE"`
	UserSeed string        `help:"File with the seed of the user's nkey; a new one when not given." placeholder:"FILE"`
	Name     string        `help:"A label for the servers' lists."`
	TTL      time.Duration `name:"ttl" help:"How long it is good, at most 24h." default:"24h"`
	Out      string        `help:"File to write the credentials to, readable by you alone." required:"" placeholder:"FILE"`
}

func (c *keyIssueCmd) Run(std streams) error {
	o := client.SigningOrder{Account: c.Account, Name: c.Name, TTL: c.TTL}
	seed, err := readSecret(c.SeedFile, std)
	if err != nil {
		return err
	}
	o.Seed = []byte(seed)
	if c.UserSeed != "" {
		if seed, err = readSecret(c.UserSeed, std); err != nil {
			return err
		}
		o.UserSeed = []byte(seed)
	}
	nkey, creds, err := client.SignUser(o)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, creds, 0o600); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "nkey     %s\nexpires  %s\nWrote %s\n\nIts inbox prefix is _INBOX.%s. Where the nkey is new, say whose it is: parley user put TENANT USER --nkey %s\n",
		nkey, time.Now().Add(c.TTL).UTC().Format(time.RFC3339), c.Out, nkey, nkey)
	return err
}

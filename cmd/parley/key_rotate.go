package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"parley/tenant"
)

type keyRotateCmd struct {
	Tenant  string        `arg:"" help:"Id of the tenant."`
	Key     string        `arg:"" help:"Id of the key."`
	Overlap time.Duration `help:"How long the old key stays good; 0: it ends at once." default:"168h"`

	PublicKey   string `help:"Of a user-token key: file with the new public key in PEM; - is standard input." xor:"new" placeholder:"FILE"`
	Alg         string `help:"Of a user-token key: the new key's algorithm, where it is another."`
	NKey        string `name:"nkey" help:"Of a nats-scoped key: the new public account nkey, A…." xor:"new" placeholder:"NKEY"`
	SeedOut     string `help:"Of a nats-scoped key: make the new one, and write its seed to this file, readable by you alone." xor:"new" placeholder:"FILE"`
	URL         string `name:"url" help:"Of a key of kind jwks: where the new set is." xor:"new"`
	ClientID    string `help:"Of a key of kind oidc: the new client." xor:"new" placeholder:"ID"`
	Out         string `help:"Of a service key: file to write the credentials to, readable by you alone." xor:"new" placeholder:"FILE"`
	Certificate string `help:"Of a key of kind tls-ca: file with the new CA's certificate, PEM." xor:"new" placeholder:"FILE"`
	apiFlags
}

// rotatedAnswer is what the API answers to a rotation.
type rotatedAnswer struct {
	keyAnswer
	Replaces struct {
		ID     string    `json:"id"`
		EndsAt time.Time `json:"ends_at"`
	} `json:"replaces"`
}

func (c *keyRotateCmd) Run(ctx context.Context, std streams) error {
	r, err := c.rotation(std)
	if err != nil {
		return err
	}
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var made rotatedAnswer
	if err := a.call(ctx, http.MethodPost, path("tenants", c.Tenant, "keys", c.Key, "rotate"), r, &made); err != nil {
		return err
	}
	if err := made.keepCreds(c.Out); err != nil {
		return err
	}
	return a.show(made, func(w io.Writer) {
		made.print(w, c.Out)
		if c.Overlap == 0 {
			fmt.Fprintf(w, "\nThe old key %s is removed.\n", made.Replaces.ID)
		} else {
			fmt.Fprintf(w, "\nThe old key %s ends %s.\n", made.Replaces.ID, made.Replaces.EndsAt.Format(time.RFC3339))
		}
	})
}

func (c *keyRotateCmd) rotation(std streams) (r tenant.Rotation, err error) {
	r = tenant.Rotation{OverlapSeconds: new(int64(c.Overlap.Seconds())), Alg: c.Alg, PublicKey: c.NKey, URL: c.URL, ClientID: c.ClientID}
	switch {
	case c.PublicKey != "":
		r.PublicKey, err = readSecret(c.PublicKey, std)
	case c.SeedOut != "":
		r.PublicKey, err = newSigningKey(c.SeedOut)
	case c.Certificate != "":
		var text []byte
		if text, err = os.ReadFile(c.Certificate); err != nil {
			err = fmt.Errorf("--certificate: %w", err)
		}
		r.Certificate = string(text)
	}
	return r, err
}

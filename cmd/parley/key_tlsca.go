package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"parley/tenant"
)

type keyAddTLSCACmd struct {
	newKeyArg
	Certificate string `help:"The CA's certificate, PEM." required:"" placeholder:"FILE"`
	UserField   string `help:"Field of the client certificates that names the user: cn, email, dns or uri." default:"cn"`
}

func (c *keyAddTLSCACmd) Run(ctx context.Context, std streams) error {
	text, err := os.ReadFile(c.Certificate)
	if err != nil {
		return fmt.Errorf("--certificate: %w", err)
	}
	details := tenant.KeyDetails{Certificate: string(text), UserField: c.UserField}
	return c.add(ctx, std, tenant.KeySpec{Kind: tenant.KeyTLSCA, KeyDetails: details}, func(w io.Writer, _ keyAnswer) {
		fmt.Fprintf(w, "\nUsers of %s with a certificate of this CA get in where the server asks for one (parley serve --tls-cert, --tls-client-ca).\n", c.Tenant)
	})
}

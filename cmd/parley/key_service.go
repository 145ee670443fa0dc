package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"parley/tenant"
)

type keyAddServiceCmd struct {
	newKeyArg
	Out string `help:"File to write the credentials to, readable by you alone; standard output when not given." placeholder:"FILE"`
}

func (c *keyAddServiceCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	made, err := c.send(ctx, a, tenant.KeySpec{Kind: tenant.KeyService})
	if err != nil {
		return err
	}
	if c.Out != "" {
		if err := os.WriteFile(c.Out, []byte(made.Creds), 0o600); err != nil {
			return fmt.Errorf("the key %s was made, but its credentials are lost: %w; remove it and make another", made.Key.ID, err)
		}
		made.Creds = ""
	}
	return a.show(made, func(w io.Writer) {
		fmt.Fprintf(w, "id       %s\nkind     %s\nname     %s\n", made.Key.ID, made.Key.Kind, made.Key.Name)
		if c.Out != "" {
			fmt.Fprintln(w, "Wrote", c.Out)
			return
		}
		fmt.Fprintf(w, "\n%s\nThe credentials are shown this once: keep them.\n", made.Creds)
	})
}

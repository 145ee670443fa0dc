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
	if err := made.keepCreds(c.Out); err != nil {
		return err
	}
	return a.show(made, func(w io.Writer) { made.print(w, c.Out) })
}

// keepCreds writes the credentials to a file, where one is given.
func (m *keyAnswer) keepCreds(file string) error {
	if file == "" {
		return nil
	}
	if err := os.WriteFile(file, []byte(m.Creds), 0o600); err != nil {
		return fmt.Errorf("the key %s was made, but its credentials are lost: %w; remove it and make another", m.Key.ID, err)
	}
	m.Creds = ""
	return nil
}

// print writes the key and what it shows once; file is where its credentials went.
func (m keyAnswer) print(w io.Writer, file string) {
	fmt.Fprintf(w, "id       %s\nkind     %s\nname     %s\n", m.Key.ID, m.Key.Kind, m.Key.Name)
	switch {
	case m.APIKey != "":
		fmt.Fprintf(w, "api key  %s\n\nThe key is shown this once: keep it.\n", m.APIKey)
	case m.Creds != "":
		fmt.Fprintf(w, "\n%s\nThe credentials are shown this once: keep them.\n", m.Creds)
	case file != "":
		fmt.Fprintln(w, "Wrote", file)
	}
}

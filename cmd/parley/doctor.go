package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"parley/tenant"
)

type doctorCmd struct{ apiFlags }

// findings are what the server answers, and what this program finds of the server.
type findings struct {
	OK     bool           `json:"ok"`
	Checks []tenant.Check `json:"checks"`
}

func (c *doctorCmd) Run(ctx context.Context, std streams) error {
	f, err := c.examine(ctx, std)
	if err != nil {
		return err
	}
	a := &api{json: c.JSON, std: std}
	if err := a.show(f, f.print); err != nil {
		return err
	}
	return f.fault()
}

// examine asks the server. That it can't be asked is a finding too; that it refuses is an error.
func (c *doctorCmd) examine(ctx context.Context, std streams) (findings, error) {
	a, err := c.open(std)
	if err != nil {
		return absent(err), nil
	}
	var f findings
	if err := a.call(ctx, http.MethodGet, path("health"), nil, &f); err != nil {
		if r := (refusal{}); errors.As(err, &r) {
			return f, err
		}
		return absent(err), nil
	}
	f.Checks = append([]tenant.Check{{Name: "server", OK: true, Found: "answers at " + a.base}}, f.Checks...)
	return f, nil
}

func absent(err error) findings {
	return findings{Checks: []tenant.Check{{
		Name: "server", Found: err.Error(), Remedy: "Start it with `parley serve`, or say where it is with --server, or with --data on its own machine.",
	}}}
}

func (f findings) print(w io.Writer) {
	for _, c := range f.Checks {
		word := "ok"
		if !c.OK {
			word = "FAULT"
		}
		fmt.Fprintf(w, "%-5s  %-11s  %s\n", word, c.Name, c.Found)
		if !c.OK {
			fmt.Fprintf(w, "%20s %s\n", "->", c.Remedy)
		}
	}
}

// fault is the error of a doctor who found something.
func (f findings) fault() error {
	n := 0
	for _, c := range f.Checks {
		if !c.OK {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d checks found a fault", n, len(f.Checks))
}

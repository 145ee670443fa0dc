package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

type doctorCmd struct{ apiFlags }

// A finding is one check as the server answers it, or as this program makes it.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

type findings struct {
	OK     bool      `json:"ok"`
	Checks []finding `json:"checks"`
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
	f.Checks = append([]finding{{Name: "server", OK: true, Found: "answers at " + a.base}}, f.Checks...)
	return f, nil
}

func absent(err error) findings {
	return findings{Checks: []finding{{
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

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

type roomExportCmd struct {
	roomArg
	After uint64 `help:"Go on behind this seq: the last one of an export that broke off."`
	File  string `help:"Where to write; standard output when not given." placeholder:"FILE"`
}

func (c *roomExportCmd) Run(ctx context.Context, std streams) error {
	return c.export(ctx, std, c.path("export")+"?after="+strconv.FormatUint(c.After, 10), c.File)
}

type userExportCmd struct {
	tenantArg
	User string `arg:"" help:"Id of the user."`
	File string `help:"Where to write; standard output when not given." placeholder:"FILE"`
}

func (c *userExportCmd) Run(ctx context.Context, std streams) error {
	return c.export(ctx, std, path("tenants", c.Tenant, "users", c.User, "export"), c.File)
}

// export copies the NDJSON that stands at p as it comes, however long it is.
func (f apiFlags) export(ctx context.Context, std streams, p, file string) error {
	a, err := f.open(std)
	if err != nil {
		return err
	}
	res, err := a.stream(ctx, p)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	out := std.out
	if file != "" {
		w, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer w.Close()
		out = w
	}
	n, err := io.Copy(out, res.Body)
	if err != nil {
		return fmt.Errorf("the export broke off after %d bytes; go on with --after and the seq of its last whole line: %w", n, err)
	}
	return nil
}

// stream asks for an answer that is read while it comes.
func (a *api) stream(ctx context.Context, p string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(a.base, "/")+p, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	res, err := a.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server does not answer: %w", err)
	}
	if res.StatusCode < http.StatusBadRequest {
		return res, nil
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return nil, decode(res, answer, nil)
}

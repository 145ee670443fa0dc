package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"parley/internal/app"
)

// apiFlags say which running server a subcommand talks to.
type apiFlags struct {
	Server string `help:"URL of the server's HTTP API; without it, read from the data folder." env:"PARLEY_SERVER" placeholder:"URL"`
	Token  string `help:"API key, or the operator's token; without it, read from the data folder." env:"PARLEY_TOKEN" placeholder:"KEY"`
	Data   string `help:"Data folder of a server on this machine." env:"PARLEY_DATA" default:"${data}" placeholder:"DIR"`
	CA     string `name:"ca" help:"CA to trust beside the system's, PEM, where the server presents a certificate of its own." env:"PARLEY_CA" placeholder:"FILE"`
	JSON   bool   `help:"Print the answer as JSON."`
}

// api is a client of the HTTP API.
type api struct {
	base, token string
	http        *http.Client
	json        bool
	std         streams
}

// open finds the server and the key.
func (f apiFlags) open(std streams) (*api, error) {
	trusted, err := f.trust(f.Server == "")
	if err != nil {
		return nil, err
	}
	a := &api{
		base: f.Server, token: f.Token, json: f.JSON, std: std,
		http: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trusted}},
	}
	if a.base == "" {
		run, err := f.running()
		if err != nil {
			return nil, err
		}
		a.base = run.HTTP
	}
	if a.token == "" {
		b, err := os.ReadFile(filepath.Join(f.Data, app.OperatorTokenFile))
		if err != nil {
			return nil, fmt.Errorf("no key: %w; give --token, or --data of a server on this machine", err)
		}
		a.token = strings.TrimSpace(string(b))
	}
	return a, nil
}

// running reads what a server on this machine says of itself.
func (f apiFlags) running() (app.RunInfo, error) {
	run, err := app.ReadRunInfo(f.Data)
	if errors.Is(err, os.ErrNotExist) {
		return run, fmt.Errorf("no server runs in %s: start one with `parley serve`, or give --server and --token, or --data", f.Data)
	}
	return run, err
}

// path joins escaped segments below /v1.
func path(segments ...string) string {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "/v1/" + strings.Join(segments, "/")
}

// refusal is the form of the API's errors.
type refusal struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields"`
}

func (r refusal) Error() string {
	if len(r.Fields) < 2 {
		return r.Message
	}
	lines := []string{r.Message}
	for field, why := range r.Fields {
		lines = append(lines, "  "+field+": "+why)
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n")
}

const callTimeout = 30 * time.Second

// call sends body (nil: none) and decodes the answer into out (nil: ignored; *string: as text).
func (a *api) call(ctx context.Context, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if body == nil {
		return a.send(ctx, method, path, "", nil, out)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return a.send(ctx, method, path, "application/json", b, out)
}

// send sends a body as it is, and decodes the answer as call does.
func (a *api) send(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return decode(res, answer, out)
}

func decode(res *http.Response, answer []byte, out any) error {
	if res.StatusCode >= 400 {
		var r refusal
		if err := json.Unmarshal(answer, &r); err != nil || r.Message == "" {
			return fmt.Errorf("the server answered %s; is it Parley?", res.Status)
		}
		return r
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *string:
		*out = string(answer)
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the answer of %s can't be read: %w", res.Request.URL.Path, err)
	}
	return nil
}

// show prints v as JSON where asked to, else what text writes.
func (a *api) show(v any, text func(w io.Writer)) error {
	if !a.json {
		text(a.std.out)
		return nil
	}
	enc := json.NewEncoder(a.std.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// list gathers all pages of a list below path.
func list[T any](ctx context.Context, a *api, path, key string, query url.Values) ([]T, error) {
	all := []T{}
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "1000")
	for {
		var page map[string]json.RawMessage
		if err := a.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		var items []T
		if err := json.Unmarshal(page[key], &items); err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		all = append(all, items...)
		var next string
		if raw, ok := page["next"]; ok {
			if err := json.Unmarshal(raw, &next); err != nil {
				return nil, fmt.Errorf("read next: %w", err)
			}
		}
		if next == "" {
			return all, nil
		}
		query.Set("after", next)
	}
}

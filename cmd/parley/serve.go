package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"parley/internal/app"
)

type serveCmd struct {
	Config        configFile `help:"JSON file of flags and their values, as {\"http\": \"127.0.0.1:8080\"}. The environment beats it, flags beat both." env:"PARLEY_CONFIG" placeholder:"FILE"`
	Data          string     `help:"Data folder." env:"PARLEY_DATA" default:"${data}" placeholder:"DIR"`
	HTTP          string     `name:"http" help:"Address of the HTTP API. Port 0 picks a free one, here and below." env:"PARLEY_HTTP" default:"127.0.0.1:8080" placeholder:"ADDR"`
	NATS          string     `name:"nats" help:"Address of NATS." env:"PARLEY_NATS" default:"127.0.0.1:4222" placeholder:"ADDR"`
	WS            string     `name:"ws" help:"Address of NATS over WebSocket." env:"PARLEY_WS" default:"127.0.0.1:8443" placeholder:"ADDR"`
	Metrics       string     `help:"Address of /metrics, /healthz and /readyz." env:"PARLEY_METRICS" default:"127.0.0.1:9100" placeholder:"ADDR"`
	TLSCert       string     `name:"tls-cert" help:"Certificate for HTTP, NATS and WebSocket, PEM." env:"PARLEY_TLS_CERT" placeholder:"FILE"`
	TLSKey        string     `name:"tls-key" help:"Its key, PEM." env:"PARLEY_TLS_KEY" placeholder:"FILE"`
	TLSClientCA   string     `name:"tls-client-ca" help:"CAs of the client certificates that the NATS and WebSocket ports ask for, PEM. Without it only the NATS port asks, for any; Chromium takes no WebSocket that asks." env:"PARLEY_TLS_CLIENT_CA" placeholder:"FILE"`
	MasterKeyFile string     `help:"File of the key that seals all others; master.key in the data folder when not given." env:"PARLEY_MASTER_KEY_FILE" placeholder:"FILE"`
	PublicURL     string     `name:"public-url" help:"Where browsers find the console, as https://chat.example.com; links are made of it. The HTTP address when not given." env:"PARLEY_PUBLIC_URL" placeholder:"URL"`
	PublicNATS    string     `name:"public-nats" help:"Where programs reach NATS, as tls://chat.example.com:4222; the console's snippets say it. The port of --nats at the host of --public-url when not given." env:"PARLEY_PUBLIC_NATS" placeholder:"URL"`
	PublicWS      string     `name:"public-ws" help:"Where browsers reach NATS, as wss://chat.example.com/ws, likewise." env:"PARLEY_PUBLIC_WS" placeholder:"URL"`
	SignUp        string     `help:"Who may sign up in the console: open (everybody), invite (who has a link) or closed (nobody but operators)." env:"PARLEY_SIGN_UP" default:"invite" placeholder:"WHO"`
	OIDCIssuer    string     `name:"oidc-issuer" help:"OpenID Connect provider by which people log in to the console, as https://login.example.com. Its client's redirect URI is /login/sso/return at --public-url." env:"PARLEY_OIDC_ISSUER" placeholder:"URL"`
	OIDCClientID  string     `name:"oidc-client-id" help:"Id of the console as a client there." env:"PARLEY_OIDC_CLIENT_ID" placeholder:"ID"`
	OIDCSecret    string     `name:"oidc-client-secret-file" help:"File of the client's secret." env:"PARLEY_OIDC_CLIENT_SECRET_FILE" placeholder:"FILE"`
	AllowPrivate  bool       `name:"allow-private-urls" help:"Let tenants name URLs of private networks and plain http, for JWKS and OIDC, and the operator for --oidc-issuer; without it public addresses alone." env:"PARLEY_ALLOW_PRIVATE_URLS"`
	DatabaseURL   string     `help:"Postgres server; a private one in the data folder when not given." env:"PARLEY_DATABASE_URL" placeholder:"URL"`
	Roles         []string   `help:"What this process does beside a cluster, of control, callout, chat and console; all of it when not given. Each must run somewhere." env:"PARLEY_ROLES" placeholder:"LIST"`
	NATSURL       string     `name:"nats-url" help:"Servers of a NATS cluster, divided by commas, each set as parley nats config says; an embedded server when not given. Any number of processes may run beside it, with the same database and master key." env:"PARLEY_NATS_URL" placeholder:"URLS"`
}

func (c *serveCmd) Run(ctx context.Context, std streams) error {
	return app.Run(ctx, app.Config{
		Data: c.Data, HTTP: c.HTTP, NATS: c.NATS, WS: c.WS, Metrics: c.Metrics,
		TLSCert: c.TLSCert, TLSKey: c.TLSKey, TLSClientCA: c.TLSClientCA,
		MasterKeyFile: c.MasterKeyFile, PrivateURLs: c.AllowPrivate, DatabaseURL: c.DatabaseURL, NATSURL: c.NATSURL, Roles: c.Roles,
		OIDCIssuer: c.OIDCIssuer, OIDCClientID: c.OIDCClientID, OIDCSecretFile: c.OIDCSecret,
		PublicURL: c.PublicURL, PublicNATS: c.PublicNATS, PublicWS: c.PublicWS, SignUp: c.SignUp,
		Logger: slog.New(slog.NewTextHandler(std.err, nil)),
		Out:    std.out,
	})
}

// configFile resolves flags from a JSON file once its own flag is parsed. It stands in for
// kong's loader, which would let the file beat the environment and ignore unknown keys.
type configFile string

// BeforeResolve reads the file named by the flag or the environment.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	file, ok := ctx.FlagValue(trace.Flag).(configFile)
	if !ok || file == "" {
		return nil
	}
	r, err := readConfig(string(file))
	if err != nil {
		return err
	}
	ctx.AddResolver(r)
	return nil
}

type fileResolver struct {
	file   string
	values map[string]any
}

func readConfig(file string) (*fileResolver, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	r := &fileResolver{file: file}
	if err := json.Unmarshal(b, &r.values); err != nil {
		return nil, fmt.Errorf("--config: %s is no JSON object: %w", file, err)
	}
	return r, nil
}

// Validate refuses keys that are no flags of the subcommand, all of them at once.
func (r *fileResolver) Validate(k *kong.Application) error {
	known := map[string]bool{}
	for _, child := range k.Children {
		if child.Name != "serve" {
			continue
		}
		for _, f := range child.Flags {
			known[f.Name] = f.Name != "help" && f.Name != "config"
		}
	}
	var unknown []string
	for key := range r.values {
		if !known[key] {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("--config: %s has keys that are no flags: %s", r.file, strings.Join(unknown, ", "))
}

// Resolve gives the value of a flag that neither the command line nor the environment has.
func (r *fileResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	switch v := r.values[flag.Name].(type) {
	case nil:
		return nil, nil
	case string:
		return v, nil
	case bool:
		if flag.IsBool() {
			return v, nil
		}
	}
	return nil, errors.New("--config: " + flag.Name + " must be a string, or true or false where the flag takes no value")
}

package app

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"parley/console"
	"parley/internal/outbound"
	"parley/tenant"
)

// sso is the login provider of the console's people, if there is one.
func (c Config) sso() (*console.SSOConfig, error) {
	if c.OIDCIssuer == "" && c.OIDCClientID == "" && c.OIDCSecretFile == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	var faults []error
	if err := tenant.CheckServerURL("oidc-issuer", c.OIDCIssuer, c.PrivateURLs); err != nil {
		e, _ := tenant.AsError(err) // it is one
		faults = append(faults, fmt.Errorf("--oidc-issuer: %q %s", c.OIDCIssuer, e.Fields["oidc-issuer"]))
	}
	if c.OIDCClientID == "" {
		faults = append(faults, errors.New("--oidc-client-id: say what the provider calls this console"))
	}
	secret, err := os.ReadFile(c.OIDCSecretFile)
	if err == nil && strings.TrimSpace(string(secret)) == "" {
		err = errors.New("is empty")
	}
	if err != nil {
		faults = append(faults, fmt.Errorf("--oidc-client-secret-file: %q has no secret: %w", c.OIDCSecretFile, err))
	}
	return &console.SSOConfig{
		Issuer: c.OIDCIssuer, ClientID: c.OIDCClientID, ClientSecret: tenant.Secret(strings.TrimSpace(string(secret))),
		HTTP: outbound.NewClient(outbound.Config{AllowPrivate: c.PrivateURLs}),
	}, errors.Join(faults...)
}

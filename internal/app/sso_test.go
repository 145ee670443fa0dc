package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLoginProviderIsNamedWhole(t *testing.T) {
	t.Parallel()
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good := Config{OIDCIssuer: "https://login.example.com/realm", OIDCClientID: "parley", OIDCSecretFile: file("s3cret\n")}
	got, err := good.sso()
	if err != nil || got.ClientSecret.Reveal() != "s3cret" || got.Issuer != good.OIDCIssuer || got.ClientID != "parley" || got.HTTP == nil {
		t.Fatalf("got %+v, %v, want the provider", got, err)
	}
	if got, err := (Config{}).sso(); got != nil || err != nil {
		t.Errorf("nothing named: got %v, %v, want none", got, err)
	}
	private := good
	private.OIDCIssuer, private.PrivateURLs = "http://127.0.0.1:8080", true
	if _, err := private.sso(); err != nil {
		t.Errorf("a private one where they are allowed: got %v, want no fault", err)
	}
	for _, c := range []struct {
		change func(c *Config)
		flag   string
	}{
		{func(c *Config) { c.OIDCIssuer = "" }, "--oidc-issuer"},
		{func(c *Config) { c.OIDCIssuer = "http://login.example.com" }, "--oidc-issuer"},
		{func(c *Config) { c.OIDCIssuer = "https://127.0.0.1" }, "--oidc-issuer"},
		{func(c *Config) { c.OIDCIssuer = "https://10.0.0.1/" }, "--oidc-issuer"},
		{func(c *Config) { c.OIDCIssuer = "https://a:b@login.example.com" }, "--oidc-issuer"},
		{func(c *Config) { c.OIDCClientID = "" }, "--oidc-client-id"},
		{func(c *Config) { c.OIDCSecretFile = "" }, "--oidc-client-secret-file"},
		{func(c *Config) { c.OIDCSecretFile = file(" \n") }, "--oidc-client-secret-file"},
	} {
		bad := good
		c.change(&bad)
		if _, err := bad.sso(); err == nil || !strings.Contains(err.Error(), c.flag) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: got %v, want a fault of %s without the secret", bad, err, c.flag)
		}
		if err := bad.check(); err == nil || !strings.Contains(err.Error(), c.flag) {
			t.Errorf("%+v: got %v among all faults, want %s", bad, err, c.flag)
		}
	}
}

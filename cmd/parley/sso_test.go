package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oauth2-proxy/mockoidc"
)

// provider is a login provider, with the flags that name it to parley.
func provider(t *testing.T) (*mockoidc.MockOIDC, []string) {
	t.Helper()
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(m.ClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m, []string{"--oidc-issuer", m.Issuer(), "--oidc-client-id", m.ClientID, "--oidc-client-secret-file", secret}
}

// The policy of the console must let a browser go to the provider and come back.
func TestTheBrowserLogsInByTheProvider(t *testing.T) {
	m, flags := provider(t)
	s := serve(t, append(flags, "--sign-up", "open", "--allow-private-urls")...)
	w := s.window(chromium(t))
	w.signUp()
	w.send("header form button")
	w.says("h1", "Log in")
	w.look("login-provider", "")
	m.QueueUser(&mockoidc.MockUser{Subject: "ada-1", Email: "ada@example.com", EmailVerified: true})
	w.send(`a[href^="/login/sso"]`)
	w.says(".note.good", "Your account now opens by")
	w.says("h1", "Your tenants")
	w.open("/operator/people")
	w.says("td button", "Part from the login provider")
	w.look("operator-people-provider", "")
	w.open("/account")
	w.says("button", "Set a password")
	if log := s.stderr.String(); strings.Contains(log, m.ClientSecret) || strings.Contains(log, "code=") {
		t.Errorf("got the client's secret or a code in the log")
	}
}

func TestAPrivateProviderNeedsLeave(t *testing.T) {
	t.Parallel()
	_, flags := provider(t)
	out, err := command(t.Context(), append([]string{"serve", "--data", t.TempDir()}, flags...)...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--oidc-issuer") {
		t.Errorf("got %v\n%s\nwant a fault of --oidc-issuer", err, out)
	}
}

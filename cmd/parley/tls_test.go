package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"parley/client"
	"parley/internal/app"
	"parley/internal/certtest"
)

// TestServeOverTLS has a certificate that is for another name than the addresses: on the
// server's own machine the data folder says which one to trust.
func TestServeOverTLS(t *testing.T) {
	t.Parallel()
	ca := certtest.NewCA(t, "Test CA")
	cert, key := certtest.Files(t, ca.Server(t, func(c *x509.Certificate) { c.IPAddresses = nil }))
	s := serve(t, "--tls-cert", cert, "--tls-key", key)
	for url, scheme := range map[string]string{s.HTTP: "https://", s.NATS: "tls://", s.WS: "wss://"} {
		if !strings.HasPrefix(url, scheme) {
			t.Errorf("got %s, want %s", url, scheme)
		}
	}

	run := func(args ...string) string {
		t.Helper()
		code, out, errs := runParley(t, args...)
		if code != 0 {
			t.Fatalf("parley %s: got code %d, %s", strings.Join(args, " "), code, errs)
		}
		return out
	}
	run("tenant", "create", "acme", "--data", s.data)
	run("user", "put", "acme", "alice", "--data", s.data)
	token := strings.TrimSpace(run("token", "acme", "alice", "--data", s.data))

	named := strings.Replace(s.HTTP, "127.0.0.1", "localhost", 1)
	run("user", "list", "acme", "--server", named, "--token", s.token, "--ca", ca.File(t))
	if code, _, errs := runParley(t, "user", "list", "acme", "--server", named, "--token", s.token); code != 1 || !strings.Contains(errs, "certificate") {
		t.Errorf("without --ca: got code %d, %s, want 1 and a word on the certificate", code, errs)
	}
	if code, _, errs := runParley(t, "user", "list", "acme", "--server", s.HTTP, "--token", s.token, "--ca", ca.File(t)); code != 1 || !strings.Contains(errs, "certificate") {
		t.Errorf("with another name: got code %d, %s, want 1 and a word on the certificate", code, errs)
	}
	// Another server in the place of this one: the data folder's certificate is not its.
	impostor := t.TempDir()
	info := fmt.Sprintf(`{"http":%q,"tls_cert":%q}`, tlsServer(t, certtest.NewCA(t, "Test CA").Server(t)), cert)
	if err := os.WriteFile(filepath.Join(impostor, app.RunInfoFile), []byte(info), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := runParley(t, "user", "list", "acme", "--data", impostor, "--token", s.token); code != 1 || !strings.Contains(errs, "another certificate") {
		t.Errorf("impostor: got code %d, %s, want 1 and a word on the certificate", code, errs)
	}

	for _, url := range []string{s.NATS, s.WS} {
		url = strings.Replace(url, "127.0.0.1", "localhost", 1)
		c, err := client.Connect(t.Context(), client.Options{
			URL: url, User: "alice", Token: client.StaticToken(token), TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.Pool()},
		})
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		c.Close()
		if nc, err := nats.Connect(url, nats.Token(token)); err == nil {
			nc.Close()
			t.Errorf("%s: a client that does not trust the CA is connected", url)
		}
		if nc, err := nats.Connect(url, nats.Token(token), nats.Secure(&tls.Config{RootCAs: ca.Pool(), MaxVersion: tls.VersionTLS11})); err == nil {
			nc.Close()
			t.Errorf("%s: connected with TLS 1.1", url)
		}
	}
}

// tlsServer answers nothing of use.
func tlsServer(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: nil}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return "https://" + l.Addr().(*net.TCPAddr).String()
}

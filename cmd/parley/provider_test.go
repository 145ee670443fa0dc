package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/certtest"
)

// Whatever a tenant's provider answers, or not at all, keeps out only those who need its keys, is asked for once, and
// holds up nobody: the good get in while its answers still hang.
func TestBrokenProvidersHoldUpNobody(t *testing.T) {
	t.Parallel()
	s := house(t, "--allow-private-urls")
	g := newSigner(t, "ES256")
	set := g.keySet("k")
	over := make(chan struct{})
	var mu sync.Mutex
	asked := map[string]int{}
	faults := map[string]func(w http.ResponseWriter, r *http.Request){
		"never": func(_ http.ResponseWriter, r *http.Request) { hang(r, over) },
		"half": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, set[:20])
			w.(http.Flusher).Flush()
			hang(r, over)
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "\xff\xfe<html>") },
		"page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<h1>Log in</h1>")
		},
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"keys":[`+strings.Repeat(" ", 4<<20)+`]}`)
		},
		"error":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, set, http.StatusInternalServerError) },
		"circle": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:9/keys", http.StatusFound) // nobody is there
		},
		"slammed": func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = c.Close()
			}
		},
	}
	var issuer string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := strings.Split(r.URL.Path, "/")[1]
		mu.Lock()
		asked[fault]++
		mu.Unlock()
		switch answer, ok := faults[strings.TrimSuffix(fault, "-oidc")]; {
		case ok:
			answer(w, r)
		case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
			fmt.Fprintf(w, `{"issuer":"%s/good-oidc","jwks_uri":"%s/good"}`, issuer, issuer)
		default:
			fmt.Fprint(w, set)
		}
	}))
	t.Cleanup(provider.Close)
	t.Cleanup(func() { close(over) })
	issuer = provider.URL
	token := func(kind, tenant, fault string) nats.Option {
		claims := map[string]any{"aud": "parley:" + tenant, "sub": "alice"}
		if kind == "oidc" {
			claims["iss"], claims["aud"] = issuer+"/"+fault+"-oidc", "web"
		}
		return nats.Token(g.token("k", claims))
	}
	for _, kind := range []string{"jwks", "oidc"} {
		for fault := range faults {
			id := kind + "-" + fault
			s.tenant(id)
			s.users(id, "alice")
			s.provide(id, kind, issuer, fault)
		}
	}
	var all sync.WaitGroup
	for _, kind := range []string{"jwks", "oidc"} {
		for fault := range faults {
			all.Go(func() { // several at once, and one behind them
				var knocks sync.WaitGroup
				for range 3 {
					knocks.Go(func() { s.out(s.NATS, "alice", token(kind, kind+"-"+fault, fault)) })
				}
				knocks.Wait()
				s.refused(kind+"-"+fault, "token_keys_unavailable", token(kind, kind+"-"+fault, fault))
			})
		}
	}
	for i := range 20 { // while all of that goes on
		if p, err := s.dial(s.NATS, "bob", nats.Token(s.userToken("acme", "bob")), nats.Timeout(patience)); err != nil {
			t.Errorf("good user %d: %v", i, err)
		} else {
			p.Close()
		}
	}
	all.Wait()
	for _, kind := range []string{"jwks", "oidc"} {
		s.provide("acme", kind, issuer, "good")
		if _, err := s.dial(s.WS, "alice", token(kind, "acme", "good"), nats.Timeout(patience)); err != nil {
			t.Errorf("the allowed twin by %s: %v", kind, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for fault := range faults {
		if fault == "circle" || fault == "slammed" {
			continue // a redirect asks again by itself, and so does a client that was cut off
		}
		for _, path := range []string{fault, fault + "-oidc"} {
			if n := asked[path]; n != 1 {
				t.Errorf("%s was asked %d times by all that came, want once", path, n)
			}
		}
	}
}

// hang waits for the end of the test, or of the client's patience.
func hang(r *http.Request, over <-chan struct{}) {
	select {
	case <-over:
	case <-r.Context().Done():
	}
}

// provide makes a key of a tenant whose keys are at a path of the provider.
func (s *server) provide(tenant, kind, issuer, path string) {
	s.t.Helper()
	if kind == "oidc" {
		s.addKey(tenant, fmt.Sprintf(`{"kind":"oidc","name":"login","issuer":"%s/%s-oidc","client_id":"web","user_claim":"sub"}`, issuer, path))
		return
	}
	s.addKey(tenant, fmt.Sprintf(`{"kind":"jwks","name":"set","url":"%s/%s"}`, issuer, path))
}

// A client certificate is good while it and its CA are: what a removed CA let in is closed, and stays out.
func TestARemovedCAClosesWhatItLetIn(t *testing.T) {
	t.Parallel()
	serverCA := certtest.NewCA(t, "Server CA")
	cert, key := certtest.Files(t, serverCA.Server(t))
	all := certtest.NewCA(t, "All")
	first, second, stranger := all.Sub(t, "First CA"), all.Sub(t, "Second CA"), all.Sub(t, "Stranger CA")
	s := serve(t, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", all.File(t))
	s.http = trusting(serverCA)
	furnish(s, "acme")
	add := func(name string, ca *certtest.CA) string {
		return s.addKey("acme", fmt.Sprintf(`{"kind":"tls-ca","name":%q,"certificate":%q,"user_field":"cn"}`, name, ca.PEM())).Key.ID
	}
	removed := add("first", first)
	add("second", second)
	dial := func(url string, cert tls.Certificate) (*peer, error) {
		return s.dial(url, "alice", nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: serverCA.Pool()}), presents(cert))
	}
	old, future := first.Client(t, "alice", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
		first.Client(t, "alice", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
	for name, cert := range map[string]tls.Certificate{"out of date": old, "not yet": future, "of a CA that nobody added": stranger.Client(t, "alice"), "of nobody": first.Client(t, "nobody")} {
		for _, url := range []string{s.NATS, s.WS} {
			if p, err := dial(url, cert); err == nil {
				p.Close()
				t.Errorf("a certificate %s at %s: got in, want refused", name, url)
			}
		}
	}
	byFirst, bySecond := first.Client(t, "alice"), second.Client(t, "alice")
	var open []*peer
	for _, url := range []string{s.NATS, s.WS} {
		for _, cert := range []tls.Certificate{byFirst, bySecond} {
			p, err := dial(url, cert)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, p)
		}
	}
	s.call(http.MethodDelete, "/v1/tenants/acme/keys/"+removed, "")
	for i, p := range open {
		if i%2 == 0 {
			eventually(t, "what the removed CA let in is closed", func() bool { return !p.IsConnected() })
		} else if err := p.Flush(); err != nil || p.Stats().Reconnects > 0 {
			t.Errorf("what the other CA let in: got %v and %d reconnections, want it undisturbed", err, p.Stats().Reconnects)
		}
	}
	for _, url := range []string{s.NATS, s.WS} {
		if p, err := dial(url, byFirst); err == nil {
			p.Close()
			t.Errorf("a certificate of the removed CA at %s: got in, want refused", url)
		}
		if p, err := dial(url, bySecond); err != nil {
			t.Errorf("the allowed twin at %s: %v", url, err)
		} else {
			p.Close()
		}
	}
}

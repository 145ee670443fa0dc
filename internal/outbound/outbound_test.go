package outbound_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/outbound"
	"parley/tenant"
)

func get(t *testing.T, c *http.Client, url string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// BRG-01: what is not public is refused when it is dialled, whatever it is called.
func TestOnlyPublicAddressesAreReached(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer secure.Close()
	strict := outbound.NewClient(outbound.Config{})
	port := secure.URL[strings.LastIndex(secure.URL, ":"):]
	for _, url := range []string{
		plain.URL, secure.URL, "https://127.0.0.1", "https://127.0.0.1:8443", "https://localhost", "https://[::1]:8443", "https://[::ffff:127.0.0.1]",
		"https://0.0.0.0", "https://169.254.169.254/latest/meta-data", "https://10.0.0.1", "https://192.168.1.1", "https://[fd00::1]", "https://[fe80::1]",
		"https://[64:ff9b::7f00:1]", "https://[2002:7f00:1::]", "http://example.com", "https://example.com:22", "https://example.com" + port,
	} {
		if _, err := get(t, strict, url); !errors.Is(err, outbound.ErrNotPublic) {
			t.Errorf("%s: got %v, want %v", url, err, outbound.ErrNotPublic)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("got %d requests, want none", n)
	}
	if status, err := get(t, outbound.NewClient(outbound.Config{AllowPrivate: true}), plain.URL); err != nil || status != http.StatusOK {
		t.Errorf("with private ones allowed: got %d, %v, want 200", status, err)
	}
}

func TestRedirectsAreBoundedAndChecked(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var loop *httptest.Server
	loop = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, loop.URL, http.StatusFound)
	}))
	defer loop.Close()
	if _, err := get(t, outbound.NewClient(outbound.Config{AllowPrivate: true}), loop.URL); err == nil || asked.Load() > 5 {
		t.Errorf("got %v after %d requests, want an end after a few", err, asked.Load())
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "93.184.216.34": true, "2606:4700::1111": true, "::ffff:1.1.1.1": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "127.255.0.1": false, "169.254.169.254": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.0.0.8": false, "192.168.0.1": false, "198.18.0.1": false, "203.0.113.7": false,
		"224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false, "::ffff:10.0.0.1": false, "::7f00:1": false,
		"fc00::1": false, "fd12::1": false, "fe80::1": false, "fe80::1%eth0": false, "ff02::1": false, "64:ff9b::a00:1": false,
		"2001::1": false, "2001:db8::1": false, "2002:a00:1::1": false, "3fff::1": false, "4000::1": false,
	} {
		if got := tenant.PublicAddress(netip.MustParseAddr(s)); got != want {
			t.Errorf("%s: got %t, want %t", s, got, want)
		}
	}
}

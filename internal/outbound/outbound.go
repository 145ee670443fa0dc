// Package outbound is the way to addresses that tenants choose. It reaches public addresses
// over https and nothing else, whatever a name resolves to and wherever an answer redirects,
// so that nobody looks into the operator's network through this server. It knows nothing of
// what is fetched.
package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"parley/tenant"
)

// ErrNotPublic says that an address is none that tenants may have this server connect to.
var ErrNotPublic = errors.New("the address is not public, or not https on port 443 or 8443")

const (
	maxRedirects  = 3
	dialTimeout   = 3 * time.Second
	headerTimeout = 5 * time.Second
	maxHeader     = 32 << 10 // bytes
)

// Config of a client.
type Config struct {
	AllowPrivate bool // also plain http, all ports, and addresses of private networks
}

// NewClient returns a client. Its callers give each request a deadline and bound what they read.
func NewClient(c Config) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !c.AllowPrivate {
		dialer.ControlContext = control
	}
	var through http.RoundTripper = &http.Transport{
		Proxy:       nil, // a proxy would dial for us, unchecked
		DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: headerTimeout,
		MaxResponseHeaderBytes: maxHeader, DisableKeepAlives: true, ForceAttemptHTTP2: true,
	}
	if !c.AllowPrivate {
		through = httpsOnly{through}
	}
	return &http.Client{Transport: through, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		return nil
	}}
}

// control sees the address that is about to be connected to, after all names are resolved:
// what was checked before could have been another one.
func control(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !tenant.PublicAddress(a.Addr()) {
		return ErrNotPublic
	}
	return nil
}

// httpsOnly refuses what is not encrypted, or on a port where other services listen, at each redirect too.
type httpsOnly struct{ http.RoundTripper }

func (h httpsOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || !tenant.PublicPort(r.URL.Port()) {
		return nil, ErrNotPublic
	}
	return h.RoundTripper.RoundTrip(r)
}

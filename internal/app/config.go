package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"parley/tenant"
)

// Config of a server. The zero value of an address is not valid: the command line holds the defaults.
type Config struct {
	Data           string // folder; made when missing
	HTTP           string // host:port; port 0 picks a free one, as for all addresses
	NATS           string
	WS             string
	Metrics        string
	TLSCert        string // PEM files for HTTP, NATS and WebSocket; both or none
	TLSKey         string
	TLSClientCA    string   // PEM file of CAs whose client certificates the NATS ports ask for
	MasterKeyFile  string   // "": master.key in Data
	PrivateURLs    bool     // tenants' URLs may be of private networks
	DatabaseURL    string   // "": a private Postgres in Data
	Roles          []string // of this process; none: all
	NATSURL        string   // servers of a cluster, divided by commas; "": one in this process
	PublicURL      string   // of the console in links; "": the http address
	PublicNATS     string   // where programs and browsers reach NATS, for snippets and the chat page;
	PublicWS       string   // "": the ports of the addresses above, at the host of PublicURL
	SignUp         string   // open, invite or closed
	OIDCIssuer     string   // by which people log in to the console; "": none
	OIDCClientID   string
	OIDCSecretFile string
	Logger         *slog.Logger
	Out            io.Writer // where `parley ready` is printed
}

// check reports all faults at once, each with its flag.
func (c Config) check() error {
	var faults []error
	fault := func(flag, format string, args ...any) {
		faults = append(faults, fmt.Errorf("--%s: "+format, append([]any{flag}, args...)...))
	}
	if c.Data == "" {
		fault("data", "must name a folder")
	}
	for _, a := range []struct{ flag, addr string }{{"http", c.HTTP}, {"nats", c.NATS}, {"ws", c.WS}, {"metrics", c.Metrics}} {
		if _, err := net.ResolveTCPAddr("tcp", a.addr); err != nil || !strings.Contains(a.addr, ":") {
			fault(a.flag, "%q is no address; give host:port, as 127.0.0.1:8080", a.addr)
		}
	}
	if _, err := c.tls(); err != nil {
		faults = append(faults, err)
	}
	if c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://") {
		fault("database-url", "must begin with postgres://")
	}
	switch tenant.SignUp(c.SignUp) {
	case tenant.SignUpOpen, tenant.SignUpInvite, tenant.SignUpClosed:
	default:
		fault("sign-up", "%q must be open, invite or closed", c.SignUp)
	}
	if c.PublicURL != "" && !isOrigin(c.PublicURL) {
		fault("public-url", "%q must be https://HOST, or http://HOST, with nothing behind the host and port", c.PublicURL)
	}
	for _, p := range []struct{ flag, url, plain, tls string }{{"public-nats", c.PublicNATS, "nats", "tls"}, {"public-ws", c.PublicWS, "ws", "wss"}} {
		if u, err := url.Parse(p.url); p.url != "" && (err != nil || u.Scheme != p.plain && u.Scheme != p.tls || u.Host == "" || u.User != nil) {
			fault(p.flag, "%q must begin with %s:// or %s:// and a host", p.url, p.plain, p.tls)
		}
	}
	if _, err := c.sso(); err != nil {
		faults = append(faults, err)
	}
	c.checkCluster(fault)
	return errors.Join(faults...)
}

// reached is where others reach an address of this machine: at the host of the console's public URL.
func (c Config) reached(address string) string {
	u, err := url.Parse(address)
	public, errPublic := url.Parse(c.PublicURL)
	if c.PublicURL == "" || err != nil || errPublic != nil {
		return address
	}
	u.Host = net.JoinHostPort(public.Hostname(), u.Port())
	return u.String()
}

// isOrigin reports whether s is an address of a web site's front door.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}

// listen opens the address of a flag, and says which flag to change where it is taken.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--%s: can't listen on %s: %w; stop what uses it, or choose another address (port 0 picks a free one)", flag, addr, err)
	}
	return l, nil
}

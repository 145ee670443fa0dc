package tenant

import (
	"net/netip"
	"net/url"
	"strings"
)

const maxURL = 500 // bytes

// checkURL adds to f what keeps s from being the address of a server to fetch from.
func checkURL(f faults, field, s string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > maxURL || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		f[field] = "must be a URL, as https://id.example.com/keys"
	case u.User != nil:
		f[field] = "must not hold a user or password"
	case u.Fragment != "":
		f[field] = "must not have a fragment"
	default:
		checkText(f, field, s)
	}
}

// checkPublicURL adds to f what can be told of an address that isn't public without asking
// anybody. Names are looked up when they are dialled, and checked there.
func checkPublicURL(f faults, field, s string) {
	u, err := url.Parse(s)
	if err != nil || f[field] != "" {
		return
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	addr, err := netip.ParseAddr(host)
	switch {
	case u.Scheme != "https":
		f[field] = "must begin with https://"
	case !PublicPort(u.Port()):
		f[field] = "must be on port 443 or 8443"
	case err == nil && !PublicAddress(addr), host == "localhost", strings.HasSuffix(host, ".localhost"), err != nil && !strings.Contains(host, "."):
		f[field] = "must be a public address; the operator can allow others by --allow-private-urls"
	}
}

// CheckServerURL refuses what is no address of a server to fetch from, or none that is public where private ones may not be.
func CheckServerURL(field, s string, private bool) error {
	f := faults{}
	checkURL(f, field, s)
	if !private {
		checkPublicURL(f, field, s)
	}
	return f.err()
}

// PublicPort reports whether tenants may have a port asked; "" is the default of https.
func PublicPort(port string) bool { return port == "" || port == "443" || port == "8443" }

// notPublic are the parts of the address space of global unicast that are somebody's own
// network, documentation, or a way into one of those (IANA's special-purpose registries).
var notPublic = func() (list []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // Teredo, documentation, 6to4
	} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}()

// global is the only part of IPv6 that is given to anybody.
var global = netip.MustParsePrefix("2000::/3")

// PublicAddress reports whether an address is one of the public internet: what a tenant may
// have this server connect to.
func PublicAddress(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || a.Zone() != "" || a.Is6() && !global.Contains(a) {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

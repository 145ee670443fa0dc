package embednats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"text/template"
)

// A File is what the configuration of one server of a cluster is made of. It is set as the embedded server is.
type File struct {
	Operator string            // the operator's JWT
	System   string            // the system account's public nkey
	Sentinel string            // the user JWT of connections that bring none
	Preload  map[string]string // JWTs of the platform's own accounts; those of tenants are pushed
	Name     string            // of the server; clients can see it
	Store    string            // folder of accounts and streams
	NATS     string            // host:port to listen on; port 0 picks a free one, as below
	WS       string
	Cluster  string   // where the other servers connect to
	Routes   []string // nats://host:port of the other servers' Cluster
	// PEM files. Without TLS the client ports are plain; routes may be so on one machine alone.
	TLS, RouteTLS Files
}

// Files of TLS. CA is whom to trust.
type Files struct{ Cert, Key, CA string }

func (f Files) set() bool { return f.Cert != "" }

var fileText = template.Must(template.New("nats-server.conf").Funcs(template.FuncMap{"q": quote, "at": address, "keys": func(m map[string]string) []string {
	return slices.Sorted(maps.Keys(m))
}}).Parse(`# A server of Parley's NATS cluster, as "parley nats config" wrote it. Tenants' accounts come from Parley.
server_name: {{q .Name}}
listen: {{at .NATS}}
{{- with .TLS}}{{if .Cert}}
tls { cert_file: {{q .Cert}}, key_file: {{q .Key}}, {{with .CA}}ca_file: {{q .}}, verify: true, {{end}}timeout: {{$.AuthTimeout}} }{{end}}{{end}}

operator: {{q .Operator}}
system_account: {{q .System}}
default_sentinel: {{q .Sentinel}}
resolver {
  type: full
  dir: {{q .AccountsDir}}
  allow_delete: true
  hard_delete: false
  interval: {{q .Interval}}
}
resolver_preload {
{{- range $account := keys .Preload}}
  {{$account}}: {{q (index $.Preload $account)}}{{end}}
}
authorization { timeout: {{.AuthTimeout}} }
max_control_line: {{.ControlLine}}
max_payload: {{.Payload}}
lame_duck_duration: "30s"

jetstream {
  store_dir: {{q .StreamsDir}}
  max_memory_store: {{.Reserved}}
  max_file_store: {{.Reserved}}
  sync_interval: "1s"
}
websocket {
  listen: {{at .WS}}
  {{with .TLS}}{{if .Cert}}tls { cert_file: {{q .Cert}}, key_file: {{q .Key}} }{{else}}no_tls: true{{end}}{{end}}
  handshake_timeout: "2s"
}
cluster {
  name: parley
  listen: {{at .Cluster}}
  no_advertise: true
  {{- with .RouteTLS}}{{if .Cert}}
  tls { cert_file: {{q .Cert}}, key_file: {{q .Key}}, ca_file: {{q .CA}}, verify: true, timeout: 2 }{{end}}{{end}}
  routes: [{{range $i, $r := .Routes}}{{if $i}}, {{end}}{{q $r}}{{end}}]
}
`))

// Text is the configuration. It reports all that is wrong at once.
func (f File) Text() (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	var out bytes.Buffer
	err := fileText.Execute(&out, struct {
		File
		AccountsDir, StreamsDir, Interval string
		AuthTimeout                       float64
		ControlLine, Payload, Reserved    int64
	}{f, f.Store + "/accounts", f.Store + "/jetstream", resolverInterval.String(), authTimeout, maxControlLine, maxPayload, maxReserved})
	return out.String(), err
}

func (f File) check() error {
	var faults []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(f.Name != "", "--name must not be empty: a server of a cluster needs a name of its own")
	for flag, addr := range map[string]string{"--nats": f.NATS, "--ws": f.WS, "--cluster": f.Cluster} {
		_, _, err := listen(flag, addr)
		fault(err == nil, "%w", err)
	}
	local := true
	for _, r := range f.Routes {
		u, err := url.Parse(r)
		fault(err == nil && u.Scheme == "nats" && u.Port() != "", "--route %q must be nats://host:port, the other server's --cluster", r)
		local = local && err == nil && isLoopback(u.Hostname())
	}
	fault(len(f.Routes) > 0, "--route must name the other servers of the cluster, each once")
	fault(f.TLS.set() == (f.TLS.Key != ""), "--tls-cert and --tls-key go together")
	whole := f.RouteTLS.Cert != "" && f.RouteTLS.Key != "" && f.RouteTLS.CA != ""
	fault(whole || f.RouteTLS == Files{}, "--route-cert, --route-key and --route-ca go together")
	fault(whole || local, "--route-cert, --route-key and --route-ca are needed: over a plain route between machines anybody may come in as a server")
	return errors.Join(faults...)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// quote writes a string as the server reads it: in JSON's form.
func quote(s string) (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}

// address writes where to listen; -1 is the server's word for any free port.
func address(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if n, bad := strconv.Atoi(port); bad == nil && n == 0 {
		port = "-1"
	}
	if err != nil {
		return "", err
	}
	return quote(net.JoinHostPort(host, port))
}

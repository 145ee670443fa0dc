package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// listening are the TCP ports on which the processes of a data folder listen, with their addresses.
func (s *server) listening() (all []string) {
	s.t.Helper()
	open := map[string]bool{} // inodes of sockets
	for _, pid := range append(processesIn(s.t, s.data), s.cmd.Process.Pid) {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // the pattern is right
		for _, fd := range fds {
			target, err := os.Readlink(fd)
			if inode, ok := strings.CutPrefix(target, "socket:["); ok && err == nil {
				open[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			const listens = "0A"
			if len(f) < 10 || f[3] != listens || !open[f[9]] {
				continue
			}
			host, port, _ := strings.Cut(f[1], ":")
			n, err := strconv.ParseUint(port, 16, 16)
			if err != nil {
				s.t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s:%d", host, n))
		}
	}
	slices.Sort(all)
	return all
}

// Nothing listens but what `parley ready` names, Postgres on no port, and MQTT, leaf nodes and routes not at all.
func TestNothingListensButWhatIsNamed(t *testing.T) { // ISO-23, CVE-01
	t.Parallel()
	s := house(t)
	var want []string
	for _, url := range []string{s.HTTP, s.NATS, s.WS, s.Metrics} {
		want = append(want, "0100007F:"+url[strings.LastIndex(url, ":")+1:])
	}
	slices.Sort(want)
	if got := s.listening(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v, all on loopback", got, want)
	}
	for path, want := range map[string]bool{"/mqtt": false, "/leafnode": false, "/": true} { // CVE-02
		if got := s.greets(path); got != want {
			t.Errorf("%s on the WebSocket port: greeted %t, want %t", path, got, want)
		}
	}
	s.peer("acme", "alice").post("chat.std.open.lobby.alice", "still here", "")
}

// greets reports whether the WebSocket port speaks with who asks for a path.
func (s *server) greets(path string) bool {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.Replace(s.WS, "ws://", "http://", 1)+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": "mqtt",
	} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	n, _ := res.Body.Read(make([]byte, 1)) // who is not spoken with is hung up on
	return res.StatusCode == http.StatusSwitchingProtocols && n == 1
}

var seeds = regexp.MustCompile(`S[OAUNXC][A-Z2-7]{56}`)

// Secrets are in nobody's log, metrics, environment or command line, and in no file but those that are made to hold them.
func TestSecretsAreNowhere(t *testing.T) { // SEC-01
	t.Parallel()
	s := house(t)
	creds := s.call(http.MethodPost, "/v1/tenants/acme/users/alice/creds", "").body
	api := s.addKey("acme", `{"kind":"api","name":"app","scopes":["read"]}`)
	service := s.call(http.MethodPost, "/v1/tenants/acme/keys", `{"kind":"service","name":"robot"}`).body
	token := s.userToken("acme", "bob")
	secrets := map[string]string{
		"the operator's token": s.token, "a password": "alice-password", "an API key": api.APIKey, "a user's token": token,
		"credentials": seeds.FindString(string(creds)), "a service's credentials": seeds.FindString(string(service)),
	}
	for name, secret := range secrets {
		if len(secret) < 10 {
			t.Fatalf("%s is %q", name, secret)
		}
	}
	// Used well and badly.
	s.peer("acme", "bob")
	for _, how := range []nats.Option{nats.UserInfo("acme/alice", "alice-password"), nats.Token(token[:len(token)-8] + "AAAAAAAA"), nats.UserInfo("nowhere/alice", "alice-password")} {
		if p, err := s.dial(s.NATS, "alice", how, nats.NoReconnect()); err == nil {
			p.Close()
		}
	}
	s.send(api.APIKey, http.MethodGet, "/v1/tenants/acme", "")
	s.send(api.APIKey, http.MethodDelete, "/v1/tenants/acme", "")
	s.send(s.token, http.MethodPut, "/v1/tenants/acme/users/alice", `{"password":"alice-password","nonsense":1}`)

	find := func(where string, text []byte) {
		t.Helper()
		for name, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s is in %s", name, where)
			}
		}
		if seed := seeds.Find(text); seed != nil {
			t.Errorf("a seed is in %s: %.8s…", where, seed)
		}
	}
	res, err := http.Get(s.Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || len(metrics) == 0 {
		t.Fatalf("metrics: %v", err)
	}
	find("the metrics", metrics)
	for _, pid := range append(processesIn(t, s.data), s.cmd.Process.Pid) {
		for _, file := range []string{"environ", "cmdline"} {
			if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file)); err == nil {
				find(file+" of a process", text)
			}
		}
	}
	s.stop()
	find("the log", s.stderr.Bytes())
	meant := []string{"operator.token", "operator.link", "master.key"}
	err = filepath.WalkDir(s.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.Contains(meant, d.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		find(strings.TrimPrefix(path, s.data), text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"parley/internal/pgtest"
)

// A site of many machines: servers as `parley nats config` sets them, and processes of Parley beside them.
type site struct {
	t       *testing.T
	dir     string
	data    string
	url     string // of Postgres
	servers []*natsserver.Server
}

// nowhere is an address at which nothing listens.
const nowhere = "nats://127.0.0.1:9"

func newSite(t *testing.T, servers int) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), data: dataFolder(t), url: pgtest.NewURL(t)}
	for range servers {
		s.addServer(servers)
	}
	eventually(t, "the servers elect who places streams", func() bool {
		for _, n := range s.servers {
			if n.JetStreamIsLeader() {
				return true
			}
		}
		return false
	})
	return s
}

// addServer starts the next of so many servers. A server of a cluster with streams counts its peers by its routes.
func (s *site) addServer(of int) {
	s.t.Helper()
	name := fmt.Sprint("n", len(s.servers)+1)
	args := []string{
		"nats", "config", "--data", s.data, "--database-url", s.url, "--name", name, "--store", filepath.Join(s.dir, name),
		"--nats", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--cluster", "127.0.0.1:0",
	}
	for _, n := range s.servers {
		args = append(args, "--route", "nats://"+n.ClusterAddr().String())
	}
	for range of - 1 - len(s.servers) {
		args = append(args, "--route", nowhere)
	}
	code, text, errs := runParley(s.t, args...)
	file := filepath.Join(s.dir, name+".conf")
	if err := os.WriteFile(file, []byte(text), 0o600); code != 0 || err != nil {
		s.t.Fatalf("parley nats config: got %d, %s, %v", code, errs, err)
	}
	opts, err := natsserver.ProcessConfigFile(file)
	if err != nil {
		s.t.Fatalf("the server does not take its configuration: %v\n%s", err, text)
	}
	opts.NoLog, opts.NoSigs = true, true
	n, err := natsserver.NewServer(opts)
	if err != nil {
		s.t.Fatal(err)
	}
	n.Start()
	s.t.Cleanup(func() {
		n.Shutdown()
		n.WaitForShutdown()
	})
	if !n.ReadyForConnections(patience) {
		s.t.Fatal("the server is not ready")
	}
	s.servers = append(s.servers, n)
}

// process starts Parley beside the cluster, the i-th first connected to the i-th server; roles are a flag, or none for all.
func (s *site) process(i int, roles ...string) *server {
	s.t.Helper()
	var urls []string
	for j := range s.servers {
		urls = append(urls, s.servers[(i+j)%len(s.servers)].ClientURL())
	}
	return serve(s.t, append(roles, "--nats-url", strings.Join(urls, ","), "--database-url", s.url, "--master-key-file", filepath.Join(s.data, "master.key"),
		"--public-ws", s.servers[i].WebsocketURL())...)
}

// Two processes share the work beside three servers: what one began the other goes on with, whichever is killed.
func TestTwoProcessesBesideACluster(t *testing.T) {
	t.Parallel()
	c := newSite(t, 3)
	one, two := c.process(0), c.process(1)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(one.stderr.String())
		}
	})
	furnish(one, "acme")
	streams := one.call(http.MethodGet, "/v1/streams", "").body
	if !strings.Contains(string(streams), `"replicas":3`) {
		t.Errorf("got the streams %s, want three replicas", streams)
	}
	alice := two.peer("acme", "alice")
	live := alice.listen("live.std.open.lobby.*")
	asBob := nats.Token(one.userToken("acme", "bob"))
	bob, err := two.dial(c.servers[2].WebsocketURL(), "bob", asBob)
	if err != nil {
		t.Fatalf("a user over the third server's WebSocket: %v", err)
	}
	bob.post("chat.std.open.lobby.bob", "hello", "")
	if got := string(alice.next(live).Data); !strings.Contains(got, "hello") {
		t.Errorf("got %s, want bob's hello", got)
	}
	for _, s := range []*server{one, two} {
		if got := s.texts("acme", "lobby"); got != "bob:hello" {
			t.Errorf("got the history %q, want bob's hello", got)
		}
	}

	one.kill()
	two.call(http.MethodPut, "/v1/tenants/acme/users/carol", `{"name":"Carol"}`)
	carol := two.peer("acme", "carol")
	carol.post("chat.std.open.lobby.carol", "and I", "")
	if got := string(alice.next(live).Data); !strings.Contains(got, "and I") {
		t.Errorf("got %s, want carol's", got)
	}
	if got := two.texts("acme", "lobby"); got != "bob:hello carol:and I" {
		t.Errorf("got the history %q, want both", got)
	}
	var gone struct{ Disconnected int }
	two.call(http.MethodPost, "/v1/tenants/acme/users/bob/revoke", `{"reason":"left"}`).into(t, &gone)
	if gone.Disconnected != 1 {
		t.Errorf("got %d connections closed, want bob's", gone.Disconnected)
	}
	if code, _, errs := runParley(t, "nats", "config", "--data", two.data, "--master-key-file", filepath.Join(c.data, "master.key"), "--database-url", c.url, "--name", "n4", "--route", nowhere); code != 0 {
		t.Errorf("the configuration of one more server, beside a process that runs: got %d, %s", code, errs)
	}
	one.start()
	two.kill()
	one.out(c.servers[1].ClientURL(), "bob", asBob)
	eventually(t, "nothing is at fault", func() bool { code, _, _ := one.diagnosis(); return code == 0 })
}

// Each role in a process of its own; what one of them does is not done while it is away, and done when it is back.
func TestRolesInProcessesOfTheirOwn(t *testing.T) {
	t.Parallel()
	c := newSite(t, 3)
	c.process(0, "--roles=control")
	chat, callout, console := c.process(1, "--roles=chat"), c.process(2, "--roles=callout"), c.process(0, "--roles=console")
	furnish(console, "acme")
	alice, bob := console.peer("acme", "alice"), console.peer("acme", "bob")
	live := alice.listen("live.std.open.lobby.*")
	bob.post("chat.std.open.lobby.bob", "hello", "")
	if got := string(alice.next(live).Data); !strings.Contains(got, "hello") {
		t.Errorf("got %s, want bob's hello", got)
	}
	if got := console.texts("acme", "lobby"); got != "bob:hello" {
		t.Errorf("got the history %q, want bob's hello", got)
	}
	if n := len(bob.must("missed", `{"rooms":[{"room":"lobby"}]}`)["rooms"].([]any)); n != 1 {
		t.Errorf("got %d rooms of the chat API, want the lobby", n)
	}

	callout.kill()
	asBob := nats.Token(console.userToken("acme", "bob"))
	if p, err := console.dial(console.NATS, "bob", asBob, nats.NoReconnect()); err == nil {
		p.Close()
		t.Error("bob got in without a callout")
	}
	bob.post("chat.std.open.lobby.bob", "still here", "")
	callout.start()
	eventually(t, "bob gets in again", func() bool {
		p, err := console.dial(console.NATS, "bob", asBob, nats.NoReconnect())
		if err == nil {
			p.Close()
		}
		return err == nil
	})

	chat.kill()
	bob.post("chat.std.open.lobby.bob", "nobody projects", "")
	if got := string(alice.next(live).Data) + string(alice.next(live).Data); !strings.Contains(got, "nobody projects") {
		t.Errorf("got %s, want what is delivered without the chat role", got)
	}
	chat.start()
	eventually(t, "all is projected", func() bool {
		return console.texts("acme", "lobby") == "bob:hello bob:still here bob:nobody projects"
	})
	eventually(t, "nothing is at fault", func() bool { code, _, _ := console.diagnosis(); return code == 0 })
}

func TestConfigurationsOfServersThatCantBe(t *testing.T) {
	t.Parallel()
	data, url := dataFolder(t), pgtest.NewURL(t)
	config := func(args ...string) (int, string, string) {
		return runParley(t, append([]string{"nats", "config", "--data", data, "--database-url", url}, args...)...)
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--name", "n1"}, []string{"--route must name"}},
		{[]string{"--name", "", "--route", "n2:6222", "--ws", "nowhere"}, []string{"--name", "--route", "--ws"}},
		{[]string{"--name", "n1", "--route", "nats://n2.example.com:6222"}, []string{"--route-cert", "anybody may come in"}},
		{[]string{"--name", "n1", "--route", nowhere, "--tls-cert", "/c.pem", "--route-ca", "/ca.pem"}, []string{"--tls-key", "--route-key"}},
	} {
		code, out, errs := config(c.args...)
		if code != 1 || out != "" {
			t.Errorf("%v: got %d and %q, want a refusal", c.args, code, out)
		}
		for _, want := range c.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%v: got %q, want %q in it", c.args, errs, want)
			}
		}
	}
	code, out, errs := config("--name", `quo"ted`, "--route", "nats://n2.example.com:6222", "--tls-cert", "/c.pem", "--tls-key", "/k.pem", "--tls-client-ca", "/ca.pem",
		"--route-cert", "/rc.pem", "--route-key", "/rk.pem", "--route-ca", "/rca.pem")
	for _, want := range []string{`server_name: "quo\"ted"`, `ca_file: "/ca.pem", verify: true`, `ca_file: "/rca.pem", verify: true`, `listen: "0.0.0.0:4222"`} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("got %d, %s\n%s\nwant %s in it", code, errs, out, want)
		}
	}
	if strings.Contains(out, "no_tls") || strings.Contains(out, "monitor") {
		t.Errorf("got %s, want no plain port beside those of TLS", out)
	}
}

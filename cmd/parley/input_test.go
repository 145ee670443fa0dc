package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"parley/internal/pgtest"
)

// run runs parley to its end.
func runParley(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the code says it
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestBadInputOverHTTP(t *testing.T) {
	t.Parallel()
	s := house(t)
	_, key := furnish(s, "umbrella")
	long := strings.Repeat("x", 201)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, field              string
	}{
		{"id of a tenant", "POST", "/v1/tenants", `{"id":"a.b","timezone":"UTC"}`, 422, "invalid", "id"},
		{"reserved id", "POST", "/v1/tenants", `{"id":"open"}`, 422, "invalid", "id"},
		{"time zone", "POST", "/v1/tenants", `{"id":"new","timezone":"Mars/Olympus"}`, 422, "invalid", "timezone"},
		{"negative limit", "POST", "/v1/tenants", `{"id":"new","limits":{"users":-1}}`, 422, "invalid", "limits.users"},
		{"unknown limit", "POST", "/v1/tenants", `{"id":"new","limits":{"cats":1}}`, 422, "invalid", "limits.cats"},
		{"unknown field", "POST", "/v1/tenants", `{"id":"new","nickname":"n"}`, 422, "invalid", "nickname"},
		{"doubled field", "POST", "/v1/tenants", `{"id":"new","id":"newer"}`, 422, "invalid", ""},
		{"trailing text", "POST", "/v1/tenants", `{"id":"new"} and more`, 422, "invalid", ""},
		{"no JSON", "POST", "/v1/tenants", `id=new`, 422, "invalid", ""},
		{"long name", "POST", "/v1/tenants", `{"id":"new","name":"` + long + `"}`, 422, "invalid", "name"},
		{"second tenant of a name", "POST", "/v1/tenants", `{"id":"acme","timezone":"UTC"}`, 409, "conflict", ""},
		{"unknown tenant", "GET", "/v1/tenants/nowhere", ``, 404, "not_found", ""},
		{"id of a user", "PUT", "/v1/tenants/acme/users/Alice", `{}`, 422, "invalid", ""},
		{"short password", "PUT", "/v1/tenants/acme/users/carol", `{"password":"short"}`, 422, "invalid", "password"},
		{"nkey", "PUT", "/v1/tenants/acme/users/carol", `{"nkey":"UABC"}`, 422, "invalid", "nkey"},
		{"control character", "PUT", "/v1/tenants/acme/users/carol", `{"name":"a\u0007b"}`, 422, "invalid", "name"},
		{"token of nobody", "POST", "/v1/tenants/acme/users/carol/tokens", `{"ttl_seconds":60}`, 404, "not_found", ""},
		{"token of two days", "POST", "/v1/tenants/acme/users/alice/tokens", `{"ttl_seconds":172800}`, 422, "invalid", "ttl_seconds"},
		{"negative life", "POST", "/v1/tenants/acme/users/alice/tokens", `{"ttl_seconds":-5}`, 422, "invalid", "ttl_seconds"},
		{"kind of a room", "POST", "/v1/tenants/acme/rooms", `{"id":"x1","kind":"secret"}`, 422, "invalid", "kind"},
		{"class of a room", "POST", "/v1/tenants/acme/rooms", `{"id":"x1","kind":"open","class":"forever"}`, 422, "invalid", "class"},
		{"id of a room", "POST", "/v1/tenants/acme/rooms", `{"id":"x>","kind":"open"}`, 422, "invalid", "id"},
		{"second room of a name", "POST", "/v1/tenants/acme/rooms", `{"id":"lobby","kind":"open"}`, 409, "conflict", ""},
		{"direct room with nobody", "POST", "/v1/tenants/acme/rooms", `{"id":"alice.carol","kind":"direct"}`, 422, "invalid", "id"},
		{"direct room with oneself", "POST", "/v1/tenants/acme/rooms", `{"id":"alice.alice","kind":"direct"}`, 422, "invalid", "id"},
		{"member who is no user", "PUT", "/v1/tenants/acme/rooms/board/members/carol", `{"role":"member"}`, 404, "not_found", ""},
		{"role", "PUT", "/v1/tenants/acme/rooms/board/members/bob", `{"role":"king"}`, 422, "invalid", "role"},
		{"room that is none", "PUT", "/v1/tenants/acme/rooms/attic/members/bob", `{"role":"member"}`, 404, "not_found", ""},
		{"post of nobody", "POST", "/v1/tenants/acme/rooms/lobby/messages", `{"as":"carol","text":"x"}`, 0, "", ""},
		{"post without a right", "POST", "/v1/tenants/acme/rooms/news/messages", `{"as":"bob","text":"x"}`, 403, "forbidden", ""},
		{"limit of a list", "GET", "/v1/tenants/acme/users?limit=0", ``, 422, "invalid", "limit"},
		{"place in a list", "GET", "/v1/tenants/acme/audit?after=yesterday", ``, 422, "invalid", "after"},
		{"large body", "POST", "/v1/tenants", `{"id":"` + strings.Repeat("x", 1<<20+1) + `"}`, 413, "too_large", ""},
		{"unknown route", "GET", "/v1/nothing", ``, 404, "not_found", ""},
	} {
		got := s.send(s.token, c.method, c.path, c.body)
		var e refusal
		if err := json.Unmarshal(got.body, &e); err != nil {
			t.Errorf("%s: got %d %s", c.name, got.status, got.body)
			continue
		}
		if c.status == 0 { // which of the refusals it is matters to nobody
			if got.status < 400 || got.status >= 500 {
				t.Errorf("%s: got %d %s", c.name, got.status, got.body)
			}
			continue
		}
		if got.status != c.status || e.Code != c.code || e.Message == "" {
			t.Errorf("%s: got %d %s, want %d %s", c.name, got.status, got.body, c.status, c.code)
		}
		if _, named := e.Fields[c.field]; c.field != "" && !named {
			t.Errorf("%s: got fields %v, want %s", c.name, e.Fields, c.field)
		}
	}
	for _, path := range []string{"/v1/tenants/acme", "/v1/tenants/acme/users", "/v1/tenants/acme/rooms/lobby/messages"} {
		if got := s.send(key, http.MethodGet, path, ""); got.status != 404 {
			t.Errorf("%s with another tenant's key: got %d, want 404", path, got.status)
		}
		if got := s.send("parley_unknownkey12_x", http.MethodGet, path, ""); got.status != 401 {
			t.Errorf("%s with no key: got %d, want 401", path, got.status)
		}
	}
	if got := s.send(key, http.MethodGet, "/v1/tenants/umbrella", ""); got.status != 200 {
		t.Errorf("the allowed twin: got %d", got.status)
	}
	var all struct{ Tenants []struct{ ID string } }
	s.call(http.MethodGet, "/v1/tenants", "").into(t, &all)
	if len(all.Tenants) != 2 {
		t.Errorf("tenants: got %v, want acme and umbrella alone", all.Tenants)
	}
	if got := s.texts("acme", "news") + s.texts("acme", "lobby"); got != "" {
		t.Errorf("history: got %q, want none", got)
	}
}

func TestServeRefusesBadSettings(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"http":"127.0.0.1:0","color":"red","shape":"round"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	free := []string{"--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}
	with := func(args ...string) []string { return append(append([]string{}, free...), args...) }
	for _, c := range []struct {
		name string
		args []string
		want []string // all of them in what it prints
	}{
		{"unknown flag", with("--colour", "red"), []string{"--colour"}},
		{"malformed addresses", []string{"--http", "8080", "--nats", "nowhere"}, []string{"--http", "--nats"}},
		{"busy port", with("--http", busy.Addr().String()), []string{"--http", busy.Addr().String()}},
		{"busy nats port", with("--nats", busy.Addr().String()), []string{"--nats", busy.Addr().String()}},
		{"certificate without key", with("--tls-cert", "/nowhere.pem"), []string{"--tls-cert", "--tls-key"}},
		{"files of TLS that are none", with("--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.pem", "--tls-client-ca", config), []string{"--tls-cert", "/nowhere.pem", "--tls-client-ca", "no certificate"}},
		{"client CA without certificate", with("--tls-client-ca", config), []string{"--tls-cert", "--tls-key", "--tls-client-ca"}},
		{"unknown keys in the file", []string{"--config", config}, []string{"color", "shape"}},
		{"missing file", []string{"--config", "/nowhere.json"}, []string{"/nowhere.json"}},
		{"roles beside an embedded server", with("--roles", "chat,king"), []string{"--roles", "king", "--nats-url"}},
		{"a cluster without a database", with("--nats-url", "http://n1:4222"), []string{"--nats-url", "--database-url", "--public-ws"}},
		{"database that is none", with("--database-url", "mysql://x"), []string{"--database-url"}},
	} {
		data := dataFolder(t)
		code, out, errs := runParley(t, append([]string{"serve", "--data", data}, c.args...)...)
		if code == 0 || strings.Contains(out, "parley ready") {
			t.Errorf("%s: got code %d and %q", c.name, code, out)
		}
		for _, w := range c.want {
			if !strings.Contains(errs, w) {
				t.Errorf("%s: got %q, want %q in it", c.name, errs, w)
			}
		}
		if _, err := os.Stat(filepath.Join(data, "postgres")); err == nil {
			t.Errorf("%s: a database was made", c.name)
		}
	}
}

func TestServeRefusesANewerDatabase(t *testing.T) {
	t.Parallel()
	url := pgtest.NewURL(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	code, _, errs := runParley(t, "serve", "--data", dataFolder(t), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--ws", "127.0.0.1:0",
		"--metrics", "127.0.0.1:0", "--database-url", url)
	if code != 1 || !strings.Contains(errs, "newer") {
		t.Errorf("got code %d and %q, want 1 and a word on the newer version", code, errs)
	}
}

func TestServeWithoutPostgresPrograms(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := command(ctx, "serve", "--data", dataFolder(t), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "PG_BIN=/nowhere")
	out, _ := cmd.CombinedOutput() // the code says it
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "PG_BIN") {
		t.Errorf("got code %d and %q, want 1 and the remedy", cmd.ProcessState.ExitCode(), out)
	}
}

func TestASecondServerOnTheSameFolder(t *testing.T) {
	t.Parallel()
	s := serve(t)
	code, _, errs := runParley(t, "serve", "--data", s.data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	if code != 1 || !strings.Contains(errs, "another parley") {
		t.Errorf("got code %d and %q, want 1 and a word on the other one", code, errs)
	}
	s.tenant("acme")
}

func TestFlagsBeatEnvironmentBeatsFile(t *testing.T) {
	t.Parallel()
	dir := dataFolder(t)
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"http":"of-the-file","nats":"of-the-file","ws":"of-the-file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := command(ctx, "serve", "--data", dir, "--http", "of-the-flag")
	cmd.Env = append(cmd.Env, "PARLEY_CONFIG="+config, "PARLEY_HTTP=of-the-environment", "PARLEY_NATS=of-the-environment")
	out, _ := cmd.CombinedOutput() // refused, since none is an address
	for _, want := range []string{`--http: "of-the-flag"`, `--nats: "of-the-environment"`, `--ws: "of-the-file"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got %s, want %s in it", out, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, c := range []struct {
		args string
		code int
		want string // in stdout, or in stderr where it is refused
	}{
		{"tenant list", 0, "parley tenant create"},
		{"tenant create acme --timezone Europe/Berlin --limit users=3", 0, "api key"},
		{"tenant create acme", 1, "exists"},
		{"tenant create Acme", 1, "id"},
		{"tenant create other --limit users=-1", 1, "limits.users"},
		{"user put acme alice --name Alice", 0, "active"},
		{"user put acme bob", 0, "active"},
		{"room create acme lobby --title Lobby", 0, "open"},
		{"room create acme board --kind private", 0, "private"},
		{"room create acme cellar --kind secret", 1, "kind"},
		{"member put acme board alice --role owner", 0, "alice is owner of board"},
		{"member put acme board carol", 1, "no such user"},
		{"member list acme board", 0, "owner"},
		{"room post acme lobby alice hello", 0, "Stored"},
		{"room messages acme lobby", 0, "hello"},
		{"room search acme hello", 0, "[hello]"},
		{"room search acme hello --limit 1", 0, "There may be more: --after "},
		{"room search acme hello --after garbage", 1, "after: must be the next"},
		{"room search acme ***", 1, "letter or a digit"},
		{"token acme alice --ttl 1m", 0, "eyJ"},
		{"token acme alice --ttl 48h", 1, "ttl_seconds"},
		{"creds acme alice", 0, "BEGIN NATS USER JWT"},
		{"key add api acme --name bot --scopes read,chat", 0, "api key  parley_"},
		{"key add api acme --name bot --scopes write", 1, "scopes"},
		{"key list acme", 0, "read,chat"},
		{"key remove acme aaaaaaaaaaaa", 1, "no such key"},
		{"connections acme", 0, "Nobody is connected"},
		{"revoke acme bob --reason gone", 0, "0 connections closed"},
		{"user show acme bob", 0, "gone"},
		{"user restore acme bob", 0, "active"},
		{"tenant refusals acme", 0, "No connection was refused"},
		{"tenant audit acme", 0, "user.revoke"},
		{"tenant delete acme --confirm acne", 1, "nothing was deleted"},
		{"tenant delete acme --confirm acme", 0, "Deleted"},
		{"tenant show acme", 1, "no such tenant"},
		{"nonsense", 2, "nonsense"},
	} {
		args := append(strings.Fields(c.args), "--data", s.data)
		code, out, errs := runParley(t, args...)
		text := out
		if c.code != 0 {
			text = errs
		}
		if code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("parley %s: got code %d, %q and %q; want %d and %q", c.args, code, out, errs, c.code, c.want)
		}
	}
	code, out, errs := runParley(t, "tenant", "list", "--json", "--data", s.data)
	if code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("tenant list --json: got %d, %q and %q, want []", code, out, errs)
	}
	code, _, errs = runParley(t, "tenant", "list", "--data", t.TempDir())
	if code != 1 || !strings.Contains(errs, "parley serve") {
		t.Errorf("without a server: got %d and %q, want 1 and how to start one", code, errs)
	}
}

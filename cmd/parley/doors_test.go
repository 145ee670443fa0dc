package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// TestDoors tries each method with each outcome over both transports, each refused one beside one that gets in.
func TestDoors(t *testing.T) {
	t.Parallel()
	d := openDoors(t)
	eventually(t, "what is short has expired", func() bool {
		return d.expired(d.guests["alice"].short) && d.expired(jwtOf(t, d.guests["alice"].signedShort))
	})
	for _, method := range []string{"token", "user-token", "jwks", "oidc", "password", "nkey", "creds", "service", "signed", "tls"} {
		for transport, url := range map[string]string{"tcp": d.NATS, "ws": d.WS} {
			t.Run(method+"/"+transport, func(t *testing.T) {
				for _, e := range d.entries(method) {
					d.try(t, method, url, e)
				}
			})
		}
	}
}

func (d *doors) try(t *testing.T, method, url string, e entry) {
	t.Helper()
	trust := nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.ca.Pool()})
	if e.code != "" && e.code != "-" {
		d.refusedAs(e.of, e.user, e.code, url, trust, e.how)
		return
	}
	name := e.user
	if method == "signed" { // that is how the servers know him
		name = d.guests[e.user].public()
	}
	p, err := d.dial(url, name, trust, e.how)
	if e.code == "-" {
		if err == nil {
			t.Errorf("%s: got in, want refused", e.name)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: got %v, want let in", e.name, err)
		return
	}
	defer p.Close()
	if who := p.ask("whoami", "{}"); who["user"] != e.user || who["tenant"] != e.of {
		t.Errorf("%s: got in as %v, want %s of %s", e.name, who, e.user, e.of)
	}
}

// TestDoorsFromJavaScript is TestDoors with nats.js, for the methods that browsers and node have.
func TestDoorsFromJavaScript(t *testing.T) {
	t.Parallel()
	needSDK(t)
	d := openDoors(t)
	eventually(t, "the short token has expired", func() bool { return d.expired(d.guests["alice"].short) })
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	type login struct {
		User string `json:"user"`
		Pass string `json:"pass"`
	}
	type visit struct {
		Name  string `json:"name"`
		URL   string `json:"url"`
		User  string `json:"user"`
		Token string `json:"token,omitempty"`
		Login *login `json:"login,omitempty"`
		Seed  string `json:"seed,omitempty"`
		NKey  string `json:"nkey,omitempty"`
		JWT   string `json:"jwt,omitempty"`
		Creds string `json:"creds,omitempty"`

		of, code string
	}
	alice, gone, zed, sue := d.guests["alice"], d.guests["gone"], d.guests["zed"], d.guests["sue"]
	forged := alice.token[:strings.LastIndex(alice.token, ".")+1] + strings.Repeat("A", 86)
	stranger, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	visits := []visit{
		{Name: "token", User: "alice", Token: alice.token, of: "acme"},
		{Name: "token forged", User: "alice", Token: forged, of: "acme", code: "token_signature"},
		{Name: "token expired", User: "alice", Token: alice.short, of: "acme", code: "token_expired"},
		{Name: "token of another tenant", User: "alice", Token: d.foreign(), of: "acme", code: "token_key_unknown"},
		{Name: "token revoked", User: "gone", Token: gone.token, of: "acme", code: "user_revoked"},
		{Name: "token suspended", User: "sue", Token: sue.token, of: "closed", code: "tenant_suspended"},
		{Name: "password", User: "alice", Login: &login{"acme/alice", alice.password}, of: "acme"},
		{Name: "password wrong", User: "alice", Login: &login{"acme/alice", "wrong"}, of: "acme", code: "password_wrong"},
		{Name: "password of another tenant", User: "zed", Login: &login{"acme/zed", "zed-password"}, of: "acme", code: "user_unknown"},
		{Name: "password revoked", User: "gone", Login: &login{"acme/gone", gone.password}, of: "acme", code: "user_revoked"},
		{Name: "password suspended", User: "sue", Login: &login{"closed/sue", sue.password}, of: "closed", code: "tenant_suspended"},
		{Name: "nkey", User: "alice", Seed: alice.seed(), of: "acme"},
		{Name: "nkey of somebody else", User: "alice", NKey: alice.public(), Seed: zed.seed(), of: "acme", code: "nkey_signature"},
		{Name: "nkey of another tenant", User: "zed", Seed: zed.seed(), of: "beta"},
		{Name: "nkey unknown", User: "x", Seed: (&guest{nkey: stranger}).seed(), code: "-"},
		{Name: "nkey revoked", User: "gone", Seed: gone.seed(), of: "acme", code: "user_revoked"},
		{Name: "nkey suspended", User: "sue", Seed: sue.seed(), of: "closed", code: "tenant_suspended"},
		{Name: "creds", User: "alice", Creds: read(alice.creds), of: "acme"},
		{Name: "creds of somebody else", User: "alice", JWT: jwtOf(t, alice.creds), Seed: zed.seed(), of: "acme", code: "creds_signature"},
		{Name: "creds of another tenant", User: "zed", Creds: read(zed.creds), of: "beta"},
		{Name: "creds revoked", User: "gone", Creds: read(gone.creds), of: "acme", code: "user_revoked"},
		{Name: "creds suspended", User: "sue", Creds: read(sue.creds), of: "closed", code: "tenant_suspended"},
	}
	for transport, url := range map[string]string{"tcp": d.NATS, "ws": d.WS} {
		t.Run(transport, func(t *testing.T) {
			before := map[string]int{}
			for i, v := range visits {
				visits[i].URL = url
				if v.code != "" && v.code != "-" {
					before[v.Name] = d.refusalsOf(v.of, v.User, v.code)
				}
			}
			question, err := json.Marshal(visits)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), nodeBudget)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "--experimental-websocket", "test/doors.mjs")
			cmd.Dir, cmd.Stdin = sdkFolder, bytes.NewReader(question)
			cmd.Env = append(os.Environ(), "PARLEY_TRANSPORT="+transport, "NODE_EXTRA_CA_CERTS="+d.ca.File(t))
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("node: %v\n%s", err, stderr.Bytes())
			}
			var answers []struct{ Name, User, Error string }
			if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(visits) {
				t.Fatalf("got %s, %v", out, err)
			}
			for i, v := range visits {
				got := answers[i]
				switch {
				case v.code == "" && got.User != v.User:
					t.Errorf("%s: got %+v, want let in", v.Name, got)
				case v.code != "" && got.User != "":
					t.Errorf("%s: got in, want refused", v.Name)
				case v.code != "" && v.code != "-":
					eventually(t, v.Name+" is kept as "+v.code, func() bool { return d.refusalsOf(v.of, v.User, v.code) > before[v.Name] })
				}
			}
		})
	}
}

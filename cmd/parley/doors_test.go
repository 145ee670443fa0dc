package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/internal/certtest"
)

// A guest is a user with everything that he could show at the door.
type guest struct {
	tenant, id   string
	token, short string // a token that lasts, and one that has expired when the table is run
	nkey         nkeys.KeyPair
	creds        string // file
	cert         tls.Certificate
	password     string
}

// doors are a server over TLS, and its guests: alice and gone of acme, zed of beta, sue of closed.
// gone is revoked and closed is suspended when all have what they show.
type doors struct {
	*server
	ca     *certtest.CA            // of the server's certificate
	cas    map[string]*certtest.CA // by tenant
	guests map[string]*guest
	beta   struct { // a user-token key of beta
		id  string
		key ed25519.PrivateKey
	}
}

func openDoors(t *testing.T) *doors {
	t.Helper()
	ca := certtest.NewCA(t, "Server CA")
	cert, key := certtest.Files(t, ca.Server(t))
	// No names of CAs are told to the clients that would keep them from presenting what is to be refused.
	all := certtest.NewCA(t, "All")
	d := &doors{ca: ca, cas: map[string]*certtest.CA{}, guests: map[string]*guest{}}
	for _, id := range []string{"acme", "beta", "closed"} {
		d.cas[id] = all.Sub(t, "CA of "+id)
	}
	d.server = serve(t, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", all.File(t))
	d.http = trusting(ca)
	for _, id := range []string{"acme", "beta", "closed"} {
		d.tenant(id)
		d.call(http.MethodPost, "/v1/tenants/"+id+"/keys", fmt.Sprintf(`{"kind":"tls-ca","name":"ca","certificate":%q,"user_field":"cn"}`, d.cas[id].PEM()))
	}
	for user, of := range map[string]string{"alice": "acme", "gone": "acme", "zed": "beta", "sue": "closed"} {
		d.welcome(of, user)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	var made keyAnswer
	d.call(http.MethodPost, "/v1/tenants/beta/keys", fmt.Sprintf(`{"kind":"user-token","name":"app","alg":"EdDSA","public_key":%q}`,
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))).into(t, &made)
	d.beta.id, d.beta.key = made.Key.ID, private
	d.call(http.MethodPost, "/v1/tenants/acme/users/gone/revoke", `{"reason":"left"}`)
	d.call(http.MethodPatch, "/v1/tenants/closed", `{"status":"suspended"}`)
	return d
}

func trusting(ca *certtest.CA) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.Pool()}}}
}

func (d *doors) welcome(of, user string) {
	d.t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		d.t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		d.t.Fatal(err)
	}
	g := &guest{tenant: of, id: user, nkey: pair, password: user + "-password", cert: d.cas[of].Client(d.t, user)}
	d.call(http.MethodPut, "/v1/tenants/"+of+"/users/"+user, fmt.Sprintf(`{"password":%q,"nkey":%q}`, g.password, public))
	g.token, g.creds = d.userToken(of, user), d.credsFile(of, user)
	var short tokenAnswer
	d.call(http.MethodPost, "/v1/tenants/"+of+"/users/"+user+"/tokens", `{"ttl_seconds":1}`).into(d.t, &short)
	g.short = short.Token
	d.guests[user] = g
}

// signed is a token that beta signs for a user of acme.
func (d *doors) signed() string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	now := time.Now().Unix()
	text := part(fmt.Sprintf(`{"alg":"EdDSA","kid":%q}`, d.beta.id)) + "." +
		part(fmt.Sprintf(`{"iss":"beta","aud":"parley:acme","sub":"alice","iat":%d,"exp":%d}`, now, now+600))
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(d.beta.key, []byte(text)))
}

func (g *guest) public() string {
	public, err := g.nkey.PublicKey()
	if err != nil {
		panic(err)
	}
	return public
}

// An entry is one cell of the table: who is to be refused as what, or with no code let in.
type entry struct {
	name, user, of, code string
	how                  nats.Option
}

// entries are the cells of a method. In the case "other tenant" what is beta's opens nothing of acme.
func (d *doors) entries(method string) []entry {
	alice, gone, zed, sue := d.guests["alice"], d.guests["gone"], d.guests["zed"], d.guests["sue"]
	switch method {
	case "token":
		i := strings.LastIndex(alice.token, ".") + 1
		return []entry{
			{"allowed", "alice", "acme", "", nats.Token(alice.token)},
			{"wrong secret", "alice", "acme", "token_signature", nats.Token(alice.token[:i] + strings.Repeat("A", 86))},
			{"expired", "alice", "acme", "token_expired", nats.Token(alice.short)},
			{"other tenant", "alice", "acme", "token_key_unknown", nats.Token(d.signed())},
			{"revoked", "gone", "acme", "user_revoked", nats.Token(gone.token)},
			{"suspended tenant", "sue", "closed", "tenant_suspended", nats.Token(sue.token)},
		}
	case "password":
		return []entry{
			{"allowed", "alice", "acme", "", nats.UserInfo("acme/alice", alice.password)},
			{"wrong secret", "alice", "acme", "password_wrong", nats.UserInfo("acme/alice", "wrong")},
			{"other tenant", "zed", "acme", "user_unknown", nats.UserInfo("acme/zed", zed.password)},
			{"revoked", "gone", "acme", "user_revoked", nats.UserInfo("acme/gone", gone.password)},
			{"suspended tenant", "sue", "closed", "tenant_suspended", nats.UserInfo("closed/sue", sue.password)},
		}
	case "nkey":
		sign := func(g *guest, by *guest) nats.Option { return nats.Nkey(g.public(), by.nkey.Sign) }
		return []entry{
			{"allowed", "alice", "acme", "", sign(alice, alice)},
			{"wrong secret", "alice", "acme", "nkey_signature", sign(alice, zed)},
			{"other tenant", "zed", "beta", "", sign(zed, zed)},
			{"revoked", "gone", "acme", "user_revoked", sign(gone, gone)},
			{"suspended tenant", "sue", "closed", "tenant_suspended", sign(sue, sue)},
		}
	case "creds":
		return []entry{
			{"allowed", "alice", "acme", "", nats.UserCredentials(alice.creds)},
			// The server itself checks this signature, and asks nobody: no reason is kept.
			{"wrong secret", "alice", "acme", "-", nats.UserJWT(func() (string, error) { return jwtOf(d.t, alice.creds), nil }, zed.nkey.Sign)},
			{"other tenant", "zed", "beta", "", nats.UserCredentials(zed.creds)},
			{"revoked", "gone", "acme", "user_revoked", nats.UserCredentials(gone.creds)},
			{"suspended tenant", "sue", "closed", "tenant_suspended", nats.UserCredentials(sue.creds)},
		}
	}
	forger := certtest.NewCA(d.t, "CA of acme", func(c *x509.Certificate) {
		c.RawSubject, c.SubjectKeyId = d.cas["acme"].Cert.RawSubject, d.cas["acme"].Cert.SubjectKeyId
	})
	old := d.cas["acme"].Client(d.t, "alice", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	return []entry{
		{"allowed", "alice", "acme", "", presents(alice.cert)},
		{"wrong secret", "alice", "acme", "cert_chain", presents(forger.Client(d.t, "alice"))},
		{"expired", "alice", "acme", "cert_expired", presents(old)},
		{"other tenant", "alice", "beta", "user_unknown", presents(d.cas["beta"].Client(d.t, "alice"))},
		{"revoked", "gone", "acme", "user_revoked", presents(gone.cert)},
		{"suspended tenant", "sue", "closed", "tenant_suspended", presents(sue.cert)},
	}
}

// presents sends a certificate whatever CAs the server names, as most TLS libraries do and Go's does not.
func presents(cert tls.Certificate) nats.Option {
	return func(o *nats.Options) error {
		o.TLSConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		return nil
	}
}

// TestDoors tries each method with each outcome over both transports, each refused one beside one that gets in.
func TestDoors(t *testing.T) {
	t.Parallel()
	d := openDoors(t)
	eventually(t, "the short tokens have expired", func() bool { return d.expired(d.guests["sue"].short) && d.expired(d.guests["alice"].short) })
	for _, method := range []string{"token", "password", "nkey", "creds", "tls"} {
		for transport, url := range map[string]string{"tcp": d.NATS, "ws": d.WS} {
			t.Run(method+"/"+transport, func(t *testing.T) {
				for _, e := range d.entries(method) {
					d.try(t, url, e)
				}
			})
		}
	}
}

func (d *doors) expired(token string) bool {
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		d.t.Fatal(err)
	}
	var c struct{ Exp int64 }
	if err := json.Unmarshal(body, &c); err != nil {
		d.t.Fatal(err)
	}
	return time.Now().Unix() > c.Exp
}

func (d *doors) try(t *testing.T, url string, e entry) {
	t.Helper()
	trust := nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.ca.Pool()})
	if e.code != "" && e.code != "-" {
		d.refusedAs(e.of, e.user, e.code, url, trust, e.how)
		return
	}
	p, err := d.dial(url, e.user, trust, e.how)
	switch {
	case e.code == "-" && err == nil:
		p.Close()
		t.Errorf("%s: got in, want refused", e.name)
	case e.code == "" && err != nil:
		t.Errorf("%s: got %v, want let in", e.name, err)
	case e.code == "":
		who := p.ask("whoami", "{}")
		if who["user"] != e.user || who["tenant"] != e.of {
			t.Errorf("%s: got in as %v, want %s of %s", e.name, who, e.user, e.of)
		}
		p.Close()
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
	seed := func(g *guest) string {
		seed, err := g.nkey.Seed()
		if err != nil {
			t.Fatal(err)
		}
		return string(seed)
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
		Creds string `json:"creds,omitempty"`

		of, code string
	}
	alice, gone, sue := d.guests["alice"], d.guests["gone"], d.guests["sue"]
	stranger, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	visits := []visit{
		{Name: "token", User: "alice", Token: alice.token, of: "acme"},
		{Name: "token expired", User: "alice", Token: alice.short, of: "acme", code: "token_expired"},
		{Name: "token of another tenant", User: "alice", Token: d.signed(), of: "acme", code: "token_key_unknown"},
		{Name: "token revoked", User: "gone", Token: gone.token, of: "acme", code: "user_revoked"},
		{Name: "token suspended", User: "sue", Token: sue.token, of: "closed", code: "tenant_suspended"},
		{Name: "password", User: "alice", Login: &login{"acme/alice", alice.password}, of: "acme"},
		{Name: "password wrong", User: "alice", Login: &login{"acme/alice", "wrong"}, of: "acme", code: "password_wrong"},
		{Name: "password of another tenant", User: "zed", Login: &login{"acme/zed", "zed-password"}, of: "acme", code: "user_unknown"},
		{Name: "password revoked", User: "gone", Login: &login{"acme/gone", gone.password}, of: "acme", code: "user_revoked"},
		{Name: "password suspended", User: "sue", Login: &login{"closed/sue", sue.password}, of: "closed", code: "tenant_suspended"},
		{Name: "nkey", User: "alice", Seed: seed(alice), of: "acme"},
		{Name: "nkey unknown", User: "x", Seed: seed(&guest{nkey: stranger}), code: "-"},
		{Name: "nkey revoked", User: "gone", Seed: seed(gone), of: "acme", code: "user_revoked"},
		{Name: "nkey suspended", User: "sue", Seed: seed(sue), of: "closed", code: "tenant_suspended"},
		{Name: "creds", User: "alice", Creds: read(alice.creds), of: "acme"},
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

package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"parley/client"
	"parley/internal/certtest"
)

// A guest is a user with everything that he could show at the door.
type guest struct {
	tenant, id   string
	token, short string // a token that lasts, and one that has expired when the table is run
	nkey         nkeys.KeyPair
	creds        string // file
	signed       string // file that his tenant signed
	signedShort  string // likewise, out of date when the table is run
	cert         tls.Certificate
	password     string
}

// An office is what a tenant has of its own to let its users in by.
type office struct {
	account string
	ca      *certtest.CA
	app     signer // of user tokens, whose kid is appKey
	appKey  string
	web     signer // of the key set and the provider, whose kid is the tenant's id
	scoped  []byte // seed of a nats-scoped key
	service string // .creds file of the service bot
}

// doors are a server over TLS, and its guests: alice and gone of acme, zed of beta, sue of closed.
// gone is revoked and closed is suspended when all have what they show.
type doors struct {
	*server
	ca       *certtest.CA // of the server's certificate
	provider string       // where the key sets of all tenants are
	offices  map[string]*office
	guests   map[string]*guest
	endedBot string // .creds file of a service whose key was removed
}

func openDoors(t *testing.T) *doors {
	t.Helper()
	ca := certtest.NewCA(t, "Server CA")
	cert, key := certtest.Files(t, ca.Server(t))
	// No names of CAs are told to the clients that would keep them from presenting what is to be refused.
	all := certtest.NewCA(t, "All")
	d := &doors{ca: ca, offices: map[string]*office{}, guests: map[string]*guest{}}
	d.server = serve(t, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", all.File(t), "--allow-private-urls")
	d.http = trusting(ca)
	for _, id := range []string{"acme", "beta", "closed"} {
		d.offices[id] = &office{ca: all.Sub(t, "CA of "+id), app: newSigner(t, "EdDSA"), web: newSigner(t, "ES256")}
	}
	d.provide()
	for id := range d.offices {
		d.settle(id)
	}
	for user, of := range map[string]string{"alice": "acme", "gone": "acme", "zed": "beta", "sue": "closed"} {
		d.welcome(of, user)
	}
	ended, file := d.serviceFile("acme", "ended")
	d.endedBot = file
	d.call(http.MethodDelete, "/v1/tenants/acme/keys/"+ended, "")
	d.call(http.MethodPost, "/v1/tenants/acme/users/gone/revoke", `{"reason":"left"}`)
	d.call(http.MethodPatch, "/v1/tenants/closed", `{"status":"suspended"}`)
	return d
}

func trusting(ca *certtest.CA) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.Pool()}}}
}

// provide serves the key set of each tenant at /<tenant>/keys, and its provider at /<tenant>.
func (d *doors) provide() {
	d.t.Helper()
	mux := http.NewServeMux()
	for id, o := range d.offices {
		mux.HandleFunc("/"+id+"/keys", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, o.web.keySet(id))
		})
		mux.HandleFunc("/"+id+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, d.provider+"/"+id, d.provider+"/"+id+"/keys")
		})
	}
	s := httptest.NewServer(mux)
	d.t.Cleanup(s.Close)
	d.provider = s.URL
}

// settle makes a tenant, and adds its keys of every kind.
func (d *doors) settle(id string) {
	d.t.Helper()
	o := d.offices[id]
	o.account, _ = d.tenant(id)
	public, seed, err := client.NewSigningKey()
	if err != nil {
		d.t.Fatal(err)
	}
	o.scoped = seed
	o.appKey = d.addKey(id, fmt.Sprintf(`{"kind":"user-token","name":"app","alg":"EdDSA","public_key":%q}`, o.app.pem())).Key.ID
	for _, body := range []string{
		fmt.Sprintf(`{"kind":"tls-ca","name":"ca","certificate":%q,"user_field":"cn"}`, o.ca.PEM()),
		fmt.Sprintf(`{"kind":"jwks","name":"set","url":%q}`, d.provider+"/"+id+"/keys"),
		fmt.Sprintf(`{"kind":"oidc","name":"login","issuer":%q,"client_id":"web"}`, d.provider+"/"+id),
		fmt.Sprintf(`{"kind":"nats-scoped","name":"office","role":"member","public_key":%q}`, public),
	} {
		d.addKey(id, body)
	}
	_, o.service = d.serviceFile(id, "bot")
}

// serviceFile makes service credentials.
func (d *doors) serviceFile(of, name string) (key, file string) {
	d.t.Helper()
	made := d.addKey(of, fmt.Sprintf(`{"kind":"service","name":%q}`, name))
	return made.Key.ID, d.file(name+".creds", made.Creds)
}

func (d *doors) file(name, text string) string {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return file
}

func (d *doors) welcome(of, user string) {
	d.t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		d.t.Fatal(err)
	}
	g := &guest{tenant: of, id: user, nkey: pair, password: user + "-password", cert: d.offices[of].ca.Client(d.t, user)}
	d.call(http.MethodPut, "/v1/tenants/"+of+"/users/"+user, fmt.Sprintf(`{"password":%q,"nkey":%q}`, g.password, g.public()))
	g.token, g.creds = d.userToken(of, user), d.credsFile(of, user)
	g.signed, g.signedShort = d.sign(of, g, time.Hour), d.sign(of, g, time.Second)
	var short tokenAnswer
	d.call(http.MethodPost, "/v1/tenants/"+of+"/users/"+user+"/tokens", `{"ttl_seconds":1}`).into(d.t, &short)
	g.short = short.Token
	d.guests[user] = g
}

// sign makes credentials for a guest of acme's account, and of any other, by a tenant's own key.
func (d *doors) sign(by string, g *guest, ttl time.Duration) string {
	d.t.Helper()
	_, creds, err := client.SignUser(client.SigningOrder{
		Account: d.offices[g.tenant].account, Seed: d.offices[by].scoped, UserSeed: []byte(g.seed()), TTL: ttl,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.file("signed.creds", string(creds))
}

func (g *guest) public() string {
	public, err := g.nkey.PublicKey()
	if err != nil {
		panic(err)
	}
	return public
}

func (g *guest) seed() string {
	seed, err := g.nkey.Seed()
	if err != nil {
		panic(err)
	}
	return string(seed)
}

// expired says whether the exp of a token or user JWT is over.
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

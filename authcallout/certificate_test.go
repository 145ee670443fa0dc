package authcallout

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"

	"parley/internal/certtest"
	"parley/tenant"
)

// presenting is a client with certificates that the server did not verify; verified one that it did.
func presenting(chain ...[]byte) func(*jwt.AuthorizationRequestClaims) {
	return func(q *jwt.AuthorizationRequestClaims) { q.TLS = &jwt.ClientTLS{Certs: texts(chain)} }
}

func verified(chain ...[]byte) func(*jwt.AuthorizationRequestClaims) {
	return func(q *jwt.AuthorizationRequestClaims) {
		q.TLS = &jwt.ClientTLS{VerifiedChains: []jwt.StringList{texts(chain)}}
	}
}

func texts(chain [][]byte) (out jwt.StringList) {
	for _, der := range chain {
		out = append(out, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	}
	return out
}

// addCA makes a CA one of a tenant's keys, as the service would.
func (w *world) addCA(id string, t tenant.TenantID, ca *certtest.CA, field string) {
	k := tenant.Key{ID: id, Tenant: t, KeySpec: tenant.KeySpec{Kind: tenant.KeyTLSCA, KeyDetails: tenant.KeyDetails{Certificate: ca.PEM(), UserField: field}}}
	k.CA, k.CAName = tenant.CAIDs(ca.Cert.RawSubject, ca.Cert.SubjectKeyId)
	w.set(func() { w.keys = append(w.keys, k) })
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addTenant("other")
	ours, theirs := certtest.NewCA(t, "Example CA"), certtest.NewCA(t, "Example CA")
	mail := certtest.NewCA(t, "Mail CA")
	w.addCA("ours", "acme", ours, tenant.FieldCN)
	w.addCA("theirs", "other", theirs, tenant.FieldCN)
	w.addCA("mail", "acme", mail, tenant.FieldURI)
	der := func(c tls.Certificate) []byte { return c.Certificate[0] }
	sub := ours.Sub(t, "Office CA")
	uri := func(s string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.URIs = []*url.URL{must(url.Parse(s))} }
	}

	w.admitted("alice", presenting(der(ours.Client(t, "alice"))))
	w.admitted("alice", verified(der(ours.Client(t, "alice")), ours.Cert.Raw))
	w.admitted("bob", presenting(der(sub.Client(t, "bob")), sub.Cert.Raw))
	w.admitted("alice", presenting(der(mail.Client(t, "someone", uri("alice")))))
	for range 4 {
		if s := <-w.sessions; s.Method != tenant.MethodTLS || s.Proof.Key == "" {
			t.Errorf("got session %+v, want one by tls with the key of its CA", s)
		}
	}
	// Another method beside a certificate is the one that counts.
	w.admitted("bob", presenting(der(ours.Client(t, "alice"))), withToken(w.token(map[string]any{"sub": "bob"})))

	old := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	early := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }
	server := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	forger := certtest.NewCA(t, "Example CA", func(c *x509.Certificate) { c.SubjectKeyId = ours.Cert.SubjectKeyId })
	for name, c := range map[string]struct {
		code, tenant string
		how          func(*jwt.AuthorizationRequestClaims)
	}{
		"out of date":                         {"cert_expired", "acme", presenting(der(ours.Client(t, "alice", old)))},
		"not yet valid":                       {"cert_expired", "acme", presenting(der(ours.Client(t, "alice", early)))},
		"for servers":                         {"cert_usage", "acme", presenting(der(ours.Client(t, "alice", server)))},
		"of a CA that nobody has":             {"cert_ca_unknown", "", presenting(der(certtest.NewCA(t, "Stray CA").Client(t, "alice")))},
		"of a CA that gives itself for ours":  {"cert_chain", "acme", presenting(der(forger.Client(t, "alice")))},
		"the same, with what the server says": {"cert_chain", "acme", verified(der(forger.Client(t, "alice")), forger.Cert.Raw)},
		"of another tenant's CA":              {"user_unknown", "other", presenting(der(theirs.Client(t, "alice")))},
		"without the CA between":              {"cert_ca_unknown", "", presenting(der(sub.Client(t, "bob")))},
		"of nobody":                           {"user_unknown", "acme", presenting(der(ours.Client(t, "nobody")))},
		"with a wildcard":                     {"user_unknown", "acme", presenting(der(ours.Client(t, "*")))},
		"without the field":                   {"user_unknown", "acme", presenting(der(mail.Client(t, "alice")))},
		"with the field twice":                {"user_unknown", "acme", presenting(der(mail.Client(t, "x", func(c *x509.Certificate) { c.URIs = []*url.URL{{Path: "alice"}, {Path: "bob"}} })))},
		"no certificate":                      {"cert_malformed", "", presenting([]byte("x"))},
		"too many":                            {"cert_malformed", "", presenting(make([][]byte, maxChain+1)...)},
	} {
		if r := w.refused(c.code, c.how); string(r.Tenant) != c.tenant || r.Method != tenant.MethodTLS {
			t.Errorf("%s: got %+v, want tenant %q by tls", name, r, c.tenant)
		}
	}

	w.set(func() { w.acme.status = tenant.Suspended })
	w.refused("tenant_suspended", presenting(der(ours.Client(t, "alice"))))
	w.set(func() { w.acme.status = tenant.Active; w.keys[0].RemovedAt = time.Now() })
	w.refused("cert_ca_removed", presenting(der(ours.Client(t, "alice"))))
}

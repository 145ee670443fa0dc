package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/certtest"
)

// An entry is one cell of the table: who is to be refused as what, or with no code let in.
type entry struct {
	name, user, of, code string
	how                  nats.Option
}

// entries are the cells of a method. In the case "other tenant" what is beta's opens nothing of acme.
func (d *doors) entries(method string) []entry {
	switch method {
	case "token":
		return d.tokenEntries()
	case "user-token":
		return d.signedTokenEntries(func(of string) (signer, string, map[string]any) {
			return d.offices[of].app, d.offices[of].appKey, map[string]any{"aud": "parley:" + of}
		}, "token_key_unknown")
	case "jwks":
		return d.signedTokenEntries(func(of string) (signer, string, map[string]any) {
			return d.offices[of].web, of, map[string]any{"aud": "parley:" + of}
		}, "token_key_unknown")
	case "oidc":
		return d.signedTokenEntries(func(of string) (signer, string, map[string]any) {
			return d.offices[of].web, of, map[string]any{"iss": d.provider + "/" + of, "aud": "web"}
		}, "token_key_unknown")
	case "password":
		return d.passwordEntries()
	case "nkey":
		return d.nkeyEntries()
	case "creds":
		return d.credsEntries()
	case "service":
		return d.serviceEntries()
	case "signed":
		return d.signedEntries()
	case "tls":
		return d.certEntries()
	}
	panic("no entries for " + method)
}

func (d *doors) tokenEntries() []entry {
	alice, gone, sue := d.guests["alice"], d.guests["gone"], d.guests["sue"]
	i := strings.LastIndex(alice.token, ".") + 1
	return []entry{
		{"allowed", "alice", "acme", "", nats.Token(alice.token)},
		{"wrong secret", "alice", "acme", "token_signature", nats.Token(alice.token[:i] + strings.Repeat("A", 86))},
		{"expired", "alice", "acme", "token_expired", nats.Token(alice.short)},
		{"other tenant", "alice", "acme", "token_key_unknown", nats.Token(d.foreign())},
		{"revoked", "gone", "acme", "user_revoked", nats.Token(gone.token)},
		{"suspended tenant", "sue", "closed", "tenant_suspended", nats.Token(sue.token)},
	}
}

// foreign is a token that beta signs for a user of acme.
func (d *doors) foreign() string {
	return d.offices["beta"].app.token(d.offices["beta"].appKey, map[string]any{"aud": "parley:acme", "sub": "alice"})
}

// signedTokenEntries are those of tokens that tenants or their providers sign: by tells with what, and which
// claims say for whom.
func (d *doors) signedTokenEntries(by func(of string) (signer, string, map[string]any), other string) []entry {
	token := func(of, user string, change map[string]any) nats.Option {
		s, kid, claims := by(of)
		claims["sub"] = user
		for k, v := range change {
			claims[k] = v
		}
		return nats.Token(s.token(kid, claims))
	}
	acme, kid, claims := by("acme")
	claims["sub"] = "alice"
	forged := newSigner(d.t, acme.alg).token(kid, claims)
	beta, betaKid, _ := by("beta")
	stranger := beta.token(betaKid, claims) // beta's signature under what acme's tokens say
	now := time.Now().Unix()
	return []entry{
		{"allowed", "alice", "acme", "", token("acme", "alice", nil)},
		{"wrong secret", "alice", "acme", "token_signature", nats.Token(forged)},
		{"expired", "alice", "acme", "token_expired", token("acme", "alice", map[string]any{"iat": now - 600, "exp": now - 1})},
		{"other tenant", "alice", "acme", other, nats.Token(stranger)},
		{"revoked", "gone", "acme", "user_revoked", token("acme", "gone", nil)},
		{"suspended tenant", "sue", "closed", "tenant_suspended", token("closed", "sue", nil)},
	}
}

func (d *doors) passwordEntries() []entry {
	return []entry{
		{"allowed", "alice", "acme", "", nats.UserInfo("acme/alice", d.guests["alice"].password)},
		{"wrong secret", "alice", "acme", "password_wrong", nats.UserInfo("acme/alice", "wrong")},
		{"other tenant", "zed", "acme", "user_unknown", nats.UserInfo("acme/zed", d.guests["zed"].password)},
		{"revoked", "gone", "acme", "user_revoked", nats.UserInfo("acme/gone", d.guests["gone"].password)},
		{"suspended tenant", "sue", "closed", "tenant_suspended", nats.UserInfo("closed/sue", d.guests["sue"].password)},
	}
}

func (d *doors) nkeyEntries() []entry {
	alice, gone, zed, sue := d.guests["alice"], d.guests["gone"], d.guests["zed"], d.guests["sue"]
	sign := func(g *guest, by *guest) nats.Option { return nats.Nkey(g.public(), by.nkey.Sign) }
	return []entry{
		{"allowed", "alice", "acme", "", sign(alice, alice)},
		{"wrong secret", "alice", "acme", "nkey_signature", sign(alice, zed)},
		{"other tenant", "zed", "beta", "", sign(zed, zed)},
		{"revoked", "gone", "acme", "user_revoked", sign(gone, gone)},
		{"suspended tenant", "sue", "closed", "tenant_suspended", sign(sue, sue)},
	}
}

func (d *doors) credsEntries() []entry {
	alice, zed := d.guests["alice"], d.guests["zed"]
	return []entry{
		{"allowed", "alice", "acme", "", nats.UserCredentials(alice.creds)},
		{"wrong secret", "alice", "acme", "creds_signature", d.borrowed(alice.creds)},
		{"other tenant", "zed", "beta", "", nats.UserCredentials(zed.creds)},
		{"revoked", "gone", "acme", "user_revoked", nats.UserCredentials(d.guests["gone"].creds)},
		{"suspended tenant", "sue", "closed", "tenant_suspended", nats.UserCredentials(d.guests["sue"].creds)},
	}
}

// borrowed shows somebody's user JWT with the seed of somebody else.
func (d *doors) borrowed(file string) nats.Option {
	return d.shown(jwtOf(d.t, file), d.guests["zed"])
}

func (d *doors) shown(text string, by *guest) nats.Option {
	return nats.UserJWT(func() (string, error) { return text, nil }, by.nkey.Sign)
}

// Of these and the next the servers decide alone, by the claims.
func (d *doors) serviceEntries() []entry {
	return []entry{
		{"allowed", "bot", "acme", "", nats.UserCredentials(d.offices["acme"].service)},
		{"wrong secret", "bot", "acme", "creds_signature", d.borrowed(d.offices["acme"].service)},
		// A user JWT whose own signature is wrong is none for the server: it says nobody's name.
		{"other tenant", "bot", "beta", "-", d.shown(d.moved(jwtOf(d.t, d.offices["acme"].service)), d.guests["alice"])},
		{"revoked", "ended", "acme", "creds_revoked", nats.UserCredentials(d.endedBot)},
		{"suspended tenant", "bot", "closed", "tenant_suspended", nats.UserCredentials(d.offices["closed"].service)},
	}
}

// moved is a user JWT of acme whose claims were changed to name the account of beta.
func (d *doors) moved(text string) string {
	parts := strings.Split(text, ".")
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		d.t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(string(body), d.offices["acme"].account, d.offices["beta"].account)))
	return strings.Join(parts, ".")
}

// Whom a tenant signs is alice for Parley, and her nkey for the servers.
func (d *doors) signedEntries() []entry {
	alice := d.guests["alice"]
	return []entry{
		{"allowed", "alice", "acme", "", nats.UserCredentials(alice.signed)},
		{"wrong secret", "alice", "acme", "creds_signature", d.borrowed(alice.signed)},
		{"expired", "alice", "acme", "creds_expired", nats.UserCredentials(alice.signedShort)},
		{"other tenant", "alice", "acme", "creds_unknown", nats.UserCredentials(d.sign("beta", alice, time.Hour))},
		{"revoked", "gone", "acme", "user_revoked", nats.UserCredentials(d.guests["gone"].signed)},
		{"suspended tenant", "sue", "closed", "tenant_suspended", nats.UserCredentials(d.guests["sue"].signed)},
	}
}

func (d *doors) certEntries() []entry {
	acme := d.offices["acme"].ca
	forger := certtest.NewCA(d.t, "CA of acme", func(c *x509.Certificate) {
		c.RawSubject, c.SubjectKeyId = acme.Cert.RawSubject, acme.Cert.SubjectKeyId
	})
	old := acme.Client(d.t, "alice", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	return []entry{
		{"allowed", "alice", "acme", "", presents(d.guests["alice"].cert)},
		{"wrong secret", "alice", "acme", "cert_chain", presents(forger.Client(d.t, "alice"))},
		{"expired", "alice", "acme", "cert_expired", presents(old)},
		{"other tenant", "alice", "beta", "user_unknown", presents(d.offices["beta"].ca.Client(d.t, "alice"))},
		{"revoked", "gone", "acme", "user_revoked", presents(d.guests["gone"].cert)},
		{"suspended tenant", "sue", "closed", "tenant_suspended", presents(d.guests["sue"].cert)},
	}
}

// presents sends a certificate whatever CAs the server names, as most TLS libraries do and Go's does not.
func presents(cert tls.Certificate) nats.Option {
	return func(o *nats.Options) error {
		o.TLSConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		return nil
	}
}

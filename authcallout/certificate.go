package authcallout

import (
	"bytes"
	"crypto/x509"
	"errors"
	"time"

	"parley/tenant"
)

// maxChain is how many certificates a client may present; a few are enough for any CA.
const maxChain = 6

// A certProof is a client certificate with what was presented to connect it to its CA. The TLS
// handshake has proved that the client holds its key (RFC 8446 section 4.4.3), also where the
// server asked for a certificate and verified no chain. Ours is the chain.
type certProof struct {
	leaf   *x509.Certificate
	others *x509.CertPool
}

// readCertificate takes what the server verified, or else what the client presented: it is
// verified here either way, against the CA of the one tenant that has it.
func readCertificate(chain []string) (offer, *refusal) {
	o := offer{method: tenant.MethodTLS}
	if len(chain) > maxChain {
		return o, refuseCertForm
	}
	p := &certProof{others: x509.NewCertPool()}
	for _, text := range chain {
		cert, err := tenant.ParseCertificate(text)
		if err != nil {
			return o, refuseCertForm
		}
		// A CA that signed itself says nothing of who issued the leaf.
		if p.leaf == nil || !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			o.claim.Certificate.Issuers = append(o.claim.Certificate.Issuers, issuerOf(cert))
		}
		if p.leaf == nil {
			p.leaf = cert
			continue
		}
		p.others.AddCert(cert)
	}
	o.claim.Certificate.Names = namesIn(p.leaf)
	o.proof = p
	return o, nil
}

func issuerOf(c *x509.Certificate) string {
	id, name := tenant.CAIDs(c.RawIssuer, c.AuthorityKeyId)
	if len(c.AuthorityKeyId) == 0 {
		return name
	}
	return id
}

// namesIn are the fields that may name the user. Of two mail addresses neither does.
func namesIn(c *x509.Certificate) map[string]tenant.Handle {
	names := map[string]tenant.Handle{}
	add := func(field string, values ...string) {
		if len(values) != 1 {
			return
		}
		if h, ok := tenant.ParseHandle(values[0]); ok {
			names[field] = h
		}
	}
	add(tenant.FieldCN, c.Subject.CommonName)
	add(tenant.FieldEmail, c.EmailAddresses...)
	add(tenant.FieldDNS, c.DNSNames...)
	if len(c.URIs) == 1 {
		add(tenant.FieldURI, c.URIs[0].String())
	}
	return names
}

// certified is whom a client certificate names, by the field that its CA's key says.
func certified(o *offer, id *tenant.Identity) string {
	if len(o.claim.Certificate.Issuers) == 0 || len(id.Keys) == 0 {
		return ""
	}
	return o.claim.Certificate.Names[id.Keys[0].UserField].String()
}

// proveCertificate is prove for a client certificate.
func (c *Callout) proveCertificate(a *attempt, id *tenant.Identity, p *certProof) {
	now := c.conf.Now()
	until, r := p.verify(id, now)
	if r != nil {
		c.refuse(a, r)
		return
	}
	a.offer.opened.Key = id.Keys[0].ID
	if longest := now.Add(maxSession); until.After(longest) {
		until = longest
	}
	c.admit(a, id, until)
}

func (p *certProof) verify(id *tenant.Identity, now time.Time) (time.Time, *refusal) {
	if len(id.Keys) != 1 || id.Keys[0].Kind != tenant.KeyTLSCA {
		return time.Time{}, refuseCA
	}
	if !id.Keys[0].RemovedAt.IsZero() {
		return time.Time{}, refuseCAGone
	}
	ca, err := tenant.ParseCertificate(id.Keys[0].Certificate)
	if err != nil {
		return time.Time{}, refuseInternal
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err = p.leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: p.others, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired: // or not valid yet
		return time.Time{}, refuseCertOld
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return time.Time{}, refuseCertUse
	case err != nil:
		return time.Time{}, refuseCertChain
	}
	return p.leaf.NotAfter, nil
}

package tenant

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The fields of a client certificate that may name its user.
const (
	FieldCN    = "cn"    // common name of the subject
	FieldEmail = "email" // the one mail address among the alternative names
	FieldDNS   = "dns"   // likewise the DNS name
	FieldURI   = "uri"   // likewise the URI
)

var certificateFields = []string{FieldCN, FieldEmail, FieldDNS, FieldURI}

// maxCertificate bounds a CA's certificate in PEM, in bytes.
const maxCertificate = 16 << 10

// tlsCAKeys are the CAs whose client certificates let a tenant's users in. Certificates are
// public: what keeps a stranger's CA apart from a tenant's is the signature, which the callout verifies.
var tlsCAKeys = keyRules{
	takes: []string{"certificate", "user_field"},
	renew: []string{"certificate"},
	most:  20,
	check: func(k *KeySpec, f faults) {
		if k.UserField = strings.ToLower(k.UserField); k.UserField == "" {
			k.UserField = FieldCN
		}
		f.check(slices.Contains(certificateFields, k.UserField), "user_field", "must be one of "+strings.Join(certificateFields, ", "))
		ca, err := ParseCertificate(k.Certificate)
		if err == nil && !ca.IsCA {
			err = errors.New("is no CA's: it lacks the basic constraint CA")
		}
		if err != nil {
			f["certificate"] = err.Error()
			return
		}
		k.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: ca.Raw}))
		k.CA, k.CAName = CAIDs(ca.RawSubject, ca.SubjectKeyId)
		sum := sha256.Sum256(ca.RawSubjectPublicKeyInfo)
		k.CAKey = hex.EncodeToString(sum[:])
	},
}

const pemCertificate = "CERTIFICATE"

// ParseCertificate decodes one certificate in PEM. The error is for whoever sent it.
func ParseCertificate(text string) (*x509.Certificate, error) {
	if len(text) > maxCertificate {
		return nil, fmt.Errorf("must be at most %d bytes", maxCertificate)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != pemCertificate || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("must be one certificate in PEM, from -----BEGIN CERTIFICATE----- on")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("is no X.509 certificate that can be read")
	}
	return cert, nil
}

// CAIDs are what a CA is looked up by: its name with its key id, and its name alone.
// The parameters are of the CA's own certificate (subject) or of one that it issued (issuer).
func CAIDs(name, keyID []byte) (id, nameOnly string) {
	nameOnly = hash(name)
	return hash(append([]byte(nameOnly), keyID...)), nameOnly
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

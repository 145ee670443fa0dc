package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// trust is how a subcommand knows the server: by the system's CAs and the one of --ca, or,
// where it reads the server's address from the data folder, by the very certificate that the
// server there presents, which may be for another name than this machine's address.
func (f apiFlags) trust(local bool) (*tls.Config, error) {
	if f.CA != "" {
		return trustCA(f.CA)
	}
	if local {
		run, err := f.running()
		if err != nil {
			return nil, err
		}
		if run.TLSCert != "" {
			return trustCertificate(run.TLSCert)
		}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}, nil
}

func trustCA(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", file)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

func trustCertificate(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the server's certificate: %w; give --ca, or --server with the name that the certificate is for", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("the server's certificate: %s is no PEM", file)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // G402: VerifyConnection takes this one certificate alone
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, block.Bytes) {
				return errors.New("the server presents another certificate than the one in " + file)
			}
			return nil
		},
	}, nil
}

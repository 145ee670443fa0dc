package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// renewalCheck is how often a handshake looks whether the certificate was renewed.
const renewalCheck = 30 * time.Second

// A certificate is read from its files, again when they change: those that renew themselves
// do so every few weeks, and nobody should have to restart a chat for it.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // of the file that pair was read from
	checked time.Time
}

func openCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	return c, c.read(time.Now())
}

func (c *certificate) read(now time.Time) error {
	c.checked = now
	info, err := os.Stat(c.certFile)
	if err != nil {
		return err
	}
	if info.ModTime().Equal(c.changed) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("%w; give a certificate with its chain and its key, both in PEM", err)
	}
	c.pair, c.changed = &pair, info.ModTime()
	return nil
}

// get is for tls.Config.GetCertificate. A renewal that is half done leaves the old certificate in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= renewalCheck {
		if err := c.read(now); err != nil {
			c.log.Warn("certificate not renewed", "error", err)
		}
	}
	return c.pair, nil
}

// tlsConfigs are what the ports present, and ask for; nil: plain.
type tlsConfigs struct{ http, nats, ws *tls.Config }

// tls reads the files of all three flags, and reports all faults at once.
//
// The NATS port asks for a client certificate and takes what comes: whether it is worth
// anything is the callout's to say, which keeps the reason. The WebSocket port asks only with
// --tls-client-ca: Chromium ends a WebSocket that asks, whatever the user has (ADR 8).
func (c Config) tls() (t tlsConfigs, err error) {
	pool, err := readPool(c.TLSClientCA)
	if err != nil {
		err = fmt.Errorf("--tls-client-ca: %w", err)
	}
	switch {
	case c.TLSCert == "" && c.TLSKey == "" && c.TLSClientCA == "":
		return t, nil
	case c.TLSCert == "" || c.TLSKey == "":
		return t, errors.Join(errors.New("--tls-cert: goes with --tls-key: give both or none"), err)
	}
	cert, wrong := openCertificate(c.TLSCert, c.TLSKey, c.Logger)
	if wrong != nil {
		wrong = fmt.Errorf("--tls-cert, --tls-key: %w", wrong)
	}
	base := &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}
	t = tlsConfigs{http: base, nats: base.Clone(), ws: base.Clone()}
	t.nats.ClientAuth, t.nats.ClientCAs = tls.RequestClientCert, pool
	if pool != nil {
		t.ws.ClientAuth, t.ws.ClientCAs = tls.RequestClientCert, pool
	}
	return t, errors.Join(wrong, err)
}

// readPool returns nil where no file is given.
func readPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

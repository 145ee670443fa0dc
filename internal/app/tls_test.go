package app

import (
	"bytes"
	"log/slog"
	"os"
	"testing"
	"time"

	"parley/internal/certtest"
)

// A certificate that is renewed in place is presented without a restart; half a renewal changes nothing.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	ca := certtest.NewCA(t, "Test CA")
	old, renewed := ca.Server(t), ca.Server(t)
	certFile, keyFile := certtest.Files(t, old)
	c, err := openCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now()
	presents := func(what string, want []byte) {
		t.Helper()
		later = later.Add(time.Second)
		if err := os.Chtimes(certFile, later, later); err != nil {
			t.Fatal(err)
		}
		c.checked = time.Time{}
		got, err := c.get(nil)
		if err != nil || !bytes.Equal(got.Certificate[0], want) {
			t.Errorf("%s: got another certificate than wanted, %v", what, err)
		}
	}
	move := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newCert, newKey := certtest.Files(t, renewed)
	presents("as it was", old.Certificate[0])
	move(newCert, certFile)
	presents("with the old key", old.Certificate[0])
	move(newKey, keyFile)
	presents("renewed", renewed.Certificate[0])
}

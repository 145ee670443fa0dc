package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// What the servers' folder holds of accounts counts for nothing at a start: an old one brings back no revoked user,
// and a lost one forgets no revocation. He gets in not once, from before the port is open.
func TestTheServersFolderBringsBackNobody(t *testing.T) { // REV-06, REV-11
	t.Parallel()
	o := newSigningOffice(t)
	s := o.server
	nkey, file := o.sign(o.seed, "mallory")
	bobKey, bobFile := o.sign(o.seed, "bob")
	bot, botCreds := s.serviceKey("acme", "bot")
	o.enter(s.NATS, nkey, file).Close()
	folder, old := filepath.Join(s.data, "nats", "accounts"), filepath.Join(t.TempDir(), "accounts")
	if err := os.CopyFS(old, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	s.call(http.MethodPost, "/v1/tenants/acme/users/mallory/revoke", `{"reason":"left"}`)
	s.call(http.MethodDelete, "/v1/tenants/acme/keys/"+bot, "")
	for _, c := range []struct {
		name string
		fate func() error
	}{
		{"of before the revocation", func() error {
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
			return os.CopyFS(folder, os.DirFS(old))
		}},
		{"lost", func() error { return os.RemoveAll(folder) }},
		{"lost with the streams", func() error { return os.RemoveAll(filepath.Dir(folder)) }},
	} {
		s.kill()
		eventually(t, "Postgres ends with its parent", func() bool { return len(processesIn(t, s.data)) == 0 })
		if err := c.fate(); err != nil {
			t.Fatal(err)
		}
		addr := freeAddress(t)
		s.args = []string{"--nats", addr}
		stop, tried := make(chan struct{}), make(chan int)
		for _, who := range []struct{ nkey, file string }{{nkey, file}, {bobKey, bobFile}} {
			go func() { tried <- knockUntil(stop, "nats://"+addr, nats.UserCredentials(who.file), who.nkey == nkey) }()
		}
		s.start()
		s.out(s.NATS, nkey, nats.UserCredentials(file))
		s.out(s.WS, nkey, nats.UserCredentials(file))
		s.out(s.NATS, "bot", botCreds)
		o.enter(s.NATS, bobKey, bobFile).Close()
		close(stop)
		if in := <-tried + <-tried; in < 0 {
			t.Errorf("with a folder that was %s the revoked user got in while the server started", c.name)
		}
	}
}

// knockUntil connects again and again, and returns how often it got in; a thousandfold negative where it must not.
func knockUntil(stop <-chan struct{}, url string, how nats.Option, revoked bool) (in int) {
	weight := 1
	if revoked {
		weight = -1_000_000
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return in
		case <-tick.C:
		}
		if nc, err := nats.Connect(url, how, nats.NoReconnect(), nats.Timeout(5*time.Second)); err == nil {
			in += weight
			nc.Close()
		}
	}
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

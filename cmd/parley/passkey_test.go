package main

import (
	"net/url"
	"testing"

	"github.com/go-rod/rod/lib/proto"
)

// authenticator gives a window one that counts, whose person is always there.
func (w *window) authenticator() {
	w.t.Helper()
	w.must(proto.WebAuthnEnable{}.Call(w))
	_, err := proto.WebAuthnAddVirtualAuthenticator{Options: &proto.WebAuthnVirtualAuthenticatorOptions{
		Protocol: proto.WebAuthnAuthenticatorProtocolCtap2, Transport: proto.WebAuthnAuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}}.Call(w)
	w.must(err)
}

// atLocalhost opens a window where the server is at http://localhost.
func (s *server) atLocalhost() *window {
	s.t.Helper()
	at, err := url.Parse(s.HTTP)
	if err != nil {
		s.t.Fatal(err)
	}
	w := s.window(chromium(s.t, "host-resolver-rules", "MAP localhost:80 "+at.Host))
	s.HTTP = "http://localhost"
	return w
}

func TestAPasskeyOpensTheConsoleInTheBrowser(t *testing.T) {
	s := serve(t, "--public-url", "http://localhost")
	w := s.atLocalhost()
	w.authenticator()
	w.signUp()
	w.open("/account")
	w.fill("name", "my laptop")
	w.send(`form[data-challenge] button`)
	w.says(".note.good", "The passkey is there")
	w.look("account-passkey", "")
	w.must(w.find(`form[data-challenge] button`).Click(proto.InputMouseButtonLeft, 1))
	w.says("form[data-challenge] .note.bad", "has a passkey for you already")

	for range 2 {
		w.send("header form button")
		w.says("h1", "Log in")
		w.look("login-passkey", "")
		w.send(`form[data-challenge] button`)
		w.says("h1", "Your tenants")
	}
	w.open("/account")
	w.says("h1", "Ada Lovelace")
	w.must(w.click(`.list form[action$="/remove"] button`, "Remove"))
	w.says(".note.good", "opens your account no more")
	w.send("header form button")
	w.must(w.find(`form[data-challenge] button`).Click(proto.InputMouseButtonLeft, 1))
	w.says(".note.bad", "does not open an account here")
	w.fill("email", "ada@example.com")
	w.fill("password", "correct horse battery")
	w.send(`form[action^="/login?"] button`)
	w.says("h1", "Your tenants")
}

func TestWithoutAHostNameTheBrowserIsNotAskedForPasskeys(t *testing.T) {
	s := serve(t)
	w := s.window(chromium(t))
	w.signUp()
	w.open("/account")
	w.says(".note.warn", "Passkeys need a host name")
	if has, _, err := w.Has("form[data-challenge]"); err != nil || has {
		t.Errorf("got a form for a passkey (%v), want none", err)
	}
}

// Package passkey speaks WebAuthn for the console: it words what browsers ask of authenticators, and
// reads and checks what those answer. It keeps nothing, makes no challenges and knows no HTTP.
package passkey

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"parley/tenant"
)

// ErrNoHostName says that browsers make no passkeys for a site at an IP address.
var ErrNoHostName = errors.New("passkey: the site has no host name")

// A Site is a console as authenticators know it: its passkeys are bound to its host, and what
// they sign to its origin.
type Site struct {
	relying *webauthn.WebAuthn
}

// New returns the site of a console's public URL.
func New(public *url.URL) (*Site, error) {
	if _, err := netip.ParseAddr(public.Hostname()); err == nil {
		return nil, ErrNoHostName
	}
	relying, err := webauthn.New(&webauthn.Config{
		RPID: public.Hostname(), RPDisplayName: "Parley", RPOrigins: []string{public.Scheme + "://" + public.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		// Password managers answer more than they were asked; nobody reads it.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, err
	}
	return &Site{relying}, nil
}

// person is one as the library asks for them. The handle that authenticators keep is the id, which says nothing.
type person struct {
	id          tenant.PersonID
	email, name string
	has         []webauthn.Credential
}

func (p person) WebAuthnID() []byte                         { return []byte(p.id) }
func (p person) WebAuthnName() string                       { return p.email }
func (p person) WebAuthnDisplayName() string                { return p.name }
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.has }

// Creation is what a browser is asked so that an authenticator that is none of those the person has
// makes a passkey. It is encoded as JSON.
func (s *Site) Creation(challenge tenant.Secret, who tenant.Profile, has []tenant.Passkey) (any, error) {
	var others []protocol.CredentialDescriptor
	for _, k := range has {
		others = append(others, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: k.Credential})
	}
	ours := func(o *protocol.PublicKeyCredentialCreationOptions) error {
		o.Challenge = []byte(challenge.Reveal())
		return nil
	}
	asked, _, err := s.relying.BeginRegistration(person{id: who.ID, email: who.Email, name: who.Name}, webauthn.WithExclusions(others), ours)
	return asked, err
}

// Login is what a browser is asked so that any passkey of the site signs a challenge.
func (s *Site) Login(challenge tenant.Secret) (any, error) {
	asked, _, err := s.relying.BeginDiscoverableLogin(webauthn.WithChallenge([]byte(challenge.Reveal())))
	return asked, err
}

// challengeOf undoes the form in which browsers hand challenges back.
func challengeOf(c protocol.CollectedClientData) tenant.Secret {
	text, err := base64.RawURLEncoding.DecodeString(c.Challenge)
	if err != nil {
		return "" // answers none of ours
	}
	return tenant.Secret(text)
}

// created is a tenant.NewPasskey.
type created struct {
	site   *Site
	answer *protocol.ParsedCredentialCreationData
}

// ReadCreation reads the JSON of an answer to a Creation.
func (s *Site) ReadCreation(text string) (tenant.NewPasskey, error) {
	answer, err := protocol.ParseCredentialCreationResponseBytes([]byte(text))
	if err != nil {
		return nil, unreadable()
	}
	return created{s, answer}, nil
}

func unreadable() error {
	return tenant.Errorf(tenant.CodeInvalid, "what the browser sent is no answer of a passkey; try again")
}

func (c created) Challenge() tenant.Secret { return challengeOf(c.answer.Response.CollectedClientData) }

func (c created) Open(who tenant.PersonID) (tenant.Passkey, error) {
	made, err := c.site.relying.CreateCredential(person{id: who}, webauthn.SessionData{
		Challenge: c.answer.Response.CollectedClientData.Challenge, UserID: []byte(who),
		UserVerification: protocol.VerificationRequired, CredParams: webauthn.CredentialParametersDefault(),
	}, c.answer)
	if err != nil {
		return tenant.Passkey{}, err
	}
	return tenant.Passkey{
		Credential: made.ID, PublicKey: made.PublicKey, Counter: made.Authenticator.SignCount, Synced: made.Flags.BackupEligible,
	}, nil
}

// signed is a tenant.PasskeyAnswer.
type signed struct {
	site   *Site
	answer *protocol.ParsedCredentialAssertionData
}

// ReadLogin reads the JSON of an answer to a Login.
func (s *Site) ReadLogin(text string) (tenant.PasskeyAnswer, error) {
	answer, err := protocol.ParseCredentialRequestResponseBytes([]byte(text))
	if err != nil {
		return nil, unreadable()
	}
	return signed{s, answer}, nil
}

func (a signed) Challenge() tenant.Secret { return challengeOf(a.answer.Response.CollectedClientData) }
func (a signed) Credential() []byte       { return a.answer.RawID }
func (a signed) Person() tenant.PersonID  { return tenant.PersonID(a.answer.Response.UserHandle) }

func (a signed) Check(k tenant.Passkey) (uint32, error) {
	who := person{id: k.Person, has: []webauthn.Credential{{
		ID: k.Credential, PublicKey: k.PublicKey, Flags: webauthn.CredentialFlags{BackupEligible: k.Synced},
	}}}
	find := func(_, _ []byte) (webauthn.User, error) { return who, nil }
	_, _, err := a.site.relying.ValidatePasskeyLogin(find, webauthn.SessionData{
		Challenge: a.answer.Response.CollectedClientData.Challenge, UserVerification: protocol.VerificationRequired,
	}, a.answer)
	return a.answer.Response.AuthenticatorData.Counter, err
}

// Package sso speaks OpenID Connect for the console: it sends browsers to the operator's provider, and
// reads and checks what the provider says of those who come back. It keeps no sessions and decides nothing about people.
package sso

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"parley/tenant"
)

// Config of a Provider. All fields are required.
type Config struct {
	Issuer       string
	ClientID     string
	ClientSecret tenant.Secret
	Return       string       // the address of the console that the provider sends browsers back to
	HTTP         *http.Client // reaches what the issuer may be
}

// A Provider is where people log in. It is looked up when somebody first does, so that a console starts without it.
type Provider struct {
	Config
	mu    sync.Mutex
	found *oidc.Provider
}

// New returns a provider. It connects to nothing.
func New(c Config) (*Provider, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || c.ClientID == "" || c.ClientSecret == "" || c.Return == "" || c.HTTP == nil {
		return nil, errors.New("sso: Config needs Issuer, ClientID, ClientSecret, Return and HTTP")
	}
	return &Provider{Config: c}, nil
}

// Host names the provider to people.
func (p *Provider) Host() string {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return p.Issuer // New has read it
	}
	return u.Host
}

// An Attempt is one try to log in, as the browser that makes it must remember it.
type Attempt struct {
	State    string // comes back with the browser: no other site began this
	Nonce    string // comes back in the token: it was given for this
	Verifier string // of PKCE: whoever else sees the code can't use it
}

// asking bounds each request to the provider.
const asking = 10 * time.Second

func unavailable(err error) error {
	return fmt.Errorf("%w: %w", tenant.Errorf(tenant.CodeUnavailable, "the login provider does not answer; try again shortly, or log in with your password"), err)
}

func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	found, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, unavailable(err)
	}
	p.found = found
	return found, nil
}

func (p *Provider) client(found *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(), Endpoint: found.Endpoint(),
		RedirectURL: p.Return, Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
}

// Begin returns the address at the provider where a browser logs in.
func (p *Provider) Begin(ctx context.Context) (string, Attempt, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.HTTP), asking)
	defer cancel()
	found, err := p.discover(ctx)
	if err != nil {
		return "", Attempt{}, err
	}
	a := Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return p.client(found).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), a, nil
}

// Answers reports whether a browser that came back with a state is the one that made the attempt.
func (a Attempt) Answers(state string) bool {
	return a.State != "" && subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) == 1
}

func refused(err error) error {
	return fmt.Errorf("%w: %w", tenant.Errorf(tenant.CodeUnauthorized, "the login provider did not confirm who you are; try again"), err)
}

// Finish has the provider say who somebody is that came back with a code.
func (p *Provider) Finish(ctx context.Context, a Attempt, code string) (tenant.Vouched, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.HTTP), asking)
	defer cancel()
	found, err := p.discover(ctx)
	if err != nil {
		return tenant.Vouched{}, err
	}
	tokens, err := p.client(found).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	var said *oauth2.RetrieveError
	switch {
	case errors.As(err, &said) && said.Response.StatusCode < http.StatusInternalServerError:
		return tenant.Vouched{}, refused(errors.New("the provider refused the code: " + said.ErrorCode)) // its text may hold the code
	case err != nil:
		return tenant.Vouched{}, unavailable(errors.New("ask the provider for a token"))
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := found.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID}).Verify(ctx, raw)
	if err != nil {
		return tenant.Vouched{}, refused(err)
	}
	return p.read(token, a)
}

// yes is true as JSON, or as the text that some providers make of it.
type yes bool

func (y *yes) UnmarshalJSON(b []byte) error {
	*y = string(b) == "true" || string(b) == `"true"`
	return nil
}

func (p *Provider) read(token *oidc.IDToken, a Attempt) (tenant.Vouched, error) {
	var claims struct {
		Email         string `json:"email"`
		EmailVerified yes    `json:"email_verified"`
		Name          string `json:"name"`
		Party         string `json:"azp"`
	}
	if err := token.Claims(&claims); err != nil {
		return tenant.Vouched{}, refused(err)
	}
	if a.Nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.Nonce)) != 1 {
		return tenant.Vouched{}, refused(errors.New("the token was given for another login"))
	}
	// A token for another client, which names ours beside it, was given to somebody else.
	if claims.Party != p.ClientID && (claims.Party != "" || len(token.Audience) > 1) {
		return tenant.Vouched{}, refused(errors.New("the token was given to another client"))
	}
	return tenant.Vouched{
		Issuer: token.Issuer, Subject: token.Subject, Email: claims.Email, Verified: bool(claims.EmailVerified), Name: claims.Name,
	}, nil
}

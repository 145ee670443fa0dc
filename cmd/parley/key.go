package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"parley/tenant"
)

type keyCmd struct {
	Add    keyAddCmd    `cmd:"" help:"Make a key."`
	Issue  keyIssueCmd  `cmd:"" help:"Sign a user with a nats-scoped key, without the server."`
	List   keyListCmd   `cmd:"" help:"List the keys of a tenant."`
	Rotate keyRotateCmd `cmd:"" help:"Replace a key by a new one of the same name and rights; both are good until the old one ends."`
	Remove keyRemoveCmd `cmd:"" help:"End a key, at once."`
}

type keyAddCmd struct {
	API       keyAddAPICmd       `cmd:"" name:"api" help:"Make an API key, for a backend that uses the HTTP API."`
	Service   keyAddServiceCmd   `cmd:"" help:"Make credentials for a backend that connects to NATS, as a user of the name."`
	JWKS      keyAddJWKSCmd      `cmd:"" name:"jwks" help:"Add the URL of a JSON Web Key Set whose keys sign tokens of your users."`
	OIDC      keyAddOIDCCmd      `cmd:"" name:"oidc" help:"Let users in by the ID tokens of an OpenID Connect provider."`
	TLSCA     keyAddTLSCACmd     `cmd:"" name:"tls-ca" help:"Add a CA whose client certificates let your users in."`
	UserToken keyAddUserTokenCmd `cmd:"" name:"user-token" help:"Add the public key of tokens that you sign for your users yourself."`

	NATSScoped keyAddNATSScopedCmd `cmd:"" name:"nats-scoped" help:"Add a key that signs NATS users, whom the servers let in without asking."`
}

// keyAnswer is what the API answers to a new key.
type keyAnswer struct {
	Key    tenant.Key `json:"key"`
	APIKey string     `json:"api_key,omitempty"`
	Creds  string     `json:"creds,omitempty"`
}

// newKeyArg is what every kind of new key takes.
type newKeyArg struct {
	Tenant string `arg:"" help:"Id of the tenant."`
	Name   string `help:"Name for people." required:""`
	apiFlags
}

// add sends what is said of a key, and prints it and then what text writes; nil: nothing more.
func (c *newKeyArg) add(ctx context.Context, std streams, k tenant.KeySpec, text func(io.Writer, keyAnswer)) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	made, err := c.send(ctx, a, k)
	if err != nil {
		return err
	}
	return a.show(made, func(w io.Writer) {
		made.print(w, "")
		if text != nil {
			text(w, made)
		}
	})
}

func (c *newKeyArg) send(ctx context.Context, a *api, k tenant.KeySpec) (made keyAnswer, err error) {
	k.Name = c.Name
	err = a.call(ctx, http.MethodPost, path("tenants", c.Tenant, "keys"), k, &made)
	return made, err
}

type keyAddAPICmd struct {
	newKeyArg
	Scopes []tenant.Scope `help:"What it may do: read, chat, admin; several with commas between." required:"" placeholder:"SCOPE,…"`
}

func (c *keyAddAPICmd) Run(ctx context.Context, std streams) error {
	return c.add(ctx, std, tenant.KeySpec{Kind: tenant.KeyAPI, Scopes: c.Scopes}, nil)
}

type createUsersFlag struct {
	CreateUsers bool `help:"Make a user of whom a token names and nobody knows; without it they are refused."`
}

// The kid of a token is the id of the key, which is printed.
type keyAddUserTokenCmd struct {
	newKeyArg
	Alg       string `help:"EdDSA (Ed25519), ES256 or RS256." default:"EdDSA"`
	PublicKey string `help:"File with the public key in PEM; - is standard input." required:"" placeholder:"FILE"`
	createUsersFlag
}

func (c *keyAddUserTokenCmd) Run(ctx context.Context, std streams) error {
	text, err := readSecret(c.PublicKey, std)
	if err != nil {
		return err
	}
	spec := tenant.KeySpec{Kind: tenant.KeyUserToken, KeyDetails: tenant.KeyDetails{Alg: c.Alg, PublicKey: text, CreateUsers: c.CreateUsers}}
	return c.add(ctx, std, spec, func(w io.Writer, made keyAnswer) {
		fmt.Fprintf(w, "\nSign tokens with the header {\"alg\": %q, \"kid\": %q} and the claims\naud %q, sub (the user), iat and exp (at most 24 hours later).\n",
			made.Key.Alg, made.Key.ID, tenant.TokenAudience(tenant.TenantID(c.Tenant)))
	})
}

type keyAddJWKSCmd struct {
	newKeyArg
	URL string `name:"url" help:"Where the set is." required:""`
	createUsersFlag
}

func (c *keyAddJWKSCmd) Run(ctx context.Context, std streams) error {
	spec := tenant.KeySpec{Kind: tenant.KeyJWKS, KeyDetails: tenant.KeyDetails{URL: c.URL, CreateUsers: c.CreateUsers}}
	return c.add(ctx, std, spec, func(w io.Writer, _ keyAnswer) {
		fmt.Fprintf(w, "\nTokens need a kid of the set and the claims\naud %q, sub (the user), iat and exp (at most 24 hours later).\n",
			tenant.TokenAudience(tenant.TenantID(c.Tenant)))
	})
}

type keyAddOIDCCmd struct {
	newKeyArg
	Issuer    string `help:"The issuer's URL, just as iss has it." required:"" placeholder:"URL"`
	ClientID  string `help:"The client that the ID tokens are for." required:"" placeholder:"ID"`
	UserClaim string `help:"The claim that names the user: by id, or by external id where it can be none." default:"sub" placeholder:"CLAIM"`
	createUsersFlag
}

func (c *keyAddOIDCCmd) Run(ctx context.Context, std streams) error {
	spec := tenant.KeySpec{Kind: tenant.KeyOIDC, KeyDetails: tenant.KeyDetails{
		Issuer: c.Issuer, ClientID: c.ClientID, UserClaim: c.UserClaim, CreateUsers: c.CreateUsers,
	}}
	return c.add(ctx, std, spec, func(w io.Writer, _ keyAnswer) {
		fmt.Fprintln(w, "\nUsers connect with the provider's ID token for this client as their token.")
	})
}

type keyListCmd struct{ tenantArg }

func (c *keyListCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.Key](ctx, a, path("tenants", c.Tenant, "keys"), "keys", nil)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, k := range all {
		used := "never"
		if !k.LastUsed.IsZero() {
			used = k.LastUsed.Format(time.RFC3339)
		}
		ends := ""
		if !k.EndsAt.IsZero() {
			ends = k.EndsAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{k.ID, string(k.Kind), k.Name, scopes(k), k.CreatedAt.Format(time.RFC3339), used, ends})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No keys. Make one: parley key add api "+c.Tenant+" --name NAME --scopes read",
			[]string{"id", "kind", "name", "scopes", "created", "last used", "ends"}, rows)
	})
}

func scopes(k tenant.Key) string {
	var words []string
	for _, s := range k.Scopes {
		words = append(words, string(s))
	}
	return strings.Join(words, ",")
}

type keyRemoveCmd struct {
	Tenant string `arg:"" help:"Id of the tenant."`
	Key    string `arg:"" help:"Id of the key."`
	apiFlags
}

func (c *keyRemoveCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, "Removed key "+c.Key+".", path("tenants", c.Tenant, "keys", c.Key))
}

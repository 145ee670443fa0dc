package tenant_test

import (
	"slices"
	"testing"
	"time"

	"parley/tenant"
)

func seconds(n int64) *int64 { return &n }

// In a rotation both keys are good until the overlap is over; then a job ends the old one.
func TestARotatedKeyOverlapsWithTheNewOne(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	old, oldSecret, err := d.AddKey(ctx, op, "acme", tenant.KeySpec{Kind: tenant.KeyAPI, Name: "bot", Scopes: []tenant.Scope{tenant.ScopeChat}})
	d.must(err)
	before := time.Now()
	made, err := d.RotateKey(ctx, op, "acme", old.ID, tenant.Rotation{OverlapSeconds: seconds(3600)})
	d.must(err)
	if made.New.ID == old.ID || made.New.Name != "bot" || !slices.Equal(made.New.Scopes, old.Scopes) {
		t.Errorf("got %+v, want a new key of the same name and scopes", made.New)
	}
	if hour := made.EndsAt.Sub(before); hour < time.Hour || hour > 2*time.Hour {
		t.Errorf("the old key: got an end in %s, want an hour", hour)
	}
	for _, key := range []tenant.Secret{oldSecret.APIKey, made.Secret.APIKey} {
		_, err := d.Authenticate(ctx, key)
		d.must(err)
	}
	if k, err := d.Key(ctx, op, "acme", old.ID); err != nil || !k.EndsAt.Equal(made.EndsAt) {
		t.Errorf("got %+v %v, want the key to end at %s", k, err, made.EndsAt)
	}
	if _, err := d.RotateKey(ctx, op, "acme", old.ID, tenant.Rotation{}); !isCode(err, tenant.CodeConflict) {
		t.Errorf("rotated twice: got %v, want a conflict", err)
	}
	if jobs := d.jobs(); !slices.Contains(jobs, "end_key") {
		t.Errorf("got the jobs %v, want end_key among them", jobs)
	}
	for range 2 { // a job may run again
		d.must(d.EndKey(ctx, tenant.EndKey{Tenant: "acme", Key: old.ID}))
	}
	d.wantDid("kick key " + old.ID)
	if _, err := d.Authenticate(ctx, oldSecret.APIKey); !isCode(err, tenant.CodeUnauthorized) {
		t.Errorf("the old key: got %v, want unauthorized", err)
	}
	_, err = d.Authenticate(ctx, made.Secret.APIKey)
	d.must(err)
	trail, err := d.AuditTrail(ctx, op, "acme", tenant.Page{Query: "key:" + old.ID, Limit: 10})
	d.must(err)
	var acts []string
	for _, e := range trail {
		acts = append(acts, e.Actor+" "+e.Action)
	}
	if want := []string{"system key.remove", "operator key.rotate", "operator key.add"}; !slices.Equal(acts, want) {
		t.Errorf("got the trail %v, want %v", acts, want)
	}
}

func TestARotationWithoutOverlapEndsTheOldKeyAtOnce(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	old, _, err := d.AddKey(ctx, op, "acme", tenant.KeySpec{Kind: tenant.KeyService, Name: "bot"})
	d.must(err)
	d.taken()
	made, err := d.RotateKey(ctx, op, "acme", old.ID, tenant.Rotation{OverlapSeconds: seconds(0)})
	d.must(err)
	if made.Secret.Creds == "" || made.New.Name != "bot" {
		t.Errorf("got %+v, want new credentials of the same service", made.New)
	}
	if did := d.taken(); !slices.Contains(did, "kick key "+old.ID) {
		t.Errorf("got %v, want what the old key opened closed", did)
	}
	if _, err := d.Key(ctx, op, "acme", old.ID); !isCode(err, tenant.CodeNotFound) {
		t.Errorf("the old key: got %v, want not_found", err)
	}
	if _, err := d.Key(ctx, op, "acme", made.New.ID); err != nil {
		t.Errorf("the new key: got %v", err)
	}
}

// Each kind takes what it renews, and nothing else; the rights stay as they are.
func TestRotations(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	old, fresh := publicPEM(t), publicPEM(t)
	add := func(k tenant.KeySpec) string {
		made, _, err := d.AddKey(ctx, op, "acme", k)
		d.must(err)
		return made.ID
	}
	api := add(tenant.KeySpec{Kind: tenant.KeyAPI, Name: "bot", Scopes: tenant.AllScopes})
	signer := add(tenant.KeySpec{Kind: tenant.KeyUserToken, Name: "app", KeyDetails: tenant.KeyDetails{Alg: "EdDSA", PublicKey: old, CreateUsers: true}})
	set := add(tenant.KeySpec{Kind: tenant.KeyJWKS, Name: "set", KeyDetails: tenant.KeyDetails{URL: "https://id.example.com/1"}})
	login := add(tenant.KeySpec{Kind: tenant.KeyOIDC, Name: "login", KeyDetails: tenant.KeyDetails{Issuer: "https://id.example.com", ClientID: "one", UserClaim: "email"}})
	for _, c := range []struct {
		name, key string
		r         tenant.Rotation
		field     string // "": it is taken
	}{
		{"a negative overlap", api, tenant.Rotation{OverlapSeconds: seconds(-1)}, "overlap_seconds"},
		{"an overlap of 91 days", api, tenant.Rotation{OverlapSeconds: seconds(91 * 86400)}, "overlap_seconds"},
		{"an overlap beyond what a duration holds", api, tenant.Rotation{OverlapSeconds: seconds(1 << 62)}, "overlap_seconds"},
		{"an API key with a public key", api, tenant.Rotation{PublicKey: fresh}, "public_key"},
		{"a token key without a public key", signer, tenant.Rotation{}, "public_key"},
		{"the same public key", signer, tenant.Rotation{PublicKey: old}, "public_key"},
		{"a public key that is none", signer, tenant.Rotation{PublicKey: "none"}, "public_key"},
		{"the key of another algorithm", signer, tenant.Rotation{PublicKey: fresh, Alg: "RS256"}, "public_key"},
		{"a token key with a URL", signer, tenant.Rotation{PublicKey: fresh, URL: "https://id.example.com/2"}, "url"},
		{"the same URL", set, tenant.Rotation{URL: "https://id.example.com/1"}, "url"},
		{"a private URL", set, tenant.Rotation{URL: "https://127.0.0.1/"}, "url"},
		{"no client", login, tenant.Rotation{}, "client_id"},
		{"a certificate for a provider", login, tenant.Rotation{ClientID: "two", Certificate: "x"}, "certificate"},
		{"a token key", signer, tenant.Rotation{PublicKey: fresh}, ""},
		{"a key set", set, tenant.Rotation{URL: "https://id.example.com/2"}, ""},
		{"a provider's client", login, tenant.Rotation{ClientID: "two"}, ""},
	} {
		before, err := d.Keys(ctx, op, "acme", tenant.Page{Limit: 100})
		d.must(err)
		made, err := d.RotateKey(ctx, op, "acme", c.key, c.r)
		e, _ := tenant.AsError(err)
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: got %v, want it taken", c.name, err)
		case c.field == "":
			was, err := d.Key(ctx, op, "acme", c.key)
			d.must(err)
			if n := made.New; n.Kind != was.Kind || n.Name != was.Name || n.CreateUsers != was.CreateUsers || n.UserClaim != was.UserClaim {
				t.Errorf("%s: got %+v, want the rights of %+v", c.name, n, was)
			}
		case !isCode(err, tenant.CodeInvalid) || e.Fields[c.field] == "":
			t.Errorf("%s: got %v, want the field %s refused", c.name, err, c.field)
		default:
			after, err := d.Keys(ctx, op, "acme", tenant.Page{Limit: 100})
			d.must(err)
			if len(after) != len(before) {
				t.Errorf("%s: got %d keys, want the %d from before", c.name, len(after), len(before))
			}
		}
	}
	if _, err := d.RotateKey(ctx, op, "acme", "kkkkkkkkkkkk", tenant.Rotation{}); !isCode(err, tenant.CodeNotFound) {
		t.Errorf("a key that is not there: got %v, want not_found", err)
	}
}

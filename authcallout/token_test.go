package authcallout

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// TestTokens has ADVERSARIAL.md IDN-09, IDN-10 and IDN-11, each refused token beside its allowed twin.
func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.addTenant("other")
	w.addUser(tenant.User{Tenant: "other", ID: "alice"})
	made := w.clock.now().Add(-10 * time.Minute)
	w.addUser(tenant.User{Tenant: "acme", ID: "young", CreatedAt: made})
	w.addUser(tenant.User{Tenant: "acme", ID: "gone", Status: tenant.UserRevoked})
	w.addUser(tenant.User{Tenant: "acme", ID: "dead", Status: tenant.UserDeleted})
	now := w.clock.now().Unix()
	claims := string(must(json.Marshal(w.claimSet(nil))))
	good := w.token(nil)
	raw := func(header, claims string) string { return signToken(w.acme.tokenKey, header, claims) }
	// A token of any algorithm whose signature is a MAC keyed with what everybody knows.
	hs256 := func(header string, key []byte) string {
		text := b64(header) + "." + b64(claims)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	type set map[string]any
	for _, c := range []struct {
		name  string
		token string
		want  string // code, or "" for admitted
	}{
		{"good", good, ""},
		{"without typ", raw(w.header(set{"typ": nil}), claims), ""},
		{"typ in small letters", raw(w.header(set{"typ": "jwt"}), claims), ""},
		{"aud as an array of one", w.token(set{"aud": []string{"parley:acme"}}), ""},
		{"other claims", w.token(set{"name": "Alice", "jti": "x", "roles": []string{"admin"}}), ""},

		{"alg none", b64(`{"alg":"none","kid":"`+w.acme.kid()+`"}`) + "." + b64(claims) + ".", "token_algorithm"},
		{"alg NONE with a signature", raw(w.header(set{"alg": "NONE"}), claims), "token_algorithm"},
		{"HS256 with the public key", hs256(w.header(set{"alg": "HS256"}), w.acme.tokenPublic()), "token_algorithm"},
		{"HS256 with the kid", hs256(w.header(set{"alg": "HS256"}), []byte(w.acme.kid())), "token_algorithm"},
		{"HS256 that says EdDSA", hs256(w.header(nil), w.acme.tokenPublic()), "token_malformed"},
		{"ES256", raw(w.header(set{"alg": "ES256"}), claims), "token_algorithm"},
		{"RS256", raw(w.header(set{"alg": "RS256"}), claims), "token_algorithm"},
		{"eddsa in small letters", raw(w.header(set{"alg": "eddsa"}), claims), "token_algorithm"},
		{"no alg", raw(w.header(set{"alg": nil}), claims), "token_algorithm"},
		{"alg is a list", raw(w.header(set{"alg": []string{"EdDSA"}}), claims), "token_header"},
		{"doubled alg", raw(`{"alg":"EdDSA","alg":"EdDSA","kid":"`+w.acme.kid()+`"}`, claims), "token_header"},
		{"Alg beside alg", raw(`{"alg":"EdDSA","Alg":"none","kid":"`+w.acme.kid()+`"}`, claims), "token_header"},
		{"typ of another kind", raw(w.header(set{"typ": "at+jwt"}), claims), "token_header"},

		{"kid of a path", raw(w.header(set{"kid": "../../etc/passwd"}), claims), "token_kid"},
		{"kid of an address", raw(w.header(set{"kid": "https://evil.example/jwks"}), claims), "token_kid"},
		{"kid of SQL", raw(w.header(set{"kid": "x' OR '1'='1"}), claims), "token_kid"},
		{"kid with NUL", raw(w.header(set{"kid": "a\x00b"}), claims), "token_kid"},
		{"kid too long", raw(w.header(set{"kid": strings.Repeat("a", 129)}), claims), "token_kid"},
		{"no kid", raw(w.header(set{"kid": nil}), claims), "token_kid"},
		{"kid of no key", raw(w.header(set{"kid": "nobody"}), claims), "token_key_unknown"},
		{"kid of another tenant's key", signToken(other.tokenKey, w.header(set{"kid": other.kid()}), claims), "token_key_unknown"},
		{"jku", raw(w.header(set{"jku": "https://evil.example"}), claims), "token_header"},
		{"x5u", raw(w.header(set{"x5u": "https://evil.example"}), claims), "token_header"},
		{"jwk", raw(w.header(set{"jwk": map[string]string{"kty": "OKP"}}), claims), "token_header"},
		{"crit", raw(w.header(set{"crit": []string{"exp"}}), claims), "token_header"},
		{"b64", raw(w.header(set{"b64": false}), claims), "token_header"},
		{"header null", raw("null", claims), "token_algorithm"},

		{"another key's signature", signToken(other.tokenKey, w.header(nil), claims), "token_signature"},
		{"claims changed", strings.Split(good, ".")[0] + "." + b64(string(must(json.Marshal(w.claimSet(set{"sub": "bob"}))))) + "." + strings.Split(good, ".")[2], "token_signature"},
		{"signature cut", good[:len(good)-10], "token_malformed"},
		{"no signature", strings.Join(strings.Split(good, ".")[:2], ".") + ".", "token_malformed"},
		{"padded base64", good + "==", "token_malformed"},
		{"four parts", good + ".x", "token_malformed"},
		{"two parts", strings.Join(strings.Split(good, ".")[:2], "."), "token_malformed"},
		{"text", "hello", "token_malformed"},
		{"white space", " " + good, "token_header"},
		{"JWE", "a.b.c.d.e", "token_malformed"},
		{"a NATS user JWT", must(jwt.NewUserClaims(public(newKey(nkeys.PrefixByteUser))).Encode(w.acme.account)), "token_algorithm"},

		{"doubled sub", raw(w.header(nil), `{"sub":"bob",`+claims[1:]), "token_malformed"},
		{"doubled aud", raw(w.header(nil), `{"aud":"parley:other",`+claims[1:]), "token_malformed"},
		{"doubled by escape", raw(w.header(nil), `{"s\u0075b":"bob",`+claims[1:]), "token_malformed"},
		{"Sub for sub", w.token(set{"sub": nil, "Sub": "alice"}), "token_subject"},
		{"bad UTF-8", raw(w.header(nil), `{"x":"`+"\xff"+`",`+claims[1:]), "token_malformed"},
		{"text behind", raw(w.header(nil), claims+"{}"), "token_malformed"},
		{"claims are a list", raw(w.header(nil), "["+claims+"]"), "token_malformed"},
		{"deep, and nothing of ours", raw(w.header(nil), `{"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`,`+claims[1:]), ""},

		{"another tenant's aud", w.token(set{"aud": "parley:other"}), "token_key_unknown"},
		{"unknown tenant's aud", w.token(set{"aud": "parley:nobody"}), "tenant_unknown"},
		{"bare tenant", w.token(set{"aud": "acme"}), "token_audience"},
		{"wildcard aud", w.token(set{"aud": "parley:*"}), "token_audience"},
		{"no aud", w.token(set{"aud": nil}), "token_audience"},
		{"aud of two", w.token(set{"aud": []string{"parley:acme", "parley:other"}}), "token_malformed"},
		{"aud of none", w.token(set{"aud": []string{}}), "token_malformed"},
		{"no sub", w.token(set{"sub": nil}), "token_subject"},
		{"sub is the system", w.token(set{"sub": "_"}), "token_subject"},
		{"sub is a wildcard", w.token(set{"sub": "*"}), "token_subject"},
		{"sub of two tokens", w.token(set{"sub": "alice.bob"}), "token_subject"},
		{"sub is a number", w.token(set{"sub": 7}), "token_malformed"},
		{"unknown sub", w.token(set{"sub": "nobody"}), "user_unknown"},
		{"deleted sub", w.token(set{"sub": "dead"}), "user_unknown"},
		{"revoked sub", w.token(set{"sub": "gone"}), "user_revoked"},
		{"another iss", w.token(set{"iss": "https://evil.example"}), "token_key_unknown"},
		{"no iss", w.token(set{"iss": nil}), "token_key_unknown"},

		{"expired", w.token(set{"iat": now - 100, "exp": now - 1}), "token_expired"},
		{"expires now", w.token(set{"iat": now - 100, "exp": now}), "token_expired"},
		{"expires soon", w.token(set{"iat": now - 100, "exp": now + 60}), ""},
		{"no exp", w.token(set{"exp": nil}), "token_times"},
		{"exp null", raw(w.header(nil), strings.Replace(claims, `"exp":`, `"exp":null,"x":`, 1)), "token_times"},
		{"exp 0", w.token(set{"exp": 0}), "token_times"},
		{"exp is text", w.token(set{"exp": "9999999999"}), "token_malformed"},
		{"exp is a fraction", raw(w.header(nil), strings.Replace(claims, `"exp":`, `"exp":1.5,"x":`, 1)), "token_malformed"},
		{"exp is huge", raw(w.header(nil), strings.Replace(claims, `"exp":`, `"exp":1e999,"x":`, 1)), "token_malformed"},
		{"exp overflows", w.token(set{"exp": int64(1<<63 - 1)}), "token_times"},
		{"no iat", w.token(set{"iat": nil}), "token_times"},
		{"iat long ago, so lives too long", w.token(set{"iat": 1}), "token_life"},
		{"lives 24 h", w.token(set{"exp": now + 24*3600, "iat": now}), ""},
		{"lives longer", w.token(set{"exp": now + 24*3600 + 1, "iat": now}), "token_life"},
		{"lives not at all", w.token(set{"iat": now + 10, "exp": now + 10}), "token_life"},
		{"exp before iat", w.token(set{"iat": now + 20, "exp": now + 10}), "token_life"},
		{"issued by a clock that is ahead", w.token(set{"iat": now + 20}), ""},
		{"issued in the future", w.token(set{"iat": now + 90}), "token_not_yet_valid"},
		{"not before long ago", w.token(set{"nbf": now - 90}), ""},
		{"not before by a clock that is ahead", w.token(set{"nbf": now + 20}), ""},
		{"not before later", w.token(set{"nbf": now + 90}), "token_not_yet_valid"},
		{"issued in the second of the user", w.token(set{"sub": "young", "iat": made.Unix()}), ""},
		{"issued before the user", w.token(set{"sub": "young", "iat": made.Unix() - 1}), "token_outdated"},

		{"16 KiB", w.token(set{"x": strings.Repeat("a", 11000)}), ""},
		{"more", w.token(set{"x": strings.Repeat("a", 13000)}), "token_too_large"},
		{"a megabyte", strings.Repeat("a", 200<<10), "token_too_large"},
	} {
		a := w.ask(withToken(c.token))
		switch {
		case c.want == "" && a.user == nil:
			t.Errorf("%s: refused with %s, want it admitted", c.name, a.code)
		case c.want != "" && a.user != nil:
			t.Errorf("%s: admitted as %s, want %s", c.name, a.user.Name, c.want)
		case a.code != c.want:
			t.Errorf("%s: got %s, want %s", c.name, a.code, c.want)
		}
		if a.code == "" {
			continue
		}
		r := <-w.refusals
		if r.Method != tenant.MethodToken || r.Code != c.want || r.Address != "192.0.2.1" {
			t.Errorf("%s: got %+v in the list", c.name, r)
		}
		if len(c.token) > 20 && strings.Contains(r.Reason+r.User, c.token[:20]) {
			t.Errorf("%s: the list holds the token", c.name)
		}
	}
}

// A refusal goes to the admins of the tenant that the token names, if it exists.
func TestWhoIsToldOfATokenRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		claims map[string]any
		code   string
		tenant tenant.TenantID
		user   string
	}{
		{map[string]any{"exp": 1}, "token_life", "acme", "alice"},
		{map[string]any{"sub": "a b"}, "token_subject", "acme", ""},
		{map[string]any{"aud": "parley:nobody"}, "tenant_unknown", "", "alice"},
		{map[string]any{"aud": "parley:nobody", "exp": 1}, "token_life", "", "alice"},
		{map[string]any{"aud": "nobody"}, "token_audience", "", ""},
	} {
		r := w.refused(c.code, withToken(w.token(c.claims)))
		if r.Tenant != c.tenant || r.User != c.user {
			t.Errorf("%v: got tenant %q user %q, want %q %q", c.claims, r.Tenant, r.User, c.tenant, c.user)
		}
	}
}

func TestTokenExpiryBoundsTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.now().Unix()
	u := w.admitted("alice", withToken(w.token(map[string]any{"iat": now, "exp": now + 120})))
	if u.Expires != now+120 {
		t.Errorf("got expiry in %d s, want the token's 120 s", u.Expires-now)
	}
	for range 20 {
		u := w.admitted("alice", withToken(w.token(map[string]any{"iat": now, "exp": now + 80000})))
		if left := u.Expires - now; left < 44*60 || left > 60*60 {
			t.Errorf("got expiry in %d s, want 45 to 60 minutes", left)
		}
	}
}

// A key of the wrong length in the database must not panic in ed25519.
func TestTokenKeyOfWrongLength(t *testing.T) {
	t.Parallel()
	p := &tokenProof{signed: "a.b", signature: make([]byte, 64), issued: 1, expires: 2}
	for _, key := range []ed25519.PublicKey{nil, {}, make([]byte, 31), make([]byte, 33)} {
		if _, r := p.verify(&tenant.Identity{TokenKey: key}, time.Unix(1, 0)); r != refuseTokenKey {
			t.Errorf("%d bytes: got %v, want token_key_unknown", len(key), r)
		}
	}
}

func FuzzReadToken(f *testing.F) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	claims := `{"iss":"parley","aud":"parley:acme","sub":"alice","iat":1800000000,"exp":1800003600}`
	for _, s := range []string{
		signToken(key, `{"alg":"EdDSA","kid":"k1","typ":"JWT"}`, claims),
		signToken(key, `{"alg":"EdDSA","kid":"k1"}`, claims) + ";rooms=a,b,alice.bob",
		signToken(key, `{"alg":"none"}`, `{}`),
		signToken(key, `null`, `null`), ";rooms=", ";", "..", "a.b.c;rooms=*",
		signToken(key, `{"alg":"ES256","kid":"abcdefghijkl"}`, `{"aud":"parley:acme","sub":"alice@acme.example","iat":1800000000,"exp":1800003600}`),
		signToken(key, `{"alg":"RS256","kid":"a+/=.:","x5t":"AAAA"}`, `{"iss":"https://id.example.com","aud":["web"],"azp":"web","sub":"auth0|1",`+
			`"email":"a@b.example","email_verified":true,"iat":1800000000,"exp":1800003600,"name":"A"}`),
		signToken(key, `{"alg":"ES256","kid":"k","jku":"https://evil.example"}`, `{"iss":"https://id.example.com","aud":"web","jti":"a\u0000b"}`),
	} {
		f.Add(s)
	}
	strangerKey := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	stranger := strangerKey.Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, field string) {
		token, rooms, wrongRooms := splitToken(tenant.Secret(field))
		if len(rooms) > tenant.MaxListedRooms || wrongRooms != nil && rooms != nil {
			t.Fatalf("got %d rooms, %v", len(rooms), wrongRooms)
		}
		for _, r := range rooms {
			if again, err := tenant.ParseRoomID("room", string(r)); err != nil || again != r {
				t.Fatalf("%q is taken for a room", r)
			}
		}
		o, r := readToken(token)
		for _, id := range []string{string(o.claim.Tenant), string(o.claim.User)} {
			if id != "" && !tenant.ValidID(id) {
				t.Fatalf("%q is taken for an id", id)
			}
		}
		if r == nil {
			p := o.proof.(*tokenProof)
			life := time.Duration(p.expires-p.issued) * time.Second
			named := o.claim.Tenant != "" && (o.claim.User != "") != (o.claim.External != "") || o.claim.IDToken.Issuer != "" && o.claim.Tenant == ""
			if !named || o.claim.TokenID == "" || life < tenant.MinTokenLife || life > tenant.MaxTokenLife {
				t.Fatalf("%q is accepted: %+v", token.Reveal(), o.claim)
			}
			if !printable(o.opened.Token, maxJTI) || !validKid(o.claim.TokenID) || len(p.signature) > maxSignature {
				t.Fatalf("%q is accepted: %+v", token.Reveal(), o)
			}
			if _, r := p.verify(&tenant.Identity{TokenKey: stranger}, time.Unix(p.issued, 0)); r == nil {
				t.Fatalf("%q verifies under a stranger's key", token.Reveal())
			}
			for _, key := range []pair{{"EdDSA", strangerKey}, ecPair, rsaPair} {
				if (verifier{key.alg, key.priv.Public()}).verify(p.signed, p.signature) {
					t.Fatalf("%q verifies under a stranger's %s key", token.Reveal(), key.alg)
				}
			}
		}
	})
}

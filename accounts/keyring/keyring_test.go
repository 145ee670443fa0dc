package keyring

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"pgregory.net/rapid"

	"parley/tenant"
)

func testRing(t testing.TB) *Keyring {
	t.Helper()
	k, err := Open(Config{File: filepath.Join(t.TempDir(), "master.key")})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestKeysOpenAndSign(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	for name, id := range map[string]tenant.SealedKey{"operator": must(k.NewOperator()), "account": must(k.NewAccount())} {
		for _, key := range []tenant.SealedKey{id, must(k.NewKey(id.Account, Signing))} {
			pair, err := k.Signer(key)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			sig := must(pair.Sign([]byte("text")))
			if err := must(nkeys.FromPublicKey(key.KeyID)).Verify([]byte("text"), sig); err != nil {
				t.Errorf("%s: a signature of %s does not verify: %v", name, key.Purpose, err)
			}
			if err := pair.Verify([]byte("other"), sig); err == nil {
				t.Errorf("%s: a signature verifies another text", name)
			}
			if nkeys.Prefix(key.KeyID) != nkeys.Prefix(id.KeyID) {
				t.Errorf("%s: got key %s, want one of the prefix of %s", name, key.KeyID, id.KeyID)
			}
		}
	}
}

func TestSignerSignsClaims(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	operator, account := must(k.NewOperator()), must(k.NewAccount())
	text, err := jwt.NewAccountClaims(account.KeyID).Encode(must(k.Signer(operator)))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := jwt.DecodeAccountClaims(text)
	if err != nil || claims.Issuer != operator.KeyID {
		t.Errorf("got issuer %q, %v; want %s", claims.Issuer, err, operator.KeyID)
	}
}

func TestPairsHideTheirSeeds(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	account := must(k.NewAccount())
	signing := must(k.NewKey(account.Account, Signing))
	pairs := []nkeys.KeyPair{
		must(k.Signer(account)), must(k.Signer(signing)),
		must(k.XKey(must(k.NewKey(account.Account, XKey)))), must(k.DeriveUser(signing, "callout")),
	}
	for i, pair := range pairs {
		if b, err := pair.Seed(); err == nil || b != nil {
			t.Errorf("pair %d gave out its seed", i)
		}
		if b, err := pair.PrivateKey(); err == nil || b != nil {
			t.Errorf("pair %d gave out its private key", i)
		}
		pair.Wipe()
	}
	if _, err := pairs[0].Sign(nil); err != nil {
		t.Errorf("wiping spoiled the cached key: %v", err)
	}
}

// TestXKeyUnderstandsNkeys: the servers use nkeys' own, with which ours must agree both ways.
func TestXKeyUnderstandsNkeys(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	key := must(k.NewKey(must(k.NewAccount()).Account, XKey))
	ours := must(k.XKey(key))
	for range mostPeers + 2 { // past the cache's bound
		server := must(nkeys.CreateCurveKeys())
		peer := must(server.PublicKey())
		for range 2 { // without and with the cached key
			got, err := ours.Open(must(server.Seal([]byte("request"), key.KeyID)), peer)
			if err != nil || string(got) != "request" {
				t.Fatalf("opened %q, %v; want the text", got, err)
			}
			got, err = server.Open(must(ours.Seal([]byte("answer"), peer)), key.KeyID)
			if err != nil || string(got) != "answer" {
				t.Fatalf("the server opened %q, %v; want the text", got, err)
			}
		}
		sealed := must(server.Seal([]byte("request"), key.KeyID))
		other := must(must(nkeys.CreateCurveKeys()).PublicKey())
		sealed[len(sealed)-1] ^= 1
		for name, refused := range map[string]error{
			"tampered":   second(ours.Open(sealed, peer)),
			"wrong peer": second(ours.Open(must(server.Seal([]byte("x"), key.KeyID)), other)),
			"no peer":    second(ours.Open(sealed, "XABC")),
			"short":      second(ours.Open(sealed[:sealHead], peer)),
			"to nobody":  second(ours.Seal([]byte("x"), "")),
		} {
			if refused == nil {
				t.Fatalf("%s: got no error", name)
			}
		}
	}
}

func second(_ []byte, err error) error { return err }

func TestPurposesDoNotMix(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	account := must(k.NewAccount())
	token, signing := must(k.NewKey(account.Account, Token)), must(k.NewKey(account.Account, Signing))
	if _, err := k.Signer(token); err == nil {
		t.Error("a token key was given as a signer of claims")
	}
	if _, err := k.XKey(signing); err == nil {
		t.Error("a signing key was given as an xkey")
	}
	if _, err := k.DeriveUser(account, "x"); err == nil {
		t.Error("an identity was derived from")
	}
	if _, err := k.Token(signing, "acme", "alice", time.Now(), time.Now()); err == nil {
		t.Error("a signing key signed a token")
	}
	if _, err := k.NewKey(account.Account, Identity); err == nil {
		t.Error("NewKey made an identity of another account")
	}
	if _, err := k.NewKey("acme", Signing); err == nil {
		t.Error("a signing key was made for what is no account")
	}
	if _, err := k.NewKey(account.Account, "other"); err == nil {
		t.Error("a key was made for an unknown purpose")
	}
}

func TestDerivedUsersAreStable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	k := must(Open(Config{File: path}))
	signing := must(k.NewKey(must(k.NewAccount()).Account, Signing))
	again := must(Open(Config{File: path, Sealed: true}))
	a := must(must(k.DeriveUser(signing, "callout")).PublicKey())
	b := must(must(again.DeriveUser(signing, "callout")).PublicKey())
	c := must(must(k.DeriveUser(signing, "sentinel")).PublicKey())
	if a != b || a == c || !nkeys.IsValidPublicUserKey(a) {
		t.Errorf("got %s, %s and %s for another label; want the same user, and another", a, b, c)
	}
}

func TestTokenIsRFC7519(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	key := must(k.NewKey(must(k.NewAccount()).Account, Token))
	issued := time.Unix(1_800_000_000, 999)
	text := must(k.Token(key, "acme", "alice", issued, issued.Add(time.Hour))).Reveal()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts, want 3", len(parts))
	}
	public := must(base64.RawURLEncoding.DecodeString(key.KeyID))
	sig := must(base64.RawURLEncoding.DecodeString(parts[2]))
	if !ed25519.Verify(public, []byte(parts[0]+"."+parts[1]), sig) {
		t.Error("the signature does not verify under the key that kid names")
	}
	var head, body map[string]any
	for i, v := range []*map[string]any{&head, &body} {
		if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[i])), v); err != nil {
			t.Fatal(err)
		}
	}
	if head["alg"] != "EdDSA" || head["kid"] != key.KeyID {
		t.Errorf("got header %v, want EdDSA and the key's id", head)
	}
	want := map[string]any{"iss": "parley", "aud": "parley:acme", "sub": "alice", "iat": 1_800_000_000.0, "exp": 1_800_003_600.0}
	for name, v := range want {
		if body[name] != v {
			t.Errorf("got %s %v, want %v", name, body[name], v)
		}
	}
	other := must(k.Token(key, "acme", "alice", issued, issued.Add(time.Hour))).Reveal()
	if other == text {
		t.Error("two tokens have the same jti")
	}
}

func TestWrongMasterKeyIsRefused(t *testing.T) {
	t.Parallel()
	a, b := testRing(t), testRing(t)
	key := must(a.NewAccount())
	if _, err := b.Signer(key); !errors.Is(err, ErrSealed) {
		t.Errorf("got %v under another master key, want ErrSealed", err)
	}
	if _, err := a.Signer(key); err != nil {
		t.Errorf("got %v under its own, want none", err)
	}
}

// Each field of the row is bound to the sealed bytes, also once the key is cached.
func TestSwappedRowsAreRefused(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	a, b := must(k.NewAccount()), must(k.NewAccount())
	key, other := must(k.NewKey(a.Account, Signing)), must(k.NewKey(a.Account, Signing))
	must(k.Signer(key))
	swaps := map[string]func(*tenant.SealedKey){
		"account":       func(s *tenant.SealedKey) { s.Account = b.Account },
		"key id":        func(s *tenant.SealedKey) { s.KeyID = other.KeyID },
		"purpose":       func(s *tenant.SealedKey) { s.Purpose = Identity },
		"version":       func(s *tenant.SealedKey) { s.Version = 2 },
		"sealed":        func(s *tenant.SealedKey) { s.Sealed = other.Sealed },
		"nothing left":  func(s *tenant.SealedKey) { s.Sealed = nil },
		"nonce only":    func(s *tenant.SealedKey) { s.Sealed = s.Sealed[:24] },
		"one byte less": func(s *tenant.SealedKey) { s.Sealed = s.Sealed[:len(s.Sealed)-1] },
	}
	for name, swap := range swaps {
		changed := key
		swap(&changed)
		if _, err := k.Signer(changed); err == nil {
			t.Errorf("%s swapped: got a signer, want a refusal", name)
		}
	}
	if _, err := k.Signer(key); err != nil {
		t.Errorf("the row as it was: %v", err)
	}
}

func TestTamperedBytesAreRefused(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	key := must(k.NewKey(must(k.NewAccount()).Account, Signing))
	rapid.Check(t, func(rt *rapid.T) {
		changed := key
		changed.Sealed = bytes.Clone(key.Sealed)
		at := rapid.IntRange(0, len(key.Sealed)-1).Draw(rt, "at")
		changed.Sealed[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "xor"))
		if _, err := k.Signer(changed); !errors.Is(err, ErrSealed) {
			rt.Fatalf("got %v with byte %d changed, want ErrSealed", err, at)
		}
	})
}

func TestAADIsInjective(t *testing.T) {
	t.Parallel()
	field := rapid.StringMatching(`[A-Z\x00]{0,3}`)
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(n string) tenant.SealedKey {
			return tenant.SealedKey{Account: field.Draw(rt, n+"a"), KeyID: field.Draw(rt, n+"k"), Purpose: field.Draw(rt, n+"p"), Version: rapid.IntRange(1, 2).Draw(rt, n+"v")}
		}
		x, y := draw("x"), draw("y")
		same := x.Account == y.Account && x.KeyID == y.KeyID && x.Purpose == y.Purpose && x.Version == y.Version
		if bytes.Equal(aad(x), aad(y)) != same {
			rt.Fatalf("the additional data of %v and %v: want equal only if the rows are", x, y)
		}
	})
}

func FuzzUnseal(f *testing.F) {
	k := testRing(f)
	key := must(k.NewKey(must(k.NewAccount()).Account, Token))
	f.Add(key.Account, key.KeyID, key.Purpose, key.Sealed, key.Version)
	f.Add("", "", "", []byte(nil), 0)
	f.Fuzz(func(t *testing.T, account, id, purpose string, sealed []byte, version int) {
		got := tenant.SealedKey{Account: account, KeyID: id, Purpose: purpose, Sealed: sealed, Version: version}
		_, err := k.unseal(got)
		same := account == key.Account && id == key.KeyID && purpose == key.Purpose && bytes.Equal(sealed, key.Sealed) && version == key.Version
		if (err == nil) != same {
			t.Errorf("got %v, want an error unless nothing was changed", err)
		}
	})
}

func TestManyOpenAtOnce(t *testing.T) {
	t.Parallel()
	k := testRing(t)
	key := must(k.NewAccount())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := k.Signer(key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(k.open) != 1 {
		t.Errorf("got %d cached keys, want 1", len(k.open))
	}
}

func TestMasterKeyFile(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	tests := []struct {
		name    string
		content string // "": no file
		mode    os.FileMode
		config  Config
		want    string // "": opens
	}{
		{name: "made at the first start"},
		{name: "read", content: good + "\n", mode: 0o600},
		{name: "read only", content: good, mode: 0o400},
		{name: "missing though keys are sealed", config: Config{Sealed: true}, want: "put the file back"},
		{name: "readable by the group", content: good, mode: 0o640, want: "chmod 600"},
		{name: "writable by all", content: good, mode: 0o602, want: "chmod 600"},
		{name: "not base64", content: "???", mode: 0o600, want: "malformed"},
		{name: "too short", content: good[:20], mode: 0o600, want: "malformed"},
		{name: "two keys", content: good + "\n" + good, mode: 0o600, want: "malformed"},
		{name: "empty", content: "\n", mode: 0o600, want: "malformed"},
		{name: "environment wins", content: "???", mode: 0o644, config: Config{Key: tenant.Secret(good)}},
		{name: "environment malformed", config: Config{Key: "secret-but-wrong"}, want: EnvMasterKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.config.File = filepath.Join(t.TempDir(), "sub", "master.key")
			if tt.content != "" {
				if err := errors.Join(os.Mkdir(filepath.Dir(tt.config.File), 0o700),
					os.WriteFile(tt.config.File, []byte(tt.content), tt.mode), os.Chmod(tt.config.File, tt.mode)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(tt.config)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error with %q", err, tt.want)
			case err != nil && (strings.Contains(err.Error(), good) || strings.Contains(err.Error(), "secret-but")):
				t.Errorf("the error shows the key: %v", err)
			}
			if tt.want != "" && tt.content == "" {
				if _, err := os.Stat(tt.config.File); err == nil {
					t.Error("a refused start made a master key")
				}
			}
		})
	}
}

func TestMasterKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	rings := make([]*Keyring, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() { rings[i] = must(Open(Config{File: path})) })
	}
	wg.Wait()
	key := must(rings[0].NewAccount())
	for _, k := range rings[1:] {
		if _, err := k.Signer(key); err != nil {
			t.Errorf("two starters made two master keys: %v", err)
		}
	}
	info := must(os.Stat(path))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, want 0600", info.Mode().Perm())
	}
	if left := must(os.ReadDir(filepath.Dir(path))); len(left) != 1 {
		t.Errorf("got %d files, want the key alone", len(left))
	}
}

package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"parley/tenant"
)

type tokenHeader struct {
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	Typ string `json:"typ"`
}

type tokenClaims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	ID       string `json:"jti"`
}

// Token signs a JSON Web Token (RFC 7519, EdDSA of RFC 8037) for a user of a tenant,
// with whole seconds as its times. Its kid is the id of the key.
func (k *Keyring) Token(key tenant.SealedKey, t tenant.TenantID, u tenant.UserID, issued, expires time.Time) (tenant.Secret, error) {
	if key.Purpose != Token {
		return "", fmt.Errorf("keyring: a %s key signs no tokens", key.Purpose)
	}
	pair, err := k.pair(key)
	if err != nil {
		return "", err
	}
	head, err := part(tokenHeader{Alg: "EdDSA", Kid: key.KeyID, Typ: "JWT"})
	if err != nil {
		return "", err
	}
	body, err := part(tokenClaims{
		Issuer: tenant.TokenIssuer, Audience: tenant.TokenAudience(t), Subject: string(u),
		IssuedAt: issued.Unix(), Expires: expires.Unix(), ID: rand.Text(),
	})
	if err != nil {
		return "", err
	}
	text := head + "." + body
	sig, err := pair.Sign([]byte(text))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return tenant.Secret(text + "." + base64.RawURLEncoding.EncodeToString(sig)), nil
}

func part(v any) (string, error) {
	text, err := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text), err
}

package authcallout

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/tenant"
)

// maxRequest bounds a request in bytes: CONNECT is at most 32 KiB (max_control_line), six times
// that in JSON where every byte is escaped, a third more in base64, and certificates beside it.
const maxRequest = 320 << 10

const (
	xkeyHeader      = "Nats-Server-Xkey"
	requestAudience = "nats-authorization-request"
	requestType     = "authorization_request"
	claimsVersion   = 2
	claimsAlgorithm = "ed25519-nkey"
	// maxSkew is how far the clocks of a server and ours may be apart.
	maxSkew = 30 * time.Second
	// maxRequestLife bounds in seconds what a server may give a request; it gives it the auth timeout.
	maxRequestLife = 60
)

// Why a message is dropped unanswered: it can't be a server's request, or nobody waits for it.
const (
	dropReply      = "reply"      // nowhere to answer
	dropSize       = "size"       // empty or more than maxRequest
	dropEncryption = "encryption" // not for our xkey
	dropDecode     = "decode"
	dropSignature  = "signature"
	dropServer     = "server"   // the signer is no server, or not the one that it says
	dropAudience   = "audience" // for somebody else
	dropUser       = "user"     // no user key to answer for
	dropAge        = "age"
	dropOverload   = "overload" // the queue was full
	dropStale      = "stale"    // it waited so long that the client is gone
	dropPanic      = "panic"    // ours, while decoding
)

// request is what we use of a server's question. The field names are those of
// jwt.AuthorizationRequestClaims, whose own decoder reads the JSON twice and takes doubled keys.
type request struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	NATS     struct {
		Type     string     `json:"type"`
		Version  int        `json:"version"`
		UserNKey string     `json:"user_nkey"`
		Server   serverID   `json:"server_id"`
		Client   clientInfo `json:"client_info"`
		Connect  connect    `json:"connect_opts"`
		TLS      clientTLS  `json:"client_tls"`
	} `json:"nats"`
}

// clientTLS holds the certificates that the client presented, in PEM and leaf first: those that
// the server verified with their CA, or else just as they came.
type clientTLS struct {
	Verified [][]string `json:"verified_chains"`
	Certs    []string   `json:"certs"`
}

func (t *clientTLS) chain() []string {
	if len(t.Verified) > 0 {
		return t.Verified[0]
	}
	return t.Certs
}

type serverID struct {
	ID   string `json:"id"`
	XKey string `json:"xkey"`
}

type clientInfo struct {
	Host  string   `json:"host"`
	ID    uint64   `json:"id"`
	Tags  []string `json:"tags"`
	Kind  string   `json:"kind"`
	Type  string   `json:"type"`
	Nonce string   `json:"nonce"` // only where the client sent a signature
}

// connect is what the client sent, except that a client without a NATS user JWT has the
// server's default sentinel in JWT.
type connect struct {
	JWT       tenant.Secret `json:"jwt"`
	NKey      string        `json:"nkey"`
	Signature string        `json:"sig"` // of the nonce
	Token     tenant.Secret `json:"auth_token"`
	User      string        `json:"user"`
	Password  tenant.Secret `json:"pass"`
}

// decode opens a message and makes sure that a server sent it, for us, now. The server's key
// is not known beforehand: only servers and the callout itself can publish in AUTH, and a
// forged question could only move us to send an answer to a user key that the asker made.
func (c *Callout) decode(m *nats.Msg) (r *request, drop string) {
	defer func() {
		if v := recover(); v != nil {
			c.logPanic(v)
			r, drop = nil, dropPanic
		}
	}()
	if m.Reply == "" {
		return nil, dropReply
	}
	if len(m.Data) == 0 || len(m.Data) > maxRequest {
		return nil, dropSize
	}
	// An answer that anybody in AUTH can read would be worth stealing, and so would the
	// question, which holds the token: what is not encrypted is none of a server of ours.
	sender := m.Header.Get(xkeyHeader)
	plain, err := c.conf.XKey.Open(m.Data, sender)
	if err != nil {
		return nil, dropEncryption
	}
	r, why := parseRequest(plain)
	if why != "" {
		return nil, why
	}
	return r, r.check(c.conf.AuthAccount, sender, c.conf.Now())
}

// parseRequest decodes a NATS JWT of version 2 and verifies it under the key that it names.
func parseRequest(text []byte) (*request, string) {
	head, rest, ok := strings.Cut(string(text), ".")
	body, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		return nil, dropDecode
	}
	var h struct {
		Type      string `json:"typ"`
		Algorithm string `json:"alg"`
	}
	r := new(request)
	if !decodePart(head, &h) || h.Algorithm != claimsAlgorithm || !decodePart(body, r) {
		return nil, dropDecode
	}
	key, err := nkeys.Decode(nkeys.PrefixByteServer, []byte(r.Issuer))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, dropServer
	}
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !ed25519.Verify(key, text[:len(head)+1+len(body)], sig) {
		return nil, dropSignature
	}
	return r, ""
}

// decodePart decodes base64url and then strict JSON: doubled keys and bad UTF-8 are faults.
func decodePart(s string, v any) bool {
	text, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && json.Unmarshal(text, v) == nil
}

// check looks for what makes the request somebody else's, or a replay.
func (r *request) check(account, sender string, now time.Time) (drop string) {
	age := now.Sub(time.Unix(r.IssuedAt, 0))
	switch {
	case r.NATS.Type != requestType || r.NATS.Version != claimsVersion:
		return dropDecode
	case r.NATS.Server.ID != r.Issuer || r.NATS.Server.XKey != sender:
		return dropServer
	case r.Audience != requestAudience || r.Subject != account:
		return dropAudience
	case !nkeys.IsValidPublicUserKey(r.NATS.UserNKey):
		return dropUser
	case !goodTime(&r.IssuedAt) || !goodTime(&r.Expires):
		return dropAge
	}
	life := time.Duration(min(r.Expires-r.IssuedAt, maxRequestLife)) * time.Second
	if life < 0 || age < -maxSkew || age > life+maxSkew {
		return dropAge
	}
	return ""
}

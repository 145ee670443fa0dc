package accounts

import (
	"fmt"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"parley/tenant/subject"
)

// A Role is one of the platform's own connections, with the least rights it can do with.
type Role string

// The roles and the accounts they connect to.
const (
	RoleControl Role = "control" // SYS: pushes, kicks, connection events
	RoleCallout Role = "callout" // AUTH: answers who may connect
	RoleChat    Role = "chat"    // PARLEY: the streams, the chat API, events and notices
	RoleNotices Role = "notices" // PARLEY: control's notices to users
)

// The servers' subjects for the system account.
const (
	claimsUpdate  = "$SYS.REQ.CLAIMS.UPDATE"
	claimsDelete  = "$SYS.REQ.CLAIMS.DELETE"
	claimsList    = "$SYS.REQ.CLAIMS.LIST"
	claimsLookup  = "$SYS.REQ.ACCOUNT.%s.CLAIMS.LOOKUP"
	serverPing    = "$SYS.REQ.SERVER.PING"
	pingConnz     = "$SYS.REQ.SERVER.PING.CONNZ"
	serverConnz   = "$SYS.REQ.SERVER.%s.CONNZ"
	serverKick    = "$SYS.REQ.SERVER.%s.KICK"
	connectEvents = "$SYS.ACCOUNT.*.CONNECT"
	leaveEvents   = "$SYS.ACCOUNT.*.DISCONNECT"
	statsEvents   = "$SYS.SERVER.*.STATSZ"
	downEvents    = "$SYS.SERVER.*.SHUTDOWN"
)

// rightsOf lists what a role may publish and hear beside its inbox.
func rightsOf(r Role) (pub, sub []string) {
	switch r {
	case RoleControl:
		return []string{
				claimsUpdate, claimsDelete, claimsList, fmt.Sprintf(claimsLookup, "*"), serverPing,
				pingConnz, fmt.Sprintf(serverConnz, "*"), fmt.Sprintf(serverKick, "*"),
			},
			[]string{connectEvents, leaveEvents, statsEvents, downEvents}
	case RoleCallout:
		return []string{"$SYS._INBOX.>"}, []string{"$SYS.REQ.USER.AUTH"}
	case RoleChat:
		return []string{"$JS.API.>", "$JS.ACK.>", "$JS.FC.>", subject.ServiceExport, subject.LiveExport, subject.SharedExport, subject.AllPresence, "_R_.>"},
			[]string{subject.PlatformAPI, subject.LiveExport, subject.SharedExport, subject.AllPresence, "$JS.EVENT.ADVISORY.>"}
	case RoleNotices:
		return []string{subject.PlatformNotices, subject.AllPresence}, nil
	}
	return nil, nil
}

// Login returns what nats.go needs to connect in a role: a user of its own, whose key lives
// as long as the process (the callout's is named in its account, and so always the same).
func (s *System) Login(r Role) ([]nats.Option, error) {
	acc, signer, user := s.facts.parley, s.parleySigner, s.callout
	switch r {
	case RoleControl:
		acc, signer = s.facts.sys, s.sysSigner
	case RoleCallout:
		acc, signer = s.facts.auth, s.authSigner
	}
	if r != RoleCallout {
		var err error
		if user, err = nkeys.CreateUser(); err != nil {
			return nil, fmt.Errorf("make user %s: %w", r, err)
		}
	}
	text, err := internalUser(r, acc.id, user, signer)
	if err != nil {
		return nil, fmt.Errorf("sign user %s: %w", r, err)
	}
	return []nats.Option{
		nats.Name("parley " + string(r)),
		nats.CustomInboxPrefix(inboxOf(r)),
		nats.UserJWT(func() (string, error) { return text, nil }, user.Sign),
	}, nil
}

func inboxOf(r Role) string { return "_INBOX." + string(r) }

func internalUser(r Role, account string, user, signer nkeys.KeyPair) (string, error) {
	public, err := user.PublicKey()
	if err != nil {
		return "", err
	}
	c := jwt.NewUserClaims(public)
	c.Name, c.IssuerAccount = string(r), account
	pub, sub := rightsOf(r)
	c.Pub.Allow.Add(pub...)
	c.Sub.Allow.Add(append(sub, inboxOf(r)+".>")...)
	return c.Encode(signer)
}

// Sentinel is the user JWT of connections that bring none: it may do nothing, and leads to the callout.
func (s *System) Sentinel() (string, error) {
	public, err := s.sentinel.PublicKey()
	if err != nil {
		return "", fmt.Errorf("sign sentinel: %w", err)
	}
	c := deniedUser(public, s.facts.auth.id)
	c.Name, c.BearerToken = "sentinel", true
	return c.Encode(s.authSigner)
}

// deniedUser may connect as clients do and otherwise nothing: the callout decides what he may.
func deniedUser(public, account string) *jwt.UserClaims {
	c := jwt.NewUserClaims(public)
	c.IssuerAccount = account
	c.Permissions = denyAll()
	c.AllowedConnectionTypes.Add(jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket)
	return c
}

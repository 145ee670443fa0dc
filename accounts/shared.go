package accounts

import (
	"fmt"
	"sort"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/tenant"
	"parley/tenant/subject"
)

// A sharedRoom is one that an account hears, as host or guest.
type sharedRoom struct {
	Address tenant.RoomID `json:"address"`
	Since   int64         `json:"since"` // seconds: when the room was made, or its share accepted
}

// importShared adds an import for each shared room, with the activation that the private export
// asks for. The same rooms give the same text: the signatures are ed25519's, their times are the rows'.
func importShared(c *jwt.AccountClaims, platform string, signer nkeys.KeyPair, rooms []sharedRoom) error {
	for _, r := range rooms {
		from := subject.SharedRoom(r.Address)
		token, err := activation(c.Subject, platform, signer, from, r.Since)
		if err != nil {
			return fmt.Errorf("activate shared room %s: %w", r.Address, err)
		}
		c.Imports.Add(&jwt.Import{
			Name: string(r.Address), Account: platform, Type: jwt.Stream,
			Subject: jwt.Subject(from), LocalSubject: jwt.RenamingSubject(subject.LiveSharedRoom(r.Address)), Token: token,
		})
	}
	sort.Sort(c.Imports)
	return nil
}

// activation lets an account import a stream subject of the platform's.
func activation(account, platform string, signer nkeys.KeyPair, from string, since int64) (string, error) {
	a := jwt.NewActivationClaims(account)
	a.Name, a.Type, a.Version = "shared", jwt.ActivationClaim, claimsVersion
	a.ImportSubject, a.ImportType, a.IssuerAccount = jwt.Subject(from), jwt.Stream, platform
	return encode(a, signer, since)
}

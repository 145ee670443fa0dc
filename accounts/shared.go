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
		token, err := activation(c.Subject, platform, signer, jwt.Stream, from, r.Since)
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

// A sharedService is a service of another tenant's that an account's users may ask.
type sharedService struct {
	Share   string           `json:"share"`
	Service string           `json:"service"`
	Host    tenant.TenantID  `json:"host"`
	Since   int64            `json:"since"` // seconds: when the share was accepted
	Key     tenant.SealedKey `json:"key"`   // signs for the host
}

// importServices adds an import for each service of another tenant, with the activation that its
// host's export asks for. open opens the keys of hosts.
func importServices(c *jwt.AccountClaims, guest tenant.TenantID, open func(tenant.SealedKey) (nkeys.KeyPair, error), services []sharedService) error {
	for _, s := range services {
		signer, err := open(s.Key)
		if err != nil {
			return fmt.Errorf("activate share %s: %w", s.Share, err)
		}
		from := subject.SharedService(s.Service, s.Share)
		token, err := activation(c.Subject, s.Key.Account, signer, jwt.Service, from, s.Since)
		if err != nil {
			return fmt.Errorf("activate share %s: %w", s.Share, err)
		}
		c.Imports.Add(&jwt.Import{
			Name: s.Share, Account: s.Key.Account, Type: jwt.Service,
			Subject: jwt.Subject(from), LocalSubject: jwt.RenamingSubject(subject.GuestService(s.Service, s.Host, guest)), Token: token,
		})
	}
	sort.Sort(c.Imports)
	return nil
}

// activation lets an account import a subject of an exporter's.
func activation(account, exporter string, signer nkeys.KeyPair, kind jwt.ExportType, from string, since int64) (string, error) {
	a := jwt.NewActivationClaims(account)
	a.Name, a.Type, a.Version = "shared", jwt.ActivationClaim, claimsVersion
	a.ImportSubject, a.ImportType, a.IssuerAccount = jwt.Subject(from), kind, exporter
	return encode(a, signer, since)
}

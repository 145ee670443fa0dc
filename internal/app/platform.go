package app

import (
	"crypto/tls"
	"fmt"
	"math"
	"syscall"
	"time"

	"parley/accounts"
	"parley/chat"
	"parley/tenant"
)

// platform is what the console shows operators of the machinery.
type platform struct {
	*accounts.Accounts
	*chat.Chat
	*trail
	data string
	tls  *tls.Config // nil: plain
}

// Disk tells how full the disk of the data folder is, for whoever has not the rights of root.
func (p platform) Disk() (tenant.Use, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(p.data, &s); err != nil {
		return tenant.Use{}, fmt.Errorf("look at the disk of %s: %w", p.data, err)
	}
	size := func(blocks uint64) int64 { return int64(min(blocks*uint64(s.Bsize), math.MaxInt64)) } //nolint:gosec // G115: bounded
	free := size(s.Bavail)
	used := size(s.Blocks) - size(s.Bfree)
	return tenant.Use{Used: used, Limit: used + free}, nil
}

// CertificateExpires is the end of the certificate that the ports present; zero: there is none.
func (p platform) CertificateExpires() time.Time {
	if p.tls == nil {
		return time.Time{}
	}
	pair, err := p.tls.GetCertificate(nil)
	if err != nil || pair.Leaf == nil {
		return time.Time{}
	}
	return pair.Leaf.NotAfter
}

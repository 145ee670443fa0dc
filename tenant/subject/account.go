package subject

import (
	"strings"

	"parley/tenant"
)

// The platform's exports. The second token of each is the account that imports it, which
// the server checks (account_token_position), but for shared rooms, which are private.
const (
	ServiceExport = "t.*.>"
	LiveExport    = "live.*.>"
	SharedExport  = "shared.*.>"
	// AccountToken is where the account stands in ServiceExport and LiveExport, counted from 1.
	AccountToken = 2
)

// What a tenant's account imports appears there under these.
const (
	ChatAll = "chat.>"
	LiveAll = "live.>"
)

// AccountService is what an account imports of ServiceExport.
func AccountService(account string) string { return "t." + account + ".>" }

// AccountLive is what an account imports of LiveExport.
func AccountLive(account string) string { return "live." + account + ".>" }

// VoidAll is LiveAll with void in front: nobody may publish or hear anything there.
const VoidAll = "void.>"

// Void is where an account maps a subject that is closed. The poster sees the name in the
// server's permissions violation.
func Void(why string) string { return "void." + why }

// SystemPosts are the subjects on which the platform would speak: three forms, as rooms,
// direct rooms and shared rooms have different lengths.
var SystemPosts = [...]string{"chat.*.*.*._", "chat.*.*.*.*._", "chat.shared.*._"}

// PostsOf are the subjects of all posts of one user, in the forms of SystemPosts.
func PostsOf(u tenant.UserID) []string {
	all := make([]string, len(SystemPosts))
	for i, s := range SystemPosts {
		all[i] = strings.TrimSuffix(s, tenant.System) + string(u)
	}
	return all
}

// PlatformNotices is the pattern of PlatformNotice for all accounts and users.
const PlatformNotices = "live.*.user.*.*"

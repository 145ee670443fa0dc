package subject

import (
	"strconv"
	"strings"

	"parley/tenant"
)

// A shared room's messages stand under the account of whoever posted them, and go to every
// participant with that account in the subject, so that nobody can speak as another tenant's user.
const (
	// SharedPosts matches all of them as they are stored, in every stream of shared rooms.
	SharedPosts = "t.*.shared.*.*"
	// SharedRepublished is where a stream republishes what SharedPosts matches.
	SharedRepublished = "shared.{{wildcard(2)}}.{{wildcard(1)}}.{{wildcard(3)}}"
	// SharedLive matches all that is republished, which the projector follows.
	SharedLive = "shared.*.*.*"
)

// SharedClass is the class of a host's nth stream of shared rooms.
func SharedClass(n int) tenant.Class { return tenant.Class("shared" + strconv.Itoa(n)) }

// IsSharedClass reports whether a class is one of SharedClass.
func IsSharedClass(c tenant.Class) bool {
	n, ok := strings.CutPrefix(string(c), "shared")
	i, err := strconv.Atoi(n)
	return ok && err == nil && i > 0 && c == SharedClass(i)
}

// IsSharedStream reports whether a stream's name is that of a host's stream of shared rooms.
func IsSharedStream(stream string) bool {
	class, account, _ := strings.Cut(stream, "-")
	return IsSharedClass(tenant.Class(class)) && ValidAccount(account)
}

// SharedPost is where one participant's users post in a shared room: one subject of its stream.
func SharedPost(participant string, address tenant.RoomID) string {
	return Post{Kind: tenant.Shared, Room: address, Sender: Any}.Stored(participant)
}

// Nowhere is a subject of a host's stream on which nobody posts or listens.
func Nowhere(account string, c tenant.Class) string {
	return "t." + account + "." + string(c) + ".void"
}

// SharedEvents is where the platform speaks in a shared room, also while it is closed.
func SharedEvents(host string, address tenant.RoomID) string {
	return Post{Kind: tenant.Shared, Room: address, Sender: tenant.System}.Stored(host)
}

// SharedRoom is what a participant's account imports of SharedExport.
func SharedRoom(address tenant.RoomID) string { return "shared." + string(address) + ".>" }

// LiveSharedRoom is what it appears as there.
func LiveSharedRoom(address tenant.RoomID) string { return "live.shared." + string(address) + ".>" }

// ParseStoredShared parses t.<ACCOUNT>.shared.<address>.<sender>.
func ParseStoredShared(s string) (account string, p Post, ok bool) {
	t := strings.Split(s, ".")
	if len(t) != 5 || t[0] != "t" || t[2] != "shared" {
		return "", Post{}, false
	}
	return sharedPost(t[1], t[3], t[4])
}

// ParsePlatformShared parses shared.<address>.<ACCOUNT>.<sender>.
func ParsePlatformShared(s string) (account string, p Post, ok bool) {
	t := strings.Split(s, ".")
	if len(t) != 4 || t[0] != "shared" {
		return "", Post{}, false
	}
	return sharedPost(t[2], t[1], t[3])
}

// ParseLiveShared parses live.shared.<address>.<ACCOUNT>.<sender> of a participant's account.
func ParseLiveShared(s string) (account string, p Post, ok bool) {
	rest, ok := strings.CutPrefix(s, "live.")
	if !ok {
		return "", Post{}, false
	}
	return ParsePlatformShared(rest)
}

func sharedPost(account, address, sender string) (string, Post, bool) {
	p := Post{Kind: tenant.Shared, Room: tenant.RoomID(address), Sender: sender}
	if !ValidAccount(account) || !tenant.ValidID(address) || !p.senderFits() {
		return "", Post{}, false
	}
	return account, p, true
}

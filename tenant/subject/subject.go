// Package subject builds and parses every subject, stream name and inbox prefix
// of Parley (DESIGN.md section 3). It has no clock, context or log, and nothing
// else in the module joins tokens with dots.
package subject

import (
	"strings"

	"parley/tenant"
)

// Any is the token that matches every one token. In a Post it makes a pattern of the subject.
const Any = "*"

// A Post is a message's place: the room and who speaks there. Its forms are
// chat (as posted), live (as delivered), sig (signals), and chat and live as they
// stand in the platform's account.
type Post struct {
	Class  tenant.Class // empty in shared rooms
	Kind   tenant.Kind
	Room   tenant.RoomID // <low>.<high> in direct rooms, the address in shared ones
	Sender string        // a user id, or tenant.System
}

// path is the tokens behind the prefix, without the sender.
func (p Post) path() string {
	if p.Kind == tenant.Shared {
		return "shared." + string(p.Room)
	}
	return string(p.Class) + "." + string(p.Kind) + "." + string(p.Room)
}

// Chat is where a user posts in his own account.
func (p Post) Chat() string { return "chat." + p.path() + "." + p.Sender }

// Live is where a stored message is delivered in the tenant's account. Shared rooms have LiveShared.
func (p Post) Live() string { return "live." + p.path() + "." + p.Sender }

// LiveShared is where a shared room's message is delivered in each participant's account.
func (p Post) LiveShared(senderAccount string) string {
	return "live." + p.path() + "." + senderAccount + "." + p.Sender
}

// Sig is where typing and the like go: never stored, never beyond the account.
func (p Post) Sig() string { return "sig." + p.path() + "." + p.Sender }

// Stored is the subject of the message in the platform's stream.
func (p Post) Stored(account string) string { return "t." + account + "." + p.path() + "." + p.Sender }

// ParseStored parses t.<ACCOUNT>.<class>.<kind>.<room>.<sender>.
func ParseStored(s string) (account string, p Post, ok bool) { return parse("t", s) }

// ParsePlatformLive parses live.<ACCOUNT>.<class>.<kind>.<room>.<sender>.
func ParsePlatformLive(s string) (account string, p Post, ok bool) { return parse("live", s) }

// ParseLive parses live.<class>.<kind>.<room>.<sender> of a tenant's account.
func ParseLive(s string) (p Post, ok bool) {
	rest, ok := strings.CutPrefix(s, "live.")
	if !ok {
		return Post{}, false
	}
	return parsePath(rest)
}

// ParseSig parses sig.<class>.<kind>.<room>.<sender>.
func ParseSig(s string) (p Post, ok bool) {
	rest, ok := strings.CutPrefix(s, "sig.")
	if !ok {
		return Post{}, false
	}
	return parsePath(rest)
}

func parse(prefix, s string) (account string, p Post, ok bool) {
	head, rest, ok := strings.Cut(s, ".")
	if !ok || head != prefix {
		return "", Post{}, false
	}
	account, rest, ok = strings.Cut(rest, ".")
	if !ok || !ValidAccount(account) {
		return "", Post{}, false
	}
	p, ok = parsePath(rest)
	return account, p, ok
}

// parsePath is strict: a path that it accepts is one that Post builds.
func parsePath(s string) (Post, bool) {
	t := strings.Split(s, ".")
	if len(t) < 4 {
		return Post{}, false
	}
	class, errClass := tenant.ParseClass(t[0])
	kind, errKind := tenant.ParseKind(t[1])
	if t[0] == "" || errClass != nil || errKind != nil || kind == tenant.Shared {
		return Post{}, false
	}
	want := 4
	if kind == tenant.Direct {
		want = 5
	}
	if len(t) != want {
		return Post{}, false
	}
	room, err := tenant.ParseRoomID("room", strings.Join(t[2:want-1], "."))
	p := Post{Class: class, Kind: kind, Room: room, Sender: t[want-1]}
	if err != nil || !p.senderFits() {
		return Post{}, false
	}
	return p, true
}

// senderFits reports whether the sender can speak in the room: in a direct room only its
// two users, so that a third can't appear there whatever was stored. Users whom their tenant
// signs speak as their nkey, in its own rooms.
func (p Post) senderFits() bool {
	if p.Sender == tenant.System {
		return true
	}
	low, high, direct := p.Room.Pair()
	if direct {
		return p.Sender == string(low) || p.Sender == string(high)
	}
	return tenant.ValidID(p.Sender) || p.Kind != tenant.Shared && tenant.ValidUserNKey(p.Sender)
}

// ValidAccount reports whether s has the form of an account's public nkey.
func ValidAccount(s string) bool { return tenant.ValidAccountNKey(s) }

// API is where a user asks the chat service in his own account.
func API(u tenant.UserID, op string) string { return "chat.api." + string(u) + "." + op }

// PlatformAPI is the one subscription of the chat service.
const PlatformAPI = "t.*.api.*.*"

// ParseAPI parses t.<ACCOUNT>.api.<user>.<op>; the user is an id, or the nkey of one whom his tenant
// signs. The op has the form of one: the service knows which exist.
func ParseAPI(s string) (account string, u tenant.UserID, op string, ok bool) {
	t := strings.Split(s, ".")
	if len(t) != 5 || t[0] != "t" || t[2] != "api" || !ValidAccount(t[1]) || !tenant.ValidID(t[3]) && !tenant.ValidUserNKey(t[3]) || !validOp(t[4]) {
		return "", "", "", false
	}
	return t[1], tenant.UserID(t[3]), t[4], true
}

// maxOp is the length of the longest name of an operation in bytes.
const maxOp = 32

// validOp reports whether s is a word as delete_room: an op stands in metrics and
// logs, where wildcards or text of a client's choice have no business.
func validOp(s string) bool {
	if s == "" || len(s) > maxOp {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}

// Notice is where the platform tells one user something, in his own account.
func Notice(u tenant.UserID, what string) string { return "live.user." + string(u) + "." + what }

// PlatformNotice is Notice in the platform's account.
func PlatformNotice(account string, u tenant.UserID, what string) string {
	return "live." + account + ".user." + string(u) + "." + what
}

// Inbox is the prefix of a user's reply subjects.
func Inbox(u tenant.UserID) string { return "_INBOX." + string(u) }

// AllInboxes matches the reply subjects of all users: where backends answer.
const AllInboxes = "_INBOX.>"

// Inboxes matches all of a user's reply subjects.
func Inboxes(u tenant.UserID) string { return Inbox(u) + ".>" }

// Stream names the stream of an account's retention class.
func Stream(account string, c tenant.Class) string { return string(c) + "-" + account }

// ParseStream parses a name that Stream made.
func ParseStream(s string) (account string, c tenant.Class, ok bool) {
	class, account, ok := strings.Cut(s, "-")
	c, err := tenant.ParseClass(class)
	return account, c, ok && err == nil && class != "" && ValidAccount(account)
}

// StreamSubjects is the one subject of that stream.
func StreamSubjects(account string, c tenant.Class) string {
	return "t." + account + "." + string(c) + ".>"
}

// StreamLive is where the stream republishes what it stored.
func StreamLive(account string, c tenant.Class) string {
	return "live." + account + "." + string(c) + ".>"
}

// LiveOf is StreamLive for all accounts, which the projector follows.
func LiveOf(c tenant.Class) string { return "live.*." + string(c) + ".>" }

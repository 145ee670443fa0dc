package tenant

// Kind of a room: who may be in it.
type Kind string

// The kinds of rooms.
const (
	Open     Kind = "open"     // all users of the tenant
	Announce Kind = "announce" // all read, named users post
	Private  Kind = "private"  // members
	Direct   Kind = "direct"   // two users
	Shared   Kind = "shared"   // members of several tenants
)

// Class is a retention class: how long a room's messages are kept.
type Class string

// The retention classes.
const (
	Std  Class = "std"  // the tenant's default age
	Day  Class = "day"  // gone at the tenant's local midnight
	Keep Class = "keep" // no age limit
	Mem  Class = "mem"  // memory only, an hour, gone at a restart
)

// Classes are all retention classes, in the order of the documentation.
var Classes = []Class{Std, Day, Keep, Mem}

// ParseKind parses a kind of room.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case Open, Announce, Private, Direct, Shared:
		return k, nil
	}
	return "", Invalid("kind", "must be open, announce, private, direct or shared")
}

// ParseClass parses a retention class; "" is Std.
func ParseClass(s string) (Class, error) {
	switch c := Class(s); c {
	case "":
		return Std, nil
	case Std, Day, Keep, Mem:
		return c, nil
	}
	return "", Invalid("class", "must be std, day, keep or mem")
}

// Role of a member in a room.
type Role string

// The roles, weakest first. A poster is a member of an announce room who may post.
const (
	RoleReader    Role = "reader"
	RoleMember    Role = "member"
	RolePoster    Role = "poster"
	RoleModerator Role = "moderator"
	RoleOwner     Role = "owner"
)

// ParseRole parses a role; "" is RoleMember.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case "":
		return RoleMember, nil
	case RoleReader, RoleMember, RolePoster, RoleModerator, RoleOwner:
		return r, nil
	}
	return "", Invalid("role", "must be reader, member, poster, moderator or owner")
}

// Rights are what a role allows in a room.
type Rights struct {
	Read, Post, Signal, Moderate, Own bool
}

// RightsOf is the table of DESIGN.md section 4. A user with no row in an open room
// counts as a member, in an announce room as a reader, elsewhere as a stranger.
func RightsOf(kind Kind, m *Membership) Rights {
	role, state := implied(kind, m)
	if state != Joined {
		return Rights{}
	}
	r := Rights{Read: true}
	switch role {
	case RoleOwner:
		r.Own = true
		fallthrough
	case RoleModerator:
		r.Moderate = true
		fallthrough
	case RolePoster:
		r.Post, r.Signal = true, true
	case RoleMember:
		r.Post, r.Signal = kind != Announce, true
	case RoleReader:
	default:
		return Rights{}
	}
	return r
}

// implied is the role that a user has in a room by its kind where no row gives one.
// An invitation to a room that everybody may read takes nothing away.
func implied(kind Kind, m *Membership) (Role, MemberState) {
	if m != nil && (m.State != Invited || kind != Open && kind != Announce) {
		return m.Role, m.State
	}
	switch kind {
	case Open:
		return RoleMember, Joined
	case Announce:
		return RoleReader, Joined
	}
	return "", ""
}

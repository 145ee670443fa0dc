package tenant

import (
	"strings"
)

// Ids are parsed at the edge and never converted inside, so that whatever holds
// one of these types may stand in a subject, a file name or a query.
type (
	TenantID string
	UserID   string
	// RoomID is what the tenant chose, or <low>.<high> for a direct room.
	RoomID string
)

// System is the sender of what only the platform may say in a room.
const System = "_"

// maxID is the length of the longest id in bytes.
const maxID = 64

// reserved are the words that stand for kinds, classes or prefixes in subjects:
// an id that equals one could make a subject mean something else.
var reserved = map[string]bool{
	"open": true, "announce": true, "private": true, "direct": true, "shared": true,
	"std": true, "day": true, "keep": true, "mem": true,
	"chat": true, "live": true, "sig": true, "svc": true, "api": true, "user": true, "void": true, "t": true,
}

const idRule = "must be 1 to 64 characters of a-z, 0-9, _ and -, begin with a letter or digit, and not be a reserved word"

// ValidID reports whether s is one subject token that names a tenant, room or user.
func ValidID(s string) bool {
	if s == "" || len(s) > maxID || reserved[s] {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// ParseTenantID parses an id of a tenant; field names it in the error.
func ParseTenantID(field, s string) (TenantID, error) {
	if !ValidID(s) {
		return "", Invalid(field, idRule)
	}
	return TenantID(s), nil
}

// ParseUserID parses an id of a user; field names it in the error.
func ParseUserID(field, s string) (UserID, error) {
	if !ValidID(s) {
		return "", Invalid(field, idRule)
	}
	return UserID(s), nil
}

// ParseRoomID parses an id of a room, a direct room's pair among them; field names it in the error.
func ParseRoomID(field, s string) (RoomID, error) {
	if low, high, ok := strings.Cut(s, "."); ok {
		a, errA := ParseUserID(field, low)
		b, errB := ParseUserID(field, high)
		if errA != nil || errB != nil || a >= b {
			return "", Invalid(field, "a direct room's id is two different user ids in byte order with a dot between")
		}
		return DirectRoomID(a, b)
	}
	if !ValidID(s) {
		return "", Invalid(field, idRule)
	}
	return RoomID(s), nil
}

// DirectRoomID is the id of the one room of two users. Nobody has a room with himself.
func DirectRoomID(a, b UserID) (RoomID, error) {
	switch {
	case a == b:
		return "", Invalid("user", "nobody has a direct room with themselves")
	case a > b:
		a, b = b, a
	}
	return RoomID(a + "." + b), nil
}

// Pair splits a direct room's id; ok is false for the ids of all other kinds.
func (r RoomID) Pair() (low, high UserID, ok bool) {
	a, b, ok := strings.Cut(string(r), ".")
	return UserID(a), UserID(b), ok
}

package tenant

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxText is the length of names, titles and reasons in characters.
const maxText = 200

// checkText adds to f what keeps s from being shown to people as one line.
func checkText(f faults, field, s string) {
	switch {
	case !utf8.ValidString(s):
		f[field] = "must be UTF-8"
	case utf8.RuneCountInString(s) > maxText:
		f[field] = fmt.Sprintf("must be at most %d characters", maxText)
	default:
		for _, r := range s {
			if hidden(r) {
				f[field] = "must not contain control characters"
				return
			}
		}
	}
}

// hidden characters can end a line, move a cursor or turn around what is beside them.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// Visible is s with escapes for hidden characters: what was never checked stays in its line and its column.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func checkTimezone(f faults, field, s string) {
	// "Local" is a zone for Go, but another one on each server.
	_, err := time.LoadLocation(s)
	f.check(err == nil && s != "" && s != "Local", field, "must be an IANA time zone, as Europe/Berlin or UTC")
}

const (
	minPassword = 8
	maxPassword = 1024 // bytes: argon2id reads all of it
)

func checkPassword(f faults, p Secret) {
	n := utf8.RuneCountInString(p.Reveal())
	f.check(n >= minPassword && len(p) <= maxPassword, "password",
		fmt.Sprintf("must be %d characters to %d bytes long", minPassword, maxPassword))
}

// ParseNKey parses a public user nkey; field names it in the error.
func ParseNKey(field, s string) (string, error) {
	f := faults{}
	checkNKey(f, field, s)
	return s, f.err()
}

// checkNKey looks at the form alone: a key that is none can never sign.
func checkNKey(f faults, field, s string) {
	f.check(ValidUserNKey(s), field, "must be a public user nkey, as U followed by 55 characters")
}

// ValidUserNKey reports whether s has the form of a public user nkey: the sender of a user whom his tenant signs.
func ValidUserNKey(s string) bool { return validNKey('U', s) }

// ValidAccountNKey reports whether s has the form of a public account nkey.
func ValidAccountNKey(s string) bool { return validNKey('A', s) }

func validNKey(kind byte, s string) bool {
	ok := len(s) == 56 && s[0] == kind
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= 'A' && c <= 'Z' || c >= '2' && c <= '7'
	}
	return ok
}

func (p Page) check() error {
	f := faults{}
	f.check(p.Limit >= 1 && p.Limit <= 1000, "limit", "must be 1 to 1000")
	checkText(f, "query", p.Query)
	checkText(f, "after", p.After)
	return f.err()
}

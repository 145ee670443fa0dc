package termchat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanLines makes text safe for a terminal and splits it into its lines. Control
// characters could move the cursor, set the title or fill the clipboard (terminal
// injection), and bidirectional ones could make a text read as another.
func cleanLines(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var lines []string
	for l := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		lines = append(lines, strings.Map(cleanRune, l))
	}
	return lines
}

// clean is cleanLines for what must stay in one line: names, titles, reasons.
func clean(s string) string { return strings.Join(cleanLines(s), " ") }

func cleanRune(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return utf8.RuneError
	case unicode.Is(unicode.Bidi_Control, r):
		return utf8.RuneError
	case r == '\ufeff', r >= 0xfff9 && r <= 0xfffb, unicode.Is(unicode.Co, r):
		return utf8.RuneError
	}
	return r
}

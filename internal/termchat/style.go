package termchat

import (
	"hash/fnv"
	"strconv"
	"strings"
	"unicode"
)

// style is how lines look.
type style struct {
	columns bool // time, sender and text stand in columns, wrapped at the width
	colour  bool
}

// The codes of ECMA-48 that are used; the terminal's own theme gives the colours.
const (
	bold = "1"
	dim  = "2"
	red  = "31"
)

// senderColours leave out black, white and their bright forms, of which one is the background.
var senderColours = [...]string{"31", "32", "33", "34", "35", "36", "91", "92", "93", "94", "95", "96"}

func (s style) paint(code, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) sender(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return s.paint(senderColours[h.Sum32()%uint32(len(senderColours))], id)
}

// rule is a line with a title in it.
func (s style) rule(code, title string, width int) string {
	if !s.columns {
		return "── " + title + " ──"
	}
	left := max(2, (width-cells(title)-2)/2)
	right := max(2, width-cells(title)-2-left)
	return s.paint(code, strings.Repeat("─", left)+" "+title+" "+strings.Repeat("─", right))
}

// cells is about how wide a terminal shows s.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
		r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// wrap breaks a line at spaces, and words that are longer than the width anywhere.
func wrap(line string, width int) []string {
	var out []string
	for cells(line) > width {
		cut, space, w := 0, 0, 0
		for i, r := range line {
			if w += runeCells(r); w > width {
				cut = i
				break
			}
			if r == ' ' {
				space = i
			}
		}
		switch {
		case space > 0:
			out = append(out, strings.TrimRight(line[:space], " "))
			line = strings.TrimLeft(line[space:], " ")
		case cut > 0:
			out = append(out, line[:cut])
			line = line[cut:]
		default: // a width of less than one character
			return append(out, line)
		}
	}
	return append(out, line)
}

// size is a number of bytes for people.
func size(n int64) string {
	for _, unit := range []struct {
		of   int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.of {
			return strconv.FormatFloat(float64(n)/float64(unit.of), 'f', 1, 64) + " " + unit.name
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}

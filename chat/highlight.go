package chat

import (
	"slices"
	"unicode/utf8"

	"parley/tenant"
)

// Bounds of an excerpt, in bytes.
const (
	maxExcerpt    = 300
	excerptBefore = 80 // of the first hit
)

// merge puts hits in order and makes one of those that touch.
func merge(hits [][2]int) [][2]int {
	slices.SortFunc(hits, func(a, b [2]int) int { return a[0] - b[0] })
	var all [][2]int
	for _, h := range hits {
		if n := len(all); n > 0 && h[0] <= all[n-1][1] {
			all[n-1][1] = max(all[n-1][1], h[1])
			continue
		}
		all = append(all, h)
	}
	return all
}

// excerpt cuts the text around its first hit into parts that are hits and parts that are not. They are plain text:
// whoever shows them marks the hits by himself and has no markup to trust.
func excerpt(text string, hits [][2]int) []tenant.TextPart {
	from, to := 0, len(text)
	if to > maxExcerpt && len(hits) > 0 {
		from = runeStart(text, max(0, hits[0][0]-excerptBefore))
		to = runeStart(text, min(len(text), max(from+maxExcerpt, hits[0][1])))
	}
	var parts []tenant.TextPart
	add := func(s string, hit bool) {
		if s != "" {
			parts = append(parts, tenant.TextPart{Text: s, Hit: hit})
		}
	}
	if from > 0 {
		add("…", false)
	}
	at := from
	for _, h := range hits {
		if h[1] > to {
			break
		}
		add(text[at:h[0]], false)
		add(text[h[0]:h[1]], true)
		at = h[1]
	}
	add(text[at:to], false)
	if to < len(text) {
		add("…", false)
	}
	return parts
}

// runeStart moves i back to where a character begins.
func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

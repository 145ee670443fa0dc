package chat

import (
	"strings"
	"unicode/utf8"

	"parley/tenant"
)

// maxTerms bounds a query: each is a look into the index.
const maxTerms = 16

// A sought is one word of a query, or a part of a dense run, or with a star the beginning of a word.
type sought struct {
	text  string // folded
	dense bool
	open  bool // a star follows
}

// parseQuery reads a query: all of its words must be in a message. Signs count as spaces.
func parseQuery(query string) ([]sought, error) {
	if len(query) > maxQueryText || !utf8.ValidString(query) || strings.ContainsRune(query, 0) {
		return nil, tenant.Invalid("query", "must be at most 200 bytes of UTF-8 without NUL")
	}
	var all []sought
	for _, t := range stretches(fold(query)) {
		open := strings.HasPrefix(query[t.text[len(t.text)-1].end:], "*")
		if open && !t.dense && len(t.text) < 2 {
			return nil, tenant.Invalid("query", "needs at least two letters before a *")
		}
		all = append(all, sought{text: t.String(), dense: t.dense, open: open})
	}
	switch {
	case len(all) == 0:
		return nil, tenant.Invalid("query", "must contain a letter or a digit: signs and wildcards alone find nothing")
	case len(all) > maxTerms:
		return nil, tenant.Invalid("query", "must be at most 16 words")
	}
	return all, nil
}

// tsquery is the query in the index's words, which hold nothing that would need quoting within the quotes.
func (s scope) tsquery(terms []sought, rooms []int64) string {
	var all []string
	word := func(w string, prefix bool) {
		q := "'" + s.key + w + "'"
		if prefix {
			q += ":*"
		}
		all = append(all, q)
	}
	for _, t := range terms {
		r := []rune(t.text)
		switch {
		case !t.dense:
			word(t.text, t.open)
		case len(r) == 1:
			word(t.text, true)
		default:
			for i := range len(r) - 1 {
				word(string(r[i:i+2]), false)
			}
		}
	}
	if len(rooms) > 0 {
		var any []string
		for _, pk := range rooms {
			any = append(any, "'"+s.room(pk)+"'")
		}
		all = append(all, "("+strings.Join(any, "|")+")")
	}
	return strings.Join(all, "&")
}

// matches finds the terms in a text: the bytes of each hit, in order and apart. It is not ok where one is missing:
// pairs of neighbours can be there without being neighbours of each other.
func matches(terms []sought, text string) (hits [][2]int, ok bool) {
	found := stretches(fold(text))
	for _, q := range terms {
		any := false
		for _, t := range found {
			for _, at := range q.in(t) {
				any = true
				hits = append(hits, [2]int{t.text[at[0]].start, t.text[at[1]-1].end})
			}
		}
		if !any {
			return nil, false
		}
	}
	return merge(hits), true
}

// in finds a term in a token: from and behind which of its characters.
func (q sought) in(t stretch) [][2]int {
	if q.dense != t.dense {
		return nil
	}
	have, n := t.String(), utf8.RuneCountInString(q.text)
	if !t.dense {
		if have == q.text || q.open && strings.HasPrefix(have, q.text) {
			return [][2]int{{0, len(t.text)}}
		}
		return nil
	}
	var all [][2]int
	for at := 0; ; {
		i := strings.Index(have[at:], q.text)
		if i < 0 {
			return all
		}
		from := utf8.RuneCountInString(have[:at+i])
		all = append(all, [2]int{from, from + n})
		at += i + len(q.text)
	}
}

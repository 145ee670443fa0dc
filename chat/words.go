package chat

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"parley/tenant"
)

// How a text becomes words, in the index, in queries and in highlights alike. Letters are folded: case, width,
// ligatures and accents don't count. A run of a script that is written without spaces, or whose
// particles cling to words as in Korean, becomes its pairs of neighbours, so that any part of it
// from two characters on is found.
const (
	maxWord  = 40   // characters of a word that count
	maxWords = 1000 // different words of a message that are found
)

// A folded rune stands for bytes of the text that it comes from.
type folded struct {
	r          rune
	start, end int
}

// fold normalizes a text character by character.
func fold(s string) []folded {
	all := make([]folded, 0, len(s))
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf && (i+1 == len(s) || s[i+1] < utf8.RuneSelf) {
			all = append(all, folded{unicode.ToLower(rune(c)), i, i + 1})
			i++
			continue
		}
		n := norm.NFKC.NextBoundaryInString(s[i:], true)
		for _, r := range bare(s[i : i+n]) {
			all = append(all, folded{unicode.ToLower(r), i, i + n})
		}
		i += n
	}
	return all
}

// bare takes the accents from letters. Marks beyond U+036F make other letters, as the dots of kana do.
func bare(s string) string {
	s = norm.NFKD.String(s)
	s = strings.Map(func(r rune) rune {
		if r >= 0x300 && r <= 0x36f {
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(s)
}

var denseScripts = []*unicode.RangeTable{
	unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan,
}

// dense reports whether a character's script has no spaces to tell words by.
func dense(r rune) bool {
	return r >= 0xe00 && (unicode.In(r, denseScripts...) || r == 'ー' || r == '々')
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || r == 'ー'
}

// A stretch is letters of one sort without anything between.
type stretch struct {
	text  []folded
	dense bool
}

func (t stretch) String() string {
	var b strings.Builder
	for i, f := range t.text {
		if i == maxWord && !t.dense {
			break
		}
		b.WriteRune(f.r)
	}
	return b.String()
}

func stretches(text []folded) []stretch {
	var all []stretch
	for i := 0; i < len(text); {
		if !wordRune(text[i].r) {
			i++
			continue
		}
		from, d := i, dense(text[i].r)
		for i < len(text) && wordRune(text[i].r) && dense(text[i].r) == d {
			i++
		}
		all = append(all, stretch{text[from:i], d})
	}
	return all
}

// grams are the pairs of neighbours in a dense run, and its last character, so that each begins one.
func grams(t stretch) []string {
	var all []string
	for i := range t.text {
		s := string(t.text[i].r)
		if i+1 < len(t.text) {
			s += string(t.text[i+1].r)
		}
		all = append(all, s)
	}
	return all
}

// A scope is a tenant in the index. Two tenants of one scope would only slow each other down.
type scope struct {
	key    string // before each of its words
	number int64
}

func scopeOf(t tenant.TenantID) scope {
	sum := sha256.Sum256([]byte(t))
	return scope{
		key:    strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5])),
		number: int64(binary.BigEndian.Uint64(sum[8:]) >> 1),
	}
}

// room is the word that each message of a room has.
func (s scope) room(pk int64) string { return s.key + "#" + strconv.FormatInt(pk, 36) }

// eachWord calls fn with the words of a text, in its order. Plain ones need no normalizing: it is the same, ten times faster.
func eachWord(text string, fn func(string)) {
	if plain(text) {
		for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !wordRune(r) }) {
			fn(strings.ToLower(w[:min(len(w), maxWord)]))
		}
		return
	}
	for _, t := range stretches(fold(text)) {
		if !t.dense {
			fn(t.String())
			continue
		}
		for _, g := range grams(t) {
			fn(g)
		}
	}
}

// plain reports whether s is ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// words of a message for the index, with spaces between. None: nothing in it can be found.
func (s scope) words(room int64, text string) string {
	seen := map[string]bool{}
	var b strings.Builder
	add := func(w string) {
		if len(seen) < maxWords && !seen[w] {
			seen[w] = true
			b.WriteString(s.key)
			b.WriteString(w)
			b.WriteByte(' ')
		}
	}
	eachWord(text, add)
	if len(seen) == 0 {
		return ""
	}
	b.WriteString(s.room(room))
	return b.String()
}

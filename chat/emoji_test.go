package chat

import (
	"strings"
	"testing"
)

func TestReactionsAreExactlyOneEmoji(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"👍", "👍🏽", "❤", "❤️", "😀", "🎉", "✅", "☕", "🫠", "©️",
		"👩‍👩‍👧‍👦", "👩🏽‍🚀", "🏳️‍🌈", "🏴‍☠️", "🐦‍⬛", "🇩🇪", "🇰🇷", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "#⃣",
	} {
		if !isEmoji(s) {
			t.Errorf("%q: got refused, want taken", s)
		}
	}
	for _, s := range []string{
		"", "a", "1", "#", ":thumbsup:", "👍👍", "👍 ", " 👍", "👍a", "a👍", "👍\u200d", "\u200d👍", "🏽🏽", "🇩", "🇩🇪🇫", "🏴󠁧󠁢", "1️", "️", "\u200d",
		"日", "ｱ", "<b>", "👍\x00", "\xf0\x9f\x91", strings.Repeat("👩‍", 30) + "👩", "é", "→",
	} {
		if isEmoji(s) {
			t.Errorf("%q: got taken, want refused", s)
		}
	}
}

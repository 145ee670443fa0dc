package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestImportIsCutIntoBatches(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := 1; i <= 2*batchLines+5; i++ {
		lines = append(lines, fmt.Sprint(i))
	}
	long := strings.Repeat("x", maxLine-1)
	for name, c := range map[string]struct {
		in   string
		from int
		want []string // first line and count of each batch
		fail string
	}{
		"three batches":   {strings.Join(lines, "\n"), 1, []string{"1 1000", "1001 1000", "2001 5"}, ""},
		"from the middle": {strings.Join(lines, "\n"), 1500, []string{"1500 506"}, ""},
		"long lines":      {long + "\n" + long + "\n", 1, []string{"1 1", "2 1"}, ""},
		"nothing":         {"", 1, nil, ""},
		"a line too long": {"a\n" + long + long, 1, nil, "line 2 is longer"},
	} {
		var got []string
		err := batches(strings.NewReader(c.in), c.from, func(from int, lines []byte) error {
			got = append(got, fmt.Sprintf("%d %d", from, strings.Count(string(lines), "\n")+1))
			return nil
		})
		if !slices.Equal(got, c.want) || (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%s: got %v, %v, want %v, %s", name, got, err, c.want, c.fail)
		}
	}
}

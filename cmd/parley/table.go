package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"parley/tenant"
)

// table prints rows below a head, in columns; with no rows it says what to do next.
func table(w io.Writer, empty string, head []string, rows [][]string) {
	if len(rows) == 0 {
		fmt.Fprintln(w, empty)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(head, "\t")))
	for _, r := range rows {
		for i, cell := range r { // of the audit trail, say, where text stands as it came in
			r[i] = tenant.Visible(cell)
		}
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	_ = t.Flush() // the writer below reports for itself
}

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// table prints itself in Markdown, with columns that line up.
type table struct {
	head []string
	rows [][]string
}

func (t table) print(w io.Writer) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(widths))
	for i, n := range widths {
		rule[i] = strings.Repeat("-", n)
	}
	fmt.Fprintln(w)
	for _, row := range slices.Concat([][]string{t.head, rule}, t.rows) {
		for i, cell := range row {
			fmt.Fprint(w, "| ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		fmt.Fprintln(w, "|")
	}
	fmt.Fprintln(w)
}

// times is how long something took each time.
type times struct {
	name string
	took []time.Duration
}

func tellTimes(w io.Writer, all []times) {
	t := table{head: []string{"from the start of the call", "p50", "p99", "max"}}
	for _, m := range all {
		t.rows = append(t.rows, []string{m.name, millis(percentile(m.took, 50)), millis(percentile(m.took, 99)), millis(percentile(m.took, 100))})
	}
	t.print(w)
}

func micros(ns float64) string { return fmt.Sprintf("%.1f µs", ns/1e3) }

func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

// median is the middle of the values, of an even number the mean of the two in the middle.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return math.NaN()
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// percentile is the least value that p percent of all do not exceed.
func percentile(values []time.Duration, p float64) time.Duration {
	v := slices.Sorted(slices.Values(values))
	i := int(math.Ceil(p/100*float64(len(v)))) - 1
	return v[max(i, 0)]
}

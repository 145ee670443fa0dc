package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// settle is how long after its last operation a variant is still watched: what it does later
// belongs to it too, as rows that are written in batches.
const settle = 250 * time.Millisecond

// variant is one way to do the same thing. The first of several is what the others are compared with.
type variant struct {
	name   string
	server *process
	ops    int // in one round
	do     func(ctx context.Context) (outcome, error)
}

// outcome is what a round saw of time.
type outcome struct {
	wall time.Duration   // from the first operation's start to the last one's end
	each []time.Duration // of the operations; in delivery, of the messages
}

type sample struct {
	outcome
	spent
}

// result is a variant with all its rounds.
type result struct {
	variant
	samples []sample
}

// interleave measures the variants in turn, round by round, so that what else the machine does
// meets them all alike. A first round warms up and does not count.
func interleave(ctx context.Context, rounds int, variants []variant) ([]result, error) {
	results := make([]result, len(variants))
	for i, v := range variants {
		results[i].variant = v
	}
	for round := range rounds + 1 {
		for i := range results {
			r := &results[(round+i)%len(results)]
			s, err := measure(ctx, r.variant)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			if round > 0 {
				r.samples = append(r.samples, s)
			}
		}
	}
	return results, nil
}

func measure(ctx context.Context, v variant) (s sample, err error) {
	runtime.GC() // nobody pays for another's garbage
	before, err := v.server.spent()
	if err != nil {
		return s, err
	}
	if before.client, err = own(); err != nil {
		return s, err
	}
	if s.outcome, err = v.do(ctx); err != nil {
		return s, err
	}
	if err := pause(ctx, settle); err != nil {
		return s, err
	}
	client, err := own()
	if err != nil {
		return s, err
	}
	after, err := v.server.spent()
	if err != nil {
		return s, err
	}
	after.client = client
	s.spent = after.minus(before)
	return s, nil
}

// cpu is the CPU time of one operation in each round.
func (r result) cpu(part func(spent) time.Duration) []float64 {
	var all []float64
	for _, s := range r.samples {
		all = append(all, float64(part(s.spent))/float64(r.ops))
	}
	return all
}

// ratios compares each round with the base's same round.
func (r result) ratios(base result) []float64 {
	mine, theirs := r.cpu(spent.total), base.cpu(spent.total)
	for i := range mine {
		mine[i] /= theirs[i]
	}
	return mine
}

func (r result) perSecond() float64 {
	var all []float64
	for _, s := range r.samples {
		all = append(all, float64(r.ops)/s.wall.Seconds())
	}
	return median(all)
}

func (r result) latencies() (all []time.Duration) {
	for _, s := range r.samples {
		all = append(all, s.each...)
	}
	return all
}

// tell prints the results as a table; operation is what a round does ops times.
func tell(w io.Writer, operation string, groups ...[]result) {
	t := table{head: []string{
		"", "CPU of one " + operation, "ratio", "rounds' ratios", "clients", "server", "database", "a second", "p50", "p99",
	}}
	for _, results := range groups {
		for _, r := range results {
			ratios := r.ratios(results[0])
			row := []string{
				r.name, micros(median(r.cpu(spent.total))), fmt.Sprintf("%.2f", median(ratios)),
				fmt.Sprintf("%.2f to %.2f", slices.Min(ratios), slices.Max(ratios)),
			}
			for _, part := range []func(spent) time.Duration{
				func(s spent) time.Duration { return s.client },
				func(s spent) time.Duration { return s.server },
				func(s spent) time.Duration { return s.database },
			} {
				row = append(row, micros(median(r.cpu(part))))
			}
			each := r.latencies()
			row = append(row, fmt.Sprintf("%.0f", r.perSecond()), millis(percentile(each, 50)), millis(percentile(each, 99)))
			t.rows = append(t.rows, row)
		}
	}
	t.print(w)
}

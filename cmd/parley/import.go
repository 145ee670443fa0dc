package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"parley/tenant"
)

// Bounds of a batch, below those of the API.
const (
	batchLines = 1000
	batchBytes = 768 << 10
	maxLine    = 512 << 10
)

type roomImportCmd struct {
	roomArg
	File string `arg:"" help:"NDJSON as an export has it; - is standard input."`
	From int    `help:"Begin at this line. Doing it all again makes no doubles either." default:"1"`
}

// Run sends the file in batches, each of which is imported whole or not at all, and says how far it is.
func (c *roomImportCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	in := std.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	var total tenant.Imported
	err = batches(in, c.From, func(from int, lines []byte) error {
		var done tenant.Imported
		if err := a.sendLines(ctx, c.path("import")+"?line="+strconv.Itoa(from), lines, &done); err != nil {
			return fmt.Errorf("%w\nNothing from line %d on was imported; mend it and go on with --from %d", err, from, from)
		}
		total.Imported, total.Doubles = total.Imported+done.Imported, total.Doubles+done.Doubles
		total.Skipped, total.Line = total.Skipped+done.Skipped, done.Line
		if !a.json {
			fmt.Fprintf(std.err, "line %d\n", total.Line)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.show(total, func(w io.Writer) {
		fmt.Fprintf(w, "Imported %d messages; %d were there already, %d events were passed over.\n", total.Imported, total.Doubles, total.Skipped)
	})
}

// batches cuts lines into pieces and gives each with the number of its first line.
func batches(in io.Reader, from int, send func(from int, lines []byte) error) error {
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, 64<<10), maxLine)
	var batch bytes.Buffer
	number, first, count := 0, from, 0
	flush := func() error {
		if count == 0 {
			return nil
		}
		err := send(first, bytes.TrimSuffix(batch.Bytes(), []byte("\n")))
		batch.Reset()
		first, count = number+1, 0
		return err
	}
	for scan.Scan() {
		if number+1 < from {
			number++
			continue
		}
		if count == batchLines || batch.Len()+len(scan.Bytes()) > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		number++
		count++
		batch.Write(scan.Bytes())
		batch.WriteByte('\n')
	}
	if err := scan.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return fmt.Errorf("line %d is longer than %d bytes", number+1, maxLine)
		}
		return err
	}
	return flush()
}

// sendLines posts NDJSON.
func (a *api) sendLines(ctx context.Context, p string, lines []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	return a.send(ctx, http.MethodPost, p, "application/x-ndjson", lines, out)
}

package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"parley/tenant"
)

const (
	// journalFile holds what was revoked, a line of JSON each: the database might be restored to a day before.
	journalFile = "revocations.journal"
	// journalEvery is how late an entry may come to the journal.
	journalEvery = time.Second
	// journalOverlap is how many numbers back an entry may be committed behind later ones.
	journalOverlap = 1000
	journalBatch   = 1000
	// journalKeeps is the age of the oldest backup against which the journal helps.
	journalKeeps = 35 * 24 * time.Hour
)

// A journal is the open file, and what of it was written lately.
type journal struct {
	file   *os.File
	recent map[entryID]bool
	last   int64 // number of the newest in the database
}

type entryID struct {
	id int64
	at int64 // Unix microseconds
}

func idOf(r tenant.Recorded) entryID { return entryID{r.ID, r.At.UnixMicro()} }

// startJournal revokes again what the database has forgotten, before anybody can connect, and goes on to
// keep the journal.
func (a *app) startJournal(ctx context.Context) error {
	all, err := readJournal(a.dir.file(journalFile))
	if err != nil {
		return err
	}
	forgotten, err := a.store.Replay(ctx, all)
	if err != nil {
		return err
	}
	if forgotten > 0 {
		a.Logger.Error("the database is older than what was revoked since: it is revoked again; look through what else changed",
			slog.Int("forgotten", forgotten))
	}
	j := &journal{recent: map[entryID]bool{}}
	if j.last, err = a.store.LastRecorded(ctx); err != nil {
		return err
	}
	// The rest, of before there was a journal, is in the database, or in no backup that is older than it.
	for _, r := range all {
		j.recent[idOf(r)] = true
	}
	if len(all) > 0 && forgotten == 0 {
		j.last = min(j.last, all[len(all)-1].ID)
	}
	if err := a.dir.write(journalFile, lines(all)); err != nil { // without what is too old
		return err
	}
	if j.file, err = os.OpenFile(a.dir.file(journalFile), os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	a.onStop("journal file", func(context.Context) error { return j.file.Close() })
	if err := a.journalNew(ctx, j); err != nil {
		return err
	}
	a.background("journal", func(ctx context.Context) error { return a.keepJournal(ctx, j) })
	return nil
}

// keepJournal ends when the journal can't be written: then the process does, for it would forget.
func (a *app) keepJournal(ctx context.Context, j *journal) error {
	tick := time.NewTicker(journalEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			within, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalEvery)
			defer cancel()
			return a.journalNew(within, j)
		}
		err := a.journalNew(ctx, j)
		if e := (*os.PathError)(nil); errors.As(err, &e) {
			return fmt.Errorf("write the journal of revocations: %w", err)
		}
	}
}

// journalNew appends what is new in the database. Without the database nothing is new.
func (a *app) journalNew(ctx context.Context, j *journal) error {
	for after := max(j.last-journalOverlap, 0); ; {
		page, err := a.store.Recorded(ctx, after, journalBatch)
		if err != nil {
			return err
		}
		var fresh []tenant.Recorded
		for _, r := range page {
			if !j.recent[idOf(r)] {
				fresh = append(fresh, r)
			}
			after = max(after, r.ID)
		}
		if len(fresh) > 0 {
			if _, err := j.file.Write(lines(fresh)); err != nil {
				return err
			}
			if err := j.file.Sync(); err != nil {
				return err
			}
		}
		for _, r := range fresh {
			j.recent[idOf(r)] = true
		}
		j.last = max(j.last, after)
		if len(page) < journalBatch {
			break
		}
	}
	for id := range j.recent {
		if id.id < j.last-2*journalOverlap {
			delete(j.recent, id)
		}
	}
	return nil
}

func lines(all []tenant.Recorded) []byte {
	var b bytes.Buffer
	for _, r := range all {
		line, err := json.Marshal(r)
		if err != nil {
			panic(err) // it was JSON when it was read
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

// readJournal returns the entries that are not too old. Half a line at the end was being written when the machine stopped.
func readJournal(path string) ([]tenant.Recorded, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []tenant.Recorded
	oldest := time.Now().Add(-journalKeeps)
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		text = text[:i+1]
	} else {
		text = nil
	}
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 1<<20)
	for n := 1; scan.Scan(); n++ {
		var r tenant.Recorded
		if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("line %d of %s is damaged: %w; without the file it is not known what was revoked since the last backup", n, path, err)
		}
		if r.At.After(oldest) {
			all = append(all, r)
		}
	}
	return all, scan.Err()
}

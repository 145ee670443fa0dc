package tenant

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// A TrailSeal covers entries of the audit trail and, by its code, the seal before it: so all seals together are a chain
// in which nothing can be changed, left out or moved by who has not the key of the code.
type TrailSeal struct {
	Number  int64 // 1, 2, 3, …
	At      time.Time
	Entries []int64 // ids, in their order
	MAC     []byte
}

// A SealedEntry is an entry of the trail with its id.
type SealedEntry struct {
	ID int64
	AuditEntry
}

// NextSeal covers what entries there are of the ids. mac is a keyed code.
func NextSeal(mac func([]byte) []byte, last TrailSeal, at time.Time, ids []int64, entries []SealedEntry) TrailSeal {
	s := TrailSeal{Number: last.Number + 1, At: at, Entries: ids}
	s.MAC = mac(s.content(last, entries))
	return s
}

// Check returns what is wrong with a seal behind another; "": nothing. entries are what the trail has of its ids.
func (s *TrailSeal) Check(mac func([]byte) []byte, last TrailSeal, entries []SealedEntry) string {
	switch {
	case s.Number != last.Number+1:
		return fmt.Sprintf("seal %d is missing", last.Number+1)
	case len(entries) < len(s.Entries):
		return fmt.Sprintf("entry %d is missing", s.firstMissing(entries))
	case !slices.Equal(s.MAC, mac(s.content(last, entries))):
		return fmt.Sprintf("an entry of %s was changed, or seal %d was", idRange(s.Entries), s.Number)
	}
	return ""
}

func (s *TrailSeal) firstMissing(entries []SealedEntry) int64 {
	for i, id := range s.Entries {
		if i == len(entries) || entries[i].ID != id {
			return id
		}
	}
	return 0
}

// idRange names ids in few words.
func idRange(ids []int64) string {
	if len(ids) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d to %d", ids[0], ids[len(ids)-1])
}

// content is what the code is of. Each field has its length before it, so that no two contents are the same.
func (s *TrailSeal) content(last TrailSeal, entries []SealedEntry) []byte {
	out := []byte("parley audit seal")
	number := func(n int64) { out = binary.BigEndian.AppendUint64(out, uint64(n)) } //nolint:gosec // G115: as bits
	text := func(b []byte) {
		number(int64(len(b)))
		out = append(out, b...)
	}
	number(s.Number)
	number(s.At.UnixMicro())
	text(last.MAC)
	number(int64(len(s.Entries)))
	for _, id := range s.Entries {
		number(id)
	}
	for _, e := range entries {
		number(e.ID)
		number(e.At.UnixMicro())
		for _, field := range []string{string(e.Tenant), e.Actor, e.Action, e.Object} {
			text([]byte(field))
		}
		text(e.Before)
		text(e.After)
	}
	return out
}

// A Trail is what a look through the whole audit trail found.
type Trail struct {
	At       time.Time // when that was; zero: the first look has not ended
	Entries  int64     // that are as they were when they were sealed
	Fault    string    // "": none
	Unsealed time.Time // since when entries wait for a seal; zero: none waits for long
}

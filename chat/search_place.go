package chat

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"parley/tenant"
)

// A searchPlace is where a message stands in the order of a search: by time, and of one time by room and sequence.
type searchPlace struct {
	at   time.Time
	room int64
	seq  int64
}

func (p searchPlace) compare(o searchPlace) int {
	return cmp.Or(p.at.Compare(o.at), cmp.Compare(p.room, o.room), cmp.Compare(p.seq, o.seq))
}

// searchMark tells the cursors of one search from those of others: the place of one says nothing in another.
func searchMark(t tenant.TenantID, q tenant.SearchQuery) uint64 {
	// None of them can hold the byte between them.
	sum := sha256.Sum256([]byte(string(t) + "\x00" + string(q.As) + "\x00" + string(q.Room) + "\x00" + q.Query))
	return binary.BigEndian.Uint64(sum[:])
}

// A searchCursor is what SearchQuery.After of the next page holds. It gives no rights: they are looked at anew for each page.
type searchCursor struct {
	Mark          uint64
	At, Room, Seq int64
}

func (p searchPlace) cursor(t tenant.TenantID, q tenant.SearchQuery) string {
	b, err := binary.Append(nil, binary.BigEndian, searchCursor{searchMark(t, q), p.at.UnixMicro(), p.room, p.seq})
	if err != nil {
		panic(err) // numbers always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseSearchPlace reads what cursor wrote for the same search; nil is the beginning.
func parseSearchPlace(after string, t tenant.TenantID, q tenant.SearchQuery) (*searchPlace, error) {
	if after == "" {
		return nil, nil
	}
	var c searchCursor
	b, err := base64.RawURLEncoding.Strict().DecodeString(after)
	if err == nil && len(b) == binary.Size(c) {
		_, err = binary.Decode(b, binary.BigEndian, &c)
	}
	p := &searchPlace{time.UnixMicro(c.At).UTC(), c.Room, c.Seq}
	// Postgres does not take all times.
	if err != nil || c.Mark != searchMark(t, q) || min(c.Room, c.Seq) < 0 || p.at.Year() < 1 || p.at.Year() > 9999 {
		return nil, tenant.Invalid("after", "must be the next of a page of this search")
	}
	return p, nil
}

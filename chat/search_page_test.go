package chat

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

// A laid message is one that stands in the rows, as the model knows it.
type laid struct {
	host tenant.TenantID
	room tenant.RoomID
	pk   int64
	seq  int64
	at   time.Time
	text string
}

// A library is two tenants' rooms with messages, many of which are of one time.
type library struct {
	*hall
	r    *rand.Rand
	pks  map[tenant.RoomID]int64
	last map[int64]int64 // sequence by room
	all  []laid
	noon time.Time
}

func newLibrary(t *testing.T, seed uint64) *library {
	l := &library{hall: newHall(t), r: rand.New(rand.NewPCG(seed, 1)), pks: map[tenant.RoomID]int64{}, last: map[int64]int64{}}
	l.noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	l.room("town", tenant.Open, tenant.Std)
	l.room("club", tenant.Private, tenant.Std)
	l.room("late", tenant.Private, tenant.Std)
	l.exec(`UPDATE rooms SET history = 'joined' WHERE room_id = 'late'`)
	for _, u := range []tenant.UserID{"alice", "bob"} {
		l.member("late", u, tenant.RoleMember, tenant.Joined)
	}
	l.member("club", "alice", tenant.RoleMember, tenant.Joined)
	l.exec(`UPDATE members SET joined_at = $1 WHERE user_id = 'bob'`, l.noon.Add(5*time.Microsecond))
	l.exec(`UPDATE members SET joined_at = $1 WHERE user_id = 'alice'`, l.noon)
	l.exec(`INSERT INTO rooms (tenant_id, room_id, kind, class, title, created_at, changed_at) VALUES ('beta', 'attic', 'open', 'std', 'Attic', now(), now())`)
	for _, r := range []tenant.RoomID{"town", "club", "late", "hall", "attic"} {
		l.pks[r] = query[int64](l.site, `SELECT room_pk FROM rooms WHERE room_id = $1`, r)
	}
	return l
}

// lay puts messages of some microseconds into the rooms, as the projector would.
func (l *library) lay(n int, from time.Time, times int) {
	l.t.Helper()
	rooms := []tenant.RoomID{"town", "club", "late", "hall", "attic"}
	texts := []string{"needle", "needle and thread", "hay", "haystack", "가나다", "가나 나다"}
	fresh := make([]laid, n)
	for i := range fresh {
		m := laid{host: "acme", room: rooms[l.r.IntN(len(rooms))], text: texts[l.r.IntN(len(texts))]}
		m.at = from.Add(time.Duration(l.r.IntN(times)) * time.Microsecond)
		if m.pk = l.pks[m.room]; m.room == "attic" {
			m.host = "beta"
		}
		fresh[i] = m
	}
	slices.SortStableFunc(fresh, func(a, b laid) int { return a.at.Compare(b.at) })
	for i := range fresh {
		m := &fresh[i]
		l.last[m.pk] += 1 + l.r.Int64N(3)
		m.seq = l.last[m.pk]
		s := scopeOf(m.host)
		l.exec(`INSERT INTO messages (room_pk, seq, n, sender, message_id, at, text) VALUES ($1, $2::bigint, $2::bigint, 'alice', $2::text, $3, $4)`, m.pk, m.seq, m.at, m.text)
		l.exec(sqlInsertWords, s.number, []int64{m.pk}, []int64{m.seq}, []time.Time{m.at}, []string{s.words(m.pk, m.text)})
	}
	l.all = append(l.all, fresh...)
}

// A reader is who searches: which rooms he reads, and since when.
type reader struct {
	of    tenant.TenantID
	as    tenant.UserID
	rooms map[tenant.RoomID]time.Time
}

func (l *library) readers() []reader {
	begin := time.Time{}
	return []reader{
		{"acme", "", map[tenant.RoomID]time.Time{"town": begin, "club": begin, "late": begin, "hall": begin}},
		{"acme", "alice", map[tenant.RoomID]time.Time{"town": begin, "club": begin, "late": l.noon, "hall": begin}},
		{"acme", "bob", map[tenant.RoomID]time.Time{"town": begin, "late": l.noon.Add(5 * time.Microsecond)}},
		{"beta", "zed", map[tenant.RoomID]time.Time{"attic": begin, "hall": begin}},
		{"beta", "", map[tenant.RoomID]time.Time{"attic": begin, "hall": begin}},
	}
}

// want is what a search must find, in order.
func (l *library) want(who reader, q tenant.SearchQuery) []string {
	terms, err := parseQuery(q.Query)
	if err != nil {
		l.t.Fatal(err)
	}
	var found []laid
	for _, m := range l.all {
		since, may := who.rooms[m.room]
		if _, ok := matches(terms, m.text); ok && may && !m.at.Before(since) && (q.Room == "" || q.Room == who.name(m.room)) {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b laid) int {
		if q.Room != "" {
			return cmp.Compare(b.seq, a.seq)
		}
		return -cmp.Or(a.at.Compare(b.at), cmp.Compare(a.pk, b.pk), cmp.Compare(a.seq, b.seq))
	})
	all := []string{}
	for _, m := range found {
		all = append(all, fmt.Sprintf("%s/%d", who.name(m.room), m.seq))
	}
	return all
}

func (who reader) name(r tenant.RoomID) tenant.RoomID {
	if who.of == "beta" && r == "hall" {
		return hallAddress
	}
	return r
}

// pages reads a search to its end, in pages of random size; between is called after each.
func (l *library) pages(who reader, q tenant.SearchQuery, between func()) []string {
	l.t.Helper()
	all := []string{}
	for range 10 * (len(l.all) + 10) {
		q.Limit = 1 + l.r.IntN(7)
		page, err := l.chat.Search(l.ctx(), who.of, q)
		if err != nil || len(page.Messages) > q.Limit {
			l.t.Fatalf("%+v: got %d, %v, want at most %d", q, len(page.Messages), err, q.Limit)
		}
		for _, m := range page.Messages {
			all = append(all, fmt.Sprintf("%s/%d", m.Room, m.Seq))
		}
		if q.After = page.Next; q.After == "" {
			return all
		}
		between()
	}
	l.t.Fatalf("%+v: no end", q)
	return nil
}

// Whatever a search looks at once, its pages are all that may be read and matches, each once and in order, while more is posted.
func TestPagesOfASearchAreAllOfIt(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, rand.Uint64())
	now := l.noon.Add(time.Hour)
	for program := range 60 {
		l.lay(1+l.r.IntN(15), l.noon.Add(time.Duration(program)*time.Microsecond), 4)
		l.chat.searching = searchBounds{recent: 1 + l.r.IntN(20), listed: 1 + l.r.IntN(120), rooms: 1 + l.r.IntN(6), tries: 1 + l.r.IntN(4)}
		for _, who := range l.readers() {
			q := tenant.SearchQuery{Query: []string{"needle", "needle thread", "hay*", "가나다", "absent"}[l.r.IntN(5)], As: who.as}
			for r := range who.rooms {
				if l.r.IntN(3) == 0 {
					q.Room = who.name(r)
				}
			}
			want := l.want(who, q)
			posts := 2
			got := l.pages(who, q, func() {
				if posts--; posts >= 0 {
					now = now.Add(time.Microsecond)
					l.lay(1, now, 1)
				}
			})
			if !slices.Equal(got, want) {
				t.Fatalf("%+v with %+v: got %d %v, want %d %v", q, l.chat.searching, len(got), got, len(want), want)
			}
		}
	}
}

func TestACursorIsOfOneSearch(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 1)
	l.lay(60, l.noon, 5)
	q := tenant.SearchQuery{Query: "needle", Limit: 2}
	page, err := l.chat.Search(l.ctx(), "acme", q)
	if err != nil || page.Next == "" {
		t.Fatalf("got %+v, %v, want a page that more follow", page, err)
	}
	q.After = page.Next
	if page, err = l.chat.Search(l.ctx(), "acme", q); err != nil || len(page.Messages) != 2 {
		t.Errorf("the next page: got %d, %v", len(page.Messages), err)
	}
	edge := func(at, room, seq int64) string { return searchPlace{time.UnixMicro(at), room, seq}.cursor("acme", q) }
	for name, c := range map[string]struct {
		of tenant.TenantID
		q  tenant.SearchQuery
	}{
		"another query":  {"acme", tenant.SearchQuery{Query: "hay", After: q.After}},
		"another room":   {"acme", tenant.SearchQuery{Query: "needle", Room: "town", After: q.After}},
		"another user":   {"acme", tenant.SearchQuery{Query: "needle", As: "alice", After: q.After}},
		"another tenant": {"beta", tenant.SearchQuery{Query: "needle", After: q.After}},
		"garbage":        {"acme", tenant.SearchQuery{Query: "needle", After: "garbage"}},
		"a part":         {"acme", tenant.SearchQuery{Query: "needle", After: q.After[:40]}},
		"more":           {"acme", tenant.SearchQuery{Query: "needle", After: q.After + q.After}},
		"a late time":    {"acme", tenant.SearchQuery{Query: "needle", After: edge(1<<60, 1, 1)}},
		"an early time":  {"acme", tenant.SearchQuery{Query: "needle", After: edge(-1<<60, 1, 1)}},
		"a negative":     {"acme", tenant.SearchQuery{Query: "needle", After: edge(1, 1, -1)}},
	} {
		got, err := l.chat.Search(l.ctx(), c.of, c.q)
		if e, ok := tenant.AsError(err); !ok || e.Code != tenant.CodeInvalid || e.Fields["after"] == "" || len(got.Messages) > 0 {
			t.Errorf("%s: got %+v, %v, want it refused for after", name, got, err)
		}
	}
	l.run(l.chat)
	if answer, code := l.op("alice", "search", `{"query":"needle","after":"x"}`); code != tenant.CodeInvalid || !strings.Contains(string(answer), `"after"`) {
		t.Errorf("over NATS: got %s, want a refusal of after", answer)
	}
}

func FuzzSearchCursor(f *testing.F) {
	q := tenant.SearchQuery{Query: "needle"}
	f.Add(searchPlace{time.UnixMicro(1_795_647_643_701_747), 7, 1_795_647_643_701_747}.cursor("acme", q))
	f.Add("")
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, 32)))
	f.Fuzz(func(t *testing.T, after string) {
		// What follows the mark is anybody's to make up.
		for _, text := range []string{after, searchPlace{}.cursor("acme", q)[:11] + after} {
			p, err := parseSearchPlace(text, "acme", q)
			switch {
			case err != nil && codeOf(err) != tenant.CodeInvalid:
				t.Errorf("%q: got %v, want it invalid", text, err)
			case p != nil && (p.cursor("acme", q) != text || p.room < 0 || p.seq < 0 || p.at.Year() < 1 || p.at.Year() > 9999):
				t.Errorf("%q: got the place %+v", text, p)
			}
		}
	})
}
